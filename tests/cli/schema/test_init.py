"""``soniq-sa schema init`` in a folder with Alembic: the plugin goes into the env.py that is there."""

from __future__ import annotations

import difflib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alembic_templates.project import Project
from tests.cli.commands import soniq_sa
from tests.cli.schema.environments import (
    FLASK_MIGRATE,
    PLUGINS,
    env_with,
    flask_project,
    stock_project,
)
from tests.cli.schema.terminal import on_terminal

OK, FAILED, USAGE = 0, 1, 2
GIT = shutil.which("git")
METADATA = ["--metadata", "models:Base.metadata"]


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return an empty folder with a database."""
    found = Project(tmp_path, database_url)
    yield found
    found.engine.dispose()


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return soniq_sa(folder, "schema", "init", *arguments)


def changed(env: Path, *arguments: str) -> str:
    """Let the command change ``env`` in whole, and see that a second run leaves it; return its text."""
    folder = env.parents[1]
    done = init(folder, "--yes", *arguments)
    assert done.returncode == OK, done.stdout + done.stderr
    text = env.read_bytes()
    again = init(folder, "--yes")
    assert again.returncode == OK
    assert "nothing to change" in again.stdout
    assert env.read_bytes() == text
    return text.decode()


def untouched(env: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, which fails without writing anything; return what it printed."""
    before = env.read_bytes()
    done = init(env.parents[1], *arguments)
    assert done.returncode == FAILED, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert env.read_bytes() == before
    assert [path.name for path in env.parent.iterdir() if path.name.startswith(".")] == []
    return done


@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
def test_a_stock_project_compares_with_the_plugin_afterwards(
    project: Project, template: str
) -> None:
    env = stock_project(project.folder, template)
    changed(env, *METADATA)
    ini = project.folder / "alembic.ini"
    driver = "asyncpg" if "async" in template else "psycopg"
    url = project.engine.url.set(drivername=f"postgresql+{driver}")
    text = url.render_as_string(hide_password=False).replace("%", "%%")
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", text))
    goes_up_and_is_compared(project)


def goes_up_and_is_compared(project: Project) -> None:
    """Migrate; then see that Alembic tells what only the plugin looks at."""
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.alembic("check")
    project.alembic("upgrade", "head", "--sql")
    project.execute("ALTER TABLE soniq_jobs SET (fillfactor = 33)")
    assert "fillfactor" in project.refusal("check")


def test_a_project_with_many_databases_gets_the_plugin_for_each(project: Project) -> None:
    env = stock_project(project.folder, "multidb")
    done = init(project.folder, "--yes", *METADATA)
    assert done.returncode == OK
    assert "target_metadata is an empty dictionary (line 38)" in done.stdout
    assert env.read_text().count(PLUGINS) == 2
    env.write_text(
        env.read_text()
        .replace("target_metadata = {}", 'target_metadata = {"engine1": Base.metadata}')
        .replace(
            "from alembic import context\n",
            "from alembic import context\nfrom models import Base\n",
        )
    )
    ini = project.folder / "alembic.ini"
    url = project.engine.url.set(drivername="postgresql+psycopg")
    text = url.render_as_string(hide_password=False).replace("%", "%%")
    ini.write_text(
        ini.read_text()
        .replace("databases = engine1, engine2", "databases = engine1")
        .replace("driver://user:pass@localhost/dbname\n", f"{text}\n", 1)
    )
    goes_up_and_is_compared(project)


