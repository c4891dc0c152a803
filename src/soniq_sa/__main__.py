"""``python -m soniq_sa``: the command ``soniq-sa``."""

from soniq_sa.cli.main import main

main()
