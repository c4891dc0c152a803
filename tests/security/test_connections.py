"""The password of a database is in no message, event, log or repr, however the URL is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from soniq_sa import ConfigurationError, NoDatabaseError, Soniq, Worker
from soniq_sa.engines import parse_url, shown_url
from soniq_sa.events import DatabaseLost
from soniq_sa.link import describe
from soniq_sa.masks import without_passwords
from soniq_sa.models import include_tables
from soniq_sa.settings import load_settings
from tests.cli.commands import soniq_sa
from tests.security.leaks import SECRET, everything_of

NOWHERE = f"postgresql://shop:{SECRET}@127.0.0.1:1/shop"
WRONG = [
    f"shop:{SECRET}@db/shop",
    f"postgresql//shop:{SECRET}@db/shop",
    f"postgresql://shop:{SECRET}#{SECRET}@db:x/shop",
    f"postgresql://db:{SECRET}/shop",
    f"mysql://shop:{SECRET}@db/shop",
    f"mysql://db/shop?user=shop&password={SECRET}",
    f"sqlite:///shop.db?token={SECRET}",
    f"host=db user=shop password={SECRET}",
]


@pytest.mark.parametrize("url", WRONG, ids=range(len(WRONG)))
def test_a_url_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(NoDatabaseError) as caught:
        parse_url(url)
    assert SECRET not in everything_of(caught.value)
    assert "postgresql://user:password@host:5432/database" in str(caught.value)


def test_a_url_is_shown_without_passwords() -> None:
    url = f"postgresql+asyncpg://shop:{SECRET}@db/shop?sslpassword={SECRET}&ssl=require"
    shown = shown_url(create_async_engine(url))
    assert shown == "postgresql+asyncpg://shop:***@db/shop?ssl=require"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://shop:s3cret@db/shop now", "at postgresql://shop:***@db/shop now"),
        ("redis+tls://:s3cret@cache:6379", "redis+tls://:***@cache:6379"),
        ("host=db password=s3cret user=shop", "host=db password=*** user=shop"),
        ("host=db password='s3 cret' user=shop", "host=db password=*** user=shop"),
        ("see https://example.org:8080/a?to=b@c.org", "see https://example.org:8080/a?to=b@c.org"),
        ("connect(password=password)", "connect(password=***)"),
        ("at postgresql://shop:s3/cr'et@db/shop now", "at postgresql://shop:***@db/shop now"),
        ("at postgresql://sh#op:s3@cret@db/shop now", "at postgresql://sh#op:***@db/shop now"),
        (
            "jdbc:postgresql://db:5432/shop?password=a@b",
            "jdbc:postgresql://db:5432/shop?password=***",
        ),
        (
            "http://db:80/ and xpostgresql://shop:s3cret@db",
            "http://db:80/ and xpostgresql://shop:***@db",
        ),
        ("host=db password = s3cret user=shop", "host=db password = *** user=shop"),
        (r"password='s3\' cret' user=shop", "password=*** user=shop"),
        ("password='s3 cret", "password=***"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        ("if password == other:", "if password == other:"),
    ],
)
def test_passwords_are_found_in_any_text(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


def test_what_a_driver_says_is_told_without_passwords() -> None:
    error = OSError(f'missing "=" after "x" in postgresql://shop:{SECRET}@db/shop')
    assert SECRET not in describe(error)


def new_soniq(**where: Any) -> Soniq:
    """Return an application."""
    metadata = MetaData()
    include_tables(metadata)
    return Soniq(metadata, **where)


async def test_a_worker_that_finds_no_database_names_it_without_its_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soniq = new_soniq(database_url=NOWHERE)
    seen: list[object] = []
    lost = asyncio.Event()

    @soniq.events.subscribe
    def note(event: object) -> None:
        seen.append(event)
        if isinstance(event, DatabaseLost):
            lost.set()

    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(30):
        await lost.wait()
        worker.stop()
        await running
    assert "shop:***@127.0.0.1" in caplog.text
    assert SECRET not in repr((seen, caplog.text, worker.settings, soniq, soniq.databases))


@pytest.mark.parametrize(
    "wrong", [{"heartbeat": 100.0}, {"concurrency": "many"}, {"retention_done": "long"}]
)
def test_settings_that_cannot_be_are_refused_without_the_url(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setenv("SONIQ_SA_DATABASE_URL", NOWHERE)
    monkeypatch.setenv("SONIQ_SA_LISTEN_URL", NOWHERE)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**wrong)
    assert SECRET not in everything_of(caught.value)
    assert SECRET not in repr(load_settings())
    assert SECRET not in str(load_settings().model_dump())


@pytest.mark.parametrize(
    "command", [["dead-letter", "list"], ["dead-letter", "list", "--database-url", NOWHERE]]
)
@pytest.mark.parametrize("url", [NOWHERE, WRONG[2]])
def test_a_command_without_a_database_says_so_without_the_password(
    tmp_path: Path, command: list[str], url: str
) -> None:
    done = soniq_sa(tmp_path, *command, SONIQ_SA_DATABASE_URL=url)
    assert done.returncode in {2, 5}
    assert "database" in done.stderr or "answer" in done.stderr
    assert SECRET not in done.stdout + done.stderr