def test_a_project_of_flask_migrate_compares_with_the_plugin_afterwards(project: Project) -> None:
    env = flask_project(project.folder)
    text = changed(env)
    assert f"            **conf_args,\n            {PLUGINS},\n        )" in text
    (project.folder / "migrate.py").write_text(FLASK_MIGRATE)
    done = subprocess.run(
        [sys.executable, "migrate.py"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "different storage soniq_jobs: fillfactor" in done.stderr


def test_the_change_of_a_stock_project_is_what_a_person_would_write(tmp_path: Path) -> None:
    env = stock_project(tmp_path, "async")
    before = env.read_text().splitlines()
    changed(env, *METADATA)
    after = env.read_text().splitlines()
    assert [line[2:] for line in difflib.ndiff(before, after) if line.startswith("+ ")] == [
        "from models import Base",
        "target_metadata = Base.metadata",
        f"        {PLUGINS},",
        "    context.configure(",
        "        connection=connection,",
        "        target_metadata=target_metadata,",
        f"        {PLUGINS},",
        "    )",
    ]


def test_without_a_terminal_the_diff_is_printed_and_nothing_is_written(tmp_path: Path) -> None:
    env = stock_project(tmp_path, "generic")
    done = untouched(env)
    assert done.stdout.startswith("--- a/alembic_files/env.py\n+++ b/alembic_files/env.py\n@@ ")
    assert f"\n+        {PLUGINS},\n" in done.stdout
    assert "no terminal to ask on. Write it with --yes." in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.skipif(GIT is None, reason="needs git")
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_diff_is_one_that_git_takes(tmp_path: Path, end: str) -> None:
    env = env_with(tmp_path, f"from alembic import context\n\n\ncontext.configure(){end}")
    document = json.loads(untouched(env, "--json").stdout)
    subprocess.run(
        [str(GIT), "apply", "-"], cwd=tmp_path, input=document["diff"], text=True, check=True
    )
    assert env.read_text().endswith(f"context.configure({PLUGINS}){end}")


@pytest.mark.parametrize("answer", ["y\n", "n\n", "\n", "\x04"], ids=["y", "n", "enter", "Ctrl-D"])
def test_a_person_at_a_terminal_is_asked(tmp_path: Path, answer: str) -> None:
    env = stock_project(tmp_path, "generic")
    before = env.read_text()
    code, seen = on_terminal(tmp_path, answer, "schema", "init")
    assert "Write it? [y/N]" in seen
    assert "\x1b[32m+" in seen
    if answer == "y\n":
        assert (code, env.read_text().count(PLUGINS)) == (OK, 2)
        assert "Wrote alembic_files/env.py." in seen
    else:
        assert (code, env.read_text()) == (FAILED, before)
        assert "Nothing was written." in seen or "Aborted" in seen


def test_a_file_that_changed_during_the_question_is_not_overwritten(tmp_path: Path) -> None:
    env = stock_project(tmp_path, "generic")
    code, seen = on_terminal(
        *(tmp_path, "y\n", "schema", "init"), meanwhile=lambda: env.write_text("theirs = 1\n")
    )
    assert (code, env.read_text()) == (FAILED, "theirs = 1\n")
    assert "env.py has changed meanwhile. Run the command again." in seen


def test_a_terminal_without_colours_gets_none(tmp_path: Path) -> None:
    stock_project(tmp_path, "generic")
    _, seen = on_terminal(tmp_path, "n\n", "schema", "init", NO_COLOR="1")
    assert "\x1b[32m+" not in seen


def test_json_says_what_was_done(tmp_path: Path) -> None:
    env = stock_project(tmp_path, "generic")
    document = json.loads(untouched(env, "--json").stdout)
    assert document["written"] is False
    assert document["file"] == "alembic_files/env.py"
    assert PLUGINS in document["diff"]
    assert "target_metadata is None (line 21)" in document["notes"][0]
    done = init(tmp_path, "--json", "--yes")
    assert (done.returncode, json.loads(done.stdout)["written"]) == (OK, True)
    again = json.loads(init(tmp_path, "--json").stdout)
    assert (again["written"], again["diff"]) == (False, "")


def test_what_the_models_print_stays_out_of_the_document(tmp_path: Path) -> None:
    stock_project(tmp_path, "generic")
    with (tmp_path / "models.py").open("a") as models:
        models.write('print("connecting")\n')
    done = init(tmp_path, "--json", "--yes", *METADATA)
    assert json.loads(done.stdout)["written"] is True


SHAPES = [  # before and after
    ("c.configure(url=url)", f"c.configure(url=url, {PLUGINS})"),
    ("alembic.context.configure()", f"alembic.context.configure({PLUGINS})"),
    ("configure(a, b={\n})", f"configure(a, b={{\n}}, {PLUGINS})"),
    (
        "if 1:\n\tcontext.configure(connection=connection, x=1)",
        f"if 1:\n\tcontext.configure(\n\t\tconnection=connection,\n\t\tx=1,\n\t\t{PLUGINS},\n\t)",
    ),
    (
        "context.configure(url=url,\n                  x=1)  # end",
        f"context.configure(url=url,\n                  x=1,\n                  {PLUGINS})  # end",
    ),
    (
        "context.configure(\n  url=url  # (one),\n  # two\n)",
        f"context.configure(\n  url=url,  # (one),\n  # two\n  {PLUGINS},\n)",
    ),
    ("context.configure(\n  url, **kw\n)", f"context.configure(\n  url, **kw,\n  {PLUGINS},\n)"),
    (
        "ü = 'ä€𝄞'; context.configure(ü, (url))",
        f"ü = 'ä€𝄞'; context.configure(ü, (url), {PLUGINS})",
    ),
    (
        'context.configure(autogenerate_plugins=["alembic.autogenerate.*"])',
        f"context.configure({PLUGINS})",
    ),
    (
        'context.configure(autogenerate_plugins=[\n    "a.*",  # stock\n])',
        'context.configure(autogenerate_plugins=[\n    "a.*",  # stock\n    "soniq_sa",\n])',
    ),
    (
        'context.configure(autogenerate_plugins=("a.*",))',
        'context.configure(autogenerate_plugins=("a.*", "soniq_sa",))',
    ),
    ("context.configure(autogenerate_plugins=None)", f"context.configure({PLUGINS})"),
    ("other.configure(url=url)", "other.configure(url=url)"),
]
IMPORTS = """\
import alembic.context
from alembic import context
from alembic import context as c
from alembic.context import configure
"""


def test_the_rest_of_the_file_stays_as_it_was_written(tmp_path: Path) -> None:
    before, after = (
        "\n\n".join([IMPORTS, *texts]) + "  # last" for texts in zip(*SHAPES, strict=True)
    )
    assert changed(env_with(tmp_path, before)) == after
    compile(after, "env.py", "exec")


HAVE_THE_PLUGIN = [
    f"context.configure({PLUGINS})",
    'context.configure(autogenerate_plugins=["*"])',
    'P = ["alembic.autogenerate.*", "soniq_sa"]\ncontext.configure(autogenerate_plugins=P)',
    'o = {"autogenerate_plugins": ["soniq_sa"]}\ncontext.configure(**o)',
    'o = dict(autogenerate_plugins=["soniq_sa"])\ncontext.configure(**o)',
    'o["autogenerate_plugins"] = ["soniq_sa"]\ncontext.configure(**o)',
]


def test_a_file_that_has_the_plugin_is_left_alone(tmp_path: Path) -> None:
    env = env_with(tmp_path, "\n".join(["from alembic import context", *HAVE_THE_PLUGIN]))
    before = env.read_bytes()
    done = init(tmp_path, "--yes")
    assert (done.returncode, env.read_bytes()) == (OK, before)
    assert done.stdout == "migrations/env.py has the plugin of soniq-sa: nothing to change.\n"


NO_LISTS = """\
from alembic import context
P = ["a.*"]
context.configure(autogenerate_plugins=P)
context.configure(autogenerate_plugins=plugins())
context.configure(autogenerate_plugins=["a.*"] + MORE)
o = {"autogenerate_plugins": ["b.*"]}
context.configure(**o)
"""


def test_a_value_that_is_no_list_is_left_to_a_person(tmp_path: Path) -> None:
    env = env_with(tmp_path, NO_LISTS)
    done = untouched(env, "--yes")
    for said in (
        "line 2: autogenerate_plugins is P (P = ['a.*']): see that it holds",
        "line 4: autogenerate_plugins is plugins(): see that it holds",
        "line 5: autogenerate_plugins is ['a.*'] + MORE: see that it holds",
        "line 6: autogenerate_plugins is ['b.*']: add",
    ):
        assert f'To do by hand: migrations/env.py, {said} "soniq_sa"' in done.stdout
    document = json.loads(untouched(env, "--yes", "--json").stdout)
    assert len(document["by_hand"]) == 4


def test_what_can_be_written_is_written_beside_what_is_left_to_a_person(tmp_path: Path) -> None:
    env = env_with(
        tmp_path,
        "from alembic import context\ncontext.configure(autogenerate_plugins=P)\ncontext.configure()\n",
    )
    done = init(tmp_path, "--yes")
    assert done.returncode == FAILED
    assert f"context.configure({PLUGINS})" in env.read_text()
    assert "To do by hand" in done.stdout
    assert "Wrote migrations/env.py." in done.stdout


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("cookie", "encoding"),
    [("", "utf-8"), ("", "utf-8-sig"), ("# -*- coding: latin-1 -*-\n", "latin-1")],
)
def test_line_ends_encoding_and_mode_stay(
    tmp_path: Path, newline: str, cookie: str, encoding: str
) -> None:
    env = env_with(tmp_path, "")
    text = (
        f"{cookie}from alembic import context\nname = 'Zoë'\ncontext.configure(\n    url=name\n)\n"
    )
    env.write_bytes(text.replace("\n", newline).encode(encoding))
    env.chmod(0o640)
    init(tmp_path, "--yes")
    expected = text.replace("url=name\n", f"url=name,\n    {PLUGINS},\n")
    assert env.read_bytes() == expected.replace("\n", newline).encode(encoding)
    assert env.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    env = env_with(tmp_path, "from alembic import context\ncontext.configure()\n")
    target = env.rename(tmp_path / "shared_env.py")
    env.symlink_to(target)
    assert init(tmp_path, "--yes").returncode == OK
    assert env.is_symlink()
    assert PLUGINS in target.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b"from alembic import context\ncontext.configure(\n",
            "is no valid Python, so nothing was changed",
        ),
        (b"x = 1\x00\n", "is no valid Python, so nothing was changed"),
        (b"name = '\xff'\n", "cannot be read as Python"),
        (b"# coding: klingon\n", "cannot be read as Python"),
        (b"from shared import run\nrun()\n", "has no call of context.configure(...)"),
    ],
)
def test_a_file_that_cannot_be_changed_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    env = env_with(tmp_path, "")
    env.write_bytes(text)
    done = untouched(env, "--yes")
    assert f"migrations/env.py {said}" in done.stderr
    assert done.stdout == ""


