"""The page on retention tells of the defaults, and its statements do what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import MetaData, text

from docs.src.write import ROOT, blocks
from soniq_sa import JobState, Soniq
from soniq_sa.engines import make_sync_engine
from soniq_sa.models import include_tables
from soniq_sa.retention import ENDED
from soniq_sa.settings import Settings

PAGE = ROOT / "docs" / "retention.md"
WORDS = {"a day": 86_400.0, "a week": 604_800.0, "for ever": None}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_the_table_has_the_defaults_of_all_states_in_which_jobs_end() -> None:
    row = re.compile(r"^\| `(\w+)` \| ([\w ]+) \| `SONIQ_SA_(\w+)`", re.MULTILINE)
    rows = row.findall(PAGE.read_text("utf-8"))
    assert [row[0] for row in rows] == list(ENDED)
    for state, words, setting in rows:
        assert setting == f"RETENTION_{state.upper()}"
        assert Settings().retention[JobState(state)] == WORDS[words]


def test_the_statements_change_how_long_jobs_are_kept(database_url: str) -> None:
    metadata = MetaData()
    include_tables(metadata)
    engine = make_sync_engine(database_url)
    Soniq(metadata).create_all(engine)
    (block,) = [block for block in blocks(PAGE) if block.language == "sql"]
    with engine.begin() as connection:
        for state in ("done", "dead"):
            connection.execute(
                text(
                    "INSERT INTO soniq_jobs (id, task, state, finished_at, keep_until) "
                    "VALUES (gen_random_uuid(), 'charge', :state, :at, 'infinity')"
                ),
                {"state": state, "at": LONG_AGO},
            )
        connection.exec_driver_sql(block.text)
        kept = "SELECT keep_until FROM soniq_jobs ORDER BY state"
        (dead,), (done,) = connection.execute(text(f"{kept} -- dead, done")).all()
        now = connection.execute(text("SELECT now()")).scalar_one()
    engine.dispose()
    assert (dead, done) == (now, None)
