"""A project on Flask-SQLAlchemy whose migrations run through Flask-Migrate."""

from __future__ import annotations

import pytest

from tests.alembic_projects.project import Project

APP = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
migrate = Migrate(app, db)

class Customer(db.Model):
    id = db.Column(db.Integer, primary_key=True)
"""
INCLUDE = """
from soniq_sa.models import include_tables, job_fk

class Report(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    job_id = db.Column(db.Uuid, job_fk())

include_tables(db.metadata, notify="trigger")
"""
BY_OPTION = 'Migrate(app, db, autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"])'


def flask(project: Project, *arguments: str) -> str:
    """Run a command of Flask-Migrate, and return what it prints; fail if it fails."""
    return project.succeed("flask", "db", *arguments)


@pytest.fixture
def old(project: Project) -> Project:
    """Return a project with a table, and one revision."""
    project.environment.pop("PYTHONWARNINGS")  # Flask-Migrate is not ours to keep clean
    project.write("app.py", APP)
    flask(project, "init")
    flask(project, "migrate", "-m", "customers")
    flask(project, "upgrade")
    return project


@pytest.mark.parametrize("by_option", [False, True], ids=["schema init", "Migrate(...)"])
def test_the_plugin_is_used_whichever_way_it_is_given(old: Project, by_option: bool) -> None:  # noqa: FBT001
    before = old.objects()
    old.write("app.py", APP + INCLUDE)
    if by_option:
        old.replace("app.py", "Migrate(app, db)", BY_OPTION)
    else:
        old.succeed("soniq_sa", "schema", "init", "--yes")
    flask(old, "migrate", "-m", "jobs")
    flask(old, "upgrade")
    assert "No new upgrade operations detected" in flask(old, "check")
    assert old.objects() > before | {"public.soniq_jobs", "public.soniq_jobs_wake()"}
    old.execute("ALTER TABLE soniq_jobs SET (fillfactor = 20)")
    flask(old, "migrate", "-m", "mended")
    flask(old, "upgrade")
    assert "No new upgrade operations detected" in flask(old, "check")
    flask(old, "downgrade")
    flask(old, "downgrade")
    assert old.objects() == before


def test_a_second_revision_is_not_made(old: Project) -> None:
    old.write("app.py", APP + INCLUDE)
    old.replace("app.py", "Migrate(app, db)", BY_OPTION)
    flask(old, "migrate", "-m", "jobs")
    flask(old, "upgrade")
    assert "No changes in schema detected" in flask(old, "migrate", "-m", "again")
    assert not list(old.folder.glob("migrations/versions/*_again.py"))