def test_the_line_of_a_syntax_error_is_given(tmp_path: Path) -> None:
    env = env_with(tmp_path, "from alembic import context\n\ndef f(:\n")
    assert "(line 3)" in untouched(env).stderr


def test_the_import_of_the_metadata_follows_a_change_of_the_path(tmp_path: Path) -> None:
    env = env_with(
        tmp_path,
        "import sys\nfrom alembic import context\nsys.path.append('src')\ntarget_metadata = None\n"
        "context.configure(target_metadata=target_metadata)\n",
    )
    (tmp_path / "models.py").write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    text = changed(env, "--metadata", "models:metadata")
    assert (
        "sys.path.append('src')\nfrom models import metadata\ntarget_metadata = metadata\n" in text
    )


def test_a_name_that_is_taken_is_not_imported_over(tmp_path: Path) -> None:
    env = env_with(
        tmp_path,
        "from alembic import context\nmetadata = 7\ntarget_metadata = None\n"
        "context.configure(target_metadata=target_metadata)\n",
    )
    (tmp_path / "models.py").write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    text = changed(env, "--metadata", "models:metadata")
    assert "from models import metadata as models_metadata\n" in text
    assert "target_metadata = models_metadata\n" in text


def test_a_metadata_that_is_imported_already_is_used(tmp_path: Path) -> None:
    env = env_with(
        tmp_path,
        "from alembic import context\nfrom models import metadata as ours\n"
        "context.configure(target_metadata=None)\n",
    )
    (tmp_path / "models.py").write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    text = changed(env, "--metadata", "models:metadata")
    assert "target_metadata=ours" in text
    assert text.count("from models") == 1


