"""Texts of env.py as they are found in projects, and what is around them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLUGINS = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"]'

MODELS = """
from sqlalchemy.orm import DeclarativeBase
from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    pass


include_tables(Base.metadata)
"""

FLASK_APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import make_url
import os
from soniq_sa.models import include_tables

app = Flask(__name__)
url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
app.config["SQLALCHEMY_DATABASE_URI"] = url.render_as_string(hide_password=False)
db = SQLAlchemy(app)
include_tables(db.metadata)
app.extensions["migration_options"] = {"compare_type": True}
"""

FLASK_ENV = '''\
import logging

from flask import current_app

from alembic import context

config = context.config
logger = logging.getLogger("alembic.env")


def get_engine():
    return current_app.extensions["sqlalchemy"].engine


def get_metadata():
    return current_app.extensions["sqlalchemy"].metadata


config.set_main_option("sqlalchemy.url", str(get_engine().url).replace("%", "%%"))


def run_migrations_offline():
    """Write SQL."""
    context.configure(
        url=config.get_main_option("sqlalchemy.url"), target_metadata=get_metadata(), literal_binds=True
    )

    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    """Migrate."""

    def process_revision_directives(context, revision, directives):
        if getattr(config.cmd_opts, "autogenerate", False):
            script = directives[0]
            if script.upgrade_ops.is_empty():
                directives[:] = []
                logger.info("No changes in schema detected.")

    conf_args = current_app.extensions["migration_options"]
    if conf_args.get("process_revision_directives") is None:
        conf_args["process_revision_directives"] = process_revision_directives

    with get_engine().connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=get_metadata(),
            **conf_args
        )

        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
'''

FLASK_MIGRATE = """
import sys
from alembic import command
from alembic.config import Config
from app import app

config = Config("migrations/alembic.ini")
config.set_main_option("script_location", "migrations")
with app.app_context():
    command.revision(config, "first", autogenerate=True)
    command.upgrade(config, "head")
    app.extensions["sqlalchemy"].session.execute(
        app.extensions["sqlalchemy"].text("ALTER TABLE soniq_jobs SET (fillfactor = 33)")
    )
    app.extensions["sqlalchemy"].session.commit()
    command.check(config)
"""


def stock_project(folder: Path, template: str) -> Path:
    """Make a project from one of Alembic's own templates, and models; return its env.py."""
    subprocess.run(
        [sys.executable, "-m", "alembic", "init", "-t", template, "alembic_files"],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    (folder / "models.py").write_text(MODELS)
    return folder / "alembic_files" / "env.py"


def flask_project(folder: Path) -> Path:
    """Make a project as Flask-Migrate does, with alembic.ini beside env.py; return env.py."""
    (folder / "app.py").write_text(FLASK_APP)
    migrations = stock_project(folder, "generic").parent.rename(folder / "migrations")
    (folder / "alembic.ini").unlink()
    (migrations / "alembic.ini").write_text("[alembic]\n")
    (migrations / "env.py").write_text(FLASK_ENV)
    return migrations / "env.py"


def env_with(folder: Path, text: str) -> Path:
    """Write a project whose env.py is ``text``; return env.py."""
    env = folder / "migrations" / "env.py"
    env.parent.mkdir()
    env.write_bytes(text.encode())
    return env
