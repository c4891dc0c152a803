"""The commands of ``soniq-sa schema``."""

from __future__ import annotations

from soniq_sa.cli.options import new_commands
from soniq_sa.cli.schema.check import check
from soniq_sa.cli.schema.init import init
from soniq_sa.cli.schema.sql import sql
from soniq_sa.cli.schema.tables import create, drop
from soniq_sa.cli.schema.templates import templates

commands = new_commands(
    init,
    templates,
    check,
    sql,
    create,
    drop,
    no_args_is_help=True,
    help="The job tables, in the database and in your migrations.",
)