def test_a_metadata_that_is_set_stays(tmp_path: Path) -> None:
    env = env_with(
        tmp_path, "from alembic import context\ncontext.configure(target_metadata=find())\n"
    )
    (tmp_path / "models.py").write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    done = init(tmp_path, "--yes", "--metadata", "models:metadata")
    assert "target_metadata is find() already" in done.stdout
    assert "target_metadata=find()" in env.read_text()
    assert "models" not in env.read_text()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("modles:Base.metadata", "there is no module 'modles'"),
        ("models:Base.metadat", "Did you mean 'metadata'?"),
        ("models:Base", "which is no MetaData. Write models:Base.metadata."),
    ],
)
def test_a_metadata_that_is_not_there_is_refused(tmp_path: Path, place: str, said: str) -> None:
    env = stock_project(tmp_path, "generic")
    before = env.read_text()
    done = init(tmp_path, "--yes", "--metadata", place)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert said in done.stderr
    assert env.read_text() == before


@pytest.mark.parametrize("schemas", ["", ", include_schemas=True"])
def test_tables_in_a_schema_are_mentioned_where_alembic_would_not_see_them(
    tmp_path: Path, schemas: str
) -> None:
    env_with(
        tmp_path,
        f"from alembic import context\ncontext.configure(target_metadata=None{schemas})\n",
    )
    (tmp_path / "models.py").write_text(
        "from sqlalchemy import MetaData\nfrom soniq_sa.models import include_tables\n"
        'metadata = MetaData(schema="app")\ninclude_tables(metadata)\n'
    )
    done = init(tmp_path, "--yes", "--metadata", "models:metadata")
    assert ("tables in the schema 'app'. Add include_schemas=True" in done.stdout) is not bool(
        schemas
    )
    assert "holds no table of soniq-sa" not in done.stdout


