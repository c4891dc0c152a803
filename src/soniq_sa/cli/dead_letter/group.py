"""The commands of ``soniq-sa dead-letter``."""

from __future__ import annotations

from soniq_sa.cli.dead_letter.change import delete, purge, replay, tag
from soniq_sa.cli.dead_letter.look import export, list_letters, show, stats
from soniq_sa.cli.flattened import flattened
from soniq_sa.cli.options import new_commands

_ALL = (list_letters, show, replay, delete, purge, stats, tag, export)

commands = new_commands(
    *[flattened(one) for one in _ALL],
    no_args_is_help=True,
    help="The jobs that are dead: look at them, replay them, delete them. No code of yours is needed.",
)
