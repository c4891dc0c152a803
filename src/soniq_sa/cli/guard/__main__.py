"""``python -m soniq_sa.cli.guard``: started by a worker, of no use to anybody else."""

import sys

from soniq_sa.cli.guard.process import GuardProcess

GuardProcess(*map(int, sys.argv[1:])).run()