def test_a_metadata_without_the_tables_of_soniq_sa_is_mentioned(tmp_path: Path) -> None:
    env_with(tmp_path, "from alembic import context\ncontext.configure(target_metadata=None)\n")
    (tmp_path / "models.py").write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    done = init(tmp_path, "--yes", "--metadata", "models:metadata")
    assert (
        "models:metadata holds no table of soniq-sa: write include_tables(metadata)" in done.stdout
    )


@pytest.mark.parametrize("way", ["by configuration", "by folder", "by the folder of alembic.ini"])
def test_the_file_is_found_in_every_way(tmp_path: Path, way: str) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    env = stock_project(shop, "generic")
    folder, arguments = {
        "by configuration": (shop, []),
        "by folder": (tmp_path, ["shop/alembic_files"]),
        "by the folder of alembic.ini": (tmp_path, ["shop"]),
    }[way]
    done = init(folder, "--yes", *arguments)
    assert done.returncode == OK, done.stderr
    assert PLUGINS in env.read_text()


def test_the_variable_of_alembic_is_followed(tmp_path: Path) -> None:
    env = stock_project(tmp_path, "generic")
    (tmp_path / "alembic.ini").rename(tmp_path / "other.ini")
    done = soniq_sa(tmp_path, "schema", "init", "--yes", ALEMBIC_CONFIG="other.ini")
    assert done.returncode == OK, done.stderr
    assert PLUGINS in env.read_text()


def test_a_script_location_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/gone\n")
    done = init(tmp_path)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert f"{tmp_path}/gone" in done.stderr
    assert "soniq-sa schema init FOLDER" in done.stderr
