"""Options, exit codes and messages of ``soniq-sa worker``."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import text

from soniq_sa.engines import make_sync_engine
from tests.cli.commands import soniq_sa
from tests.process.shop import Base

OK, USAGE, SCHEMA = 0, 2, 4
APP = ["--app", "shop.jobs:soniq"]


def test_the_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (OK, f"soniq-sa {version('soniq-sa')}\n")


def test_the_help_names_the_commands_and_the_options(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "--help")
    assert done.returncode == OK
    assert re.search(r"^\s*worker\b", done.stdout, re.MULTILINE)
    done = soniq_sa(tmp_path, "worker", "--help")
    assert done.returncode == OK
    for option in ("--app", "--queues", "--concurrency", "--run-once", "--log-level"):
        assert option in done.stdout
    for variable in ("SONIQ_SA_APP", "SONIQ_SA_QUEUES", "SONIQ_SA_CONCURRENCY"):
        assert variable in done.stdout


@pytest.mark.parametrize("group", [(), ("schema",), ("dead-letter",)])
def test_the_help_says_of_each_command_a_whole_sentence(
    tmp_path: Path, group: tuple[str, ...]
) -> None:
    _, _, commands = soniq_sa(tmp_path, *group, "--help").stdout.partition("Commands:\n")
    assert commands
    said = re.split(r"\n  (?=\w)", commands.rstrip())
    assert all(re.search(r"[^.]\.$|: nothing\.$", one) for one in said), said


@pytest.mark.parametrize("way", ["option", "environment"])
def test_an_address_for_metrics_without_a_port_is_refused(folder: Path, way: str) -> None:
    arguments = ["--metrics-host", "0.0.0.0"] if way == "option" else []  # noqa: S104 - nothing listens
    environment = {} if arguments else {"SONIQ_SA_METRICS_HOST": "0.0.0.0"}  # noqa: S104
    done = soniq_sa(folder, "worker", *APP, *arguments, **environment)
    assert done.returncode == USAGE
    assert "give --metrics-port" in done.stderr


def test_missing_tables_exit_with_4_and_name_the_command(folder: Path, database_url: str) -> None:
    done = soniq_sa(folder, "worker", *APP, "--run-once", SONIQ_SA_DATABASE_URL=database_url)
    assert done.returncode == SCHEMA
    for part in ("soniq_jobs", "soniq_workers", "alembic upgrade head", "soniq-sa schema create"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_an_outdated_table_exits_with_4_and_names_the_column(
    folder: Path, database_url: str
) -> None:
    create_tables(database_url, "ALTER TABLE soniq_jobs DROP COLUMN claims")
    done = soniq_sa(folder, "worker", *APP, "--run-once", SONIQ_SA_DATABASE_URL=database_url)
    assert done.returncode == SCHEMA
    assert "soniq_jobs.claims" in done.stderr


def create_tables(url: str, *statements: str) -> None:
    """Create the tables, and execute statements."""
    engine = make_sync_engine(url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_run_once_without_jobs_exits_with_0_and_logs_to_stderr(
    folder: Path, database_url: str
) -> None:
    create_tables(database_url)
    url = database_url.replace("postgres@", "postgres:secret@")
    done = soniq_sa(folder, "worker", *APP, "--run-once", SONIQ_SA_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (OK, "")
    assert " started: " in done.stderr
    assert "queues: all" in done.stderr
    assert "1 task" in done.stderr
    assert "secret" not in done.stderr


def test_the_log_level_holds(folder: Path, database_url: str) -> None:
    create_tables(database_url)
    done = soniq_sa(
        folder,
        *("worker", *APP, "--run-once", "--log-level", "WARNING"),
        SONIQ_SA_DATABASE_URL=database_url,
    )
    assert (done.returncode, done.stderr) == (OK, "")


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_near_miss_of_a_queue_gets_a_suggestion(folder: Path, way: str) -> None:
    arguments = ["--queues", "default,biling"] if way == "argument" else []
    environment = {} if arguments else {"SONIQ_SA_QUEUES": "default,biling"}
    done = soniq_sa(folder, "worker", *APP, *arguments, **environment)
    assert done.returncode == USAGE
    assert "'biling'" in done.stderr
    assert "Did you mean 'billing'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--concurrency", "many"], "concurrency"),
        (["--concurrency", "0"], "concurrency"),
        (["--concurrency", "-5"], "concurrency"),
        (["--drain-timeout", "-1"], "drain-timeout"),
        (["--drain-timeout", "soon"], "drain-timeout"),
        (["--log-level", "loud"], "log-level"),
        (["--loop", "trio"], "loop"),
        (["--processes", "0"], "processes"),
        (["--processes", "-1"], "processes"),
        (["--processes", "many"], "processes"),
        (["--queue", "billing"], "--queues"),
        (["--no-such-option"], "--no-such-option"),
        (["superfluous"], "superfluous"),
    ],
)
def test_a_bad_option_is_named(folder: Path, arguments: list[str], part: str) -> None:
    done = soniq_sa(folder, "worker", *APP, *arguments)
    assert done.returncode == USAGE, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SONIQ_SA_CONCURRENCY", "many"),
        ("SONIQ_SA_LEASE", "0.5"),
        ("SONIQ_SA_LEASE", "nan"),
        ("SONIQ_SA_HEARTBEAT", "99"),
        ("SONIQ_SA_POLL_INTERVAL", "0"),
        ("SONIQ_SA_RESCUE_INTERVAL", "-1"),
        ("SONIQ_SA_JOB_TIMEOUT", "-1"),
        ("SONIQ_SA_LOOP", "trio"),
        ("SONIQ_SA_PROCESSES", "0"),
    ],
)
def test_a_bad_setting_is_named_with_its_bounds(folder: Path, name: str, value: str) -> None:
    done = soniq_sa(folder, "worker", *APP, **{name: value})
    assert done.returncode == USAGE, done.stderr
    assert name.removeprefix("SONIQ_SA_").lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["mysql://root@localhost/shop", "not a url", "postgresql//x"])
def test_a_wrong_database_url_is_refused_without_its_password(folder: Path, url: str) -> None:
    done = soniq_sa(folder, "worker", *APP, SONIQ_SA_DATABASE_URL=url)
    assert done.returncode == USAGE
    assert "postgresql://user:password@host:5432/database" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_setting_in_pyproject_is_named(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.soniq-sa]\nconcurency = 5\n")
    done = soniq_sa(folder, "worker", *APP)
    assert done.returncode == USAGE
    assert "concurency" in done.stderr
    assert "Did you mean 'concurrency'?" in done.stderr


INSERT = (
    "INSERT INTO soniq_jobs (id, task, queue, args) "
    "VALUES (gen_random_uuid(), 'shop.jobs.send_invoice', 'billing', '{\"number\"\\: 1}')"
)


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ((), "1 day, 0:00:00"),
        (("--retention-done", "60"), "0:01:00"),
        (("--retention-done", "none"), "None"),
        (("--retention-done", "0"), "gone"),
    ],
    ids=str,
)
def test_the_retention_is_a_flag(
    folder: Path, database_url: str, flags: tuple[str, ...], kept: str
) -> None:
    create_tables(database_url, INSERT)
    done = soniq_sa(
        folder, "worker", *APP, "--run-once", *flags, SONIQ_SA_DATABASE_URL=database_url
    )
    assert done.returncode == OK, done.stderr
    engine = make_sync_engine(database_url)
    with engine.connect() as connection:
        ends = "date_trunc('minute', keep_until - finished_at + interval '1 s')"
        rows = connection.execute(text(f"SELECT {ends} FROM soniq_jobs")).all()  # noqa: S608
    engine.dispose()
    assert [str(row[0]) for row in rows] == ([] if kept == "gone" else [kept])


def test_a_retention_that_cannot_be_exits_with_2_and_names_the_flag(folder: Path) -> None:
    done = soniq_sa(folder, "worker", *APP, "--retention-dead", "soon")
    assert done.returncode == USAGE
    assert "--retention-dead" in done.stderr
    assert "seconds, or none for ever, not 'soon'" in done.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_loop_is_a_flag_and_the_start_line_tells_it(
    folder: Path, database_url: str, loop: str
) -> None:
    create_tables(database_url)
    done = soniq_sa(
        folder, "worker", *APP, "--run-once", "--loop", loop, SONIQ_SA_DATABASE_URL=database_url
    )
    assert done.returncode == OK, done.stderr
    assert f", loop: {loop}, " in done.stderr


@pytest.mark.parametrize("installed", [True, False])
def test_uvloop_is_taken_where_it_is_installed(
    folder: Path, database_url: str, *, installed: bool
) -> None:
    create_tables(database_url)
    if not installed:
        hide_uvloop(folder)
    done = soniq_sa(folder, "worker", *APP, "--run-once", SONIQ_SA_DATABASE_URL=database_url)
    assert done.returncode == OK, done.stderr
    assert f", loop: {'uvloop' if installed else 'asyncio'}, " in done.stderr


def test_uvloop_that_is_asked_for_and_not_installed_exits_with_2_and_says_how_to_get_it(
    folder: Path,
) -> None:
    hide_uvloop(folder)
    done = soniq_sa(folder, "worker", *APP, SONIQ_SA_LOOP="uvloop")
    assert done.returncode == USAGE
    assert "pip install 'soniq-sa[uvloop]'" in done.stderr
    assert "Traceback" not in done.stderr


def hide_uvloop(folder: Path) -> None:
    """Have its import fail in that working directory, as if it were not installed."""
    (folder / "uvloop.py").write_text("raise ImportError(\"No module named 'uvloop'\")\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--queues", "biling"], USAGE), (["--concurrency", "0"], USAGE), ([], SCHEMA)],
    ids=["queue", "option", "tables"],
)
def test_what_keeps_several_processes_from_starting_is_said_once(
    folder: Path, database_url: str, arguments: list[str], code: int
) -> None:
    done = soniq_sa(
        folder,
        *("worker", *APP, "--processes", "3", *arguments),
        SONIQ_SA_DATABASE_URL=database_url,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("error: ") == 1
    assert "takes its place" not in done.stderr


def test_several_processes_get_the_options_of_the_command(folder: Path, database_url: str) -> None:
    create_tables(database_url)
    options = ["--queues", "billing", "--concurrency", "3", "--loop", "asyncio"]
    options += ["--drain-timeout", "0", "--log-level", "DEBUG"]
    done = soniq_sa(
        folder,
        *("worker", *APP, "--run-once", *options),
        SONIQ_SA_DATABASE_URL=database_url,
        SONIQ_SA_PROCESSES="2",
    )
    assert done.returncode == OK, done.stderr
    line = r"soniq_sa\[(\d+)\]: worker \S+ started: .* queues: billing, .* concurrency 3, loop: asyncio,"
    assert len(set(re.findall(line, done.stderr))) == 2, done.stderr
