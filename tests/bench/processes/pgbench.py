"""Claim and finish through pgbench, which has no Python: ``... pgbench PROGRAM bare|ours CLIENTS``.

The process becomes pgbench itself. It goes on for ever, as a worker does.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from tests.bench.processes import bare
from tests.bench.processes.our_statements import SETTINGS, Compiled, claim_values
from tests.bench.script import URL

BATCH = bare.BATCH
PLANS = SETTINGS.replace("SET ", "-c ").replace(" = ", "=").replace("; ", " ")
FOR_EVER = "86400"
PAUSE = 100
"""Milliseconds between two looks at an empty queue."""


def main(program: str, kind: str, clients: str) -> None:
    """Write the script, and become pgbench."""
    url = os.environ[URL]
    owner = uuid4()
    claim, finish = (_ours if kind == "ours" else _bare)(owner)
    if kind == "ours":
        _register(url, owner)
    lines = [
        (
            f"WITH claimed AS ({claim}) SELECT coalesce(array_agg(id)::text, '{{}}') AS ids,"  # noqa: S608 - our own
            " count(*) AS found FROM claimed"
        ),
        "\\gset",
        "\\if :found = 0",
        f"\\sleep {PAUSE} ms",
        "\\else",
        f"{finish};",
        "\\endif",
    ]
    file = Path(mkdtemp(prefix="soniq-bench-"), "claim.sql")
    file.write_text("\n".join(" ".join(line.split()) for line in lines) + "\n")
    os.environ["PGOPTIONS"] = PLANS if kind == "ours" else ""
    arguments = ["-n", "-M", "prepared", "-c", clients, "-j", clients, "-T", FOR_EVER, "-f"]
    os.execv(program, [program, *arguments, str(file), url])  # noqa: S606 - no shell


def _bare(owner: UUID) -> tuple[str, str]:
    claim = bare.CLAIM.replace("$1", f"'{owner}'").replace("$2", str(BATCH))
    finish = bare.FINISH.replace("$1", ":ids::bigint[]").replace("$2", f"'{owner}'")
    return claim, finish


def _ours(owner: UUID) -> tuple[str, str]:
    from soniq_sa.statements.claim import claim_jobs
    from soniq_sa.statements.finish import finish_done
    from tests.bench.app import soniq

    claim = Compiled(claim_jobs(soniq.models))
    finish = Compiled(finish_done(soniq.models, soniq.tasks.retention()))
    ended = {"ids": "ids", "claim_number": 1, "owner": owner}
    return (
        _with_literals(claim.text, claim.arguments(**claim_values(owner))),
        _with_literals(finish.text, finish.arguments(**ended)).replace("'ids'", ":ids"),
    )


def _with_literals(text: str, arguments: list[object]) -> str:
    def literal(match: re.Match[str]) -> str:
        value = arguments[int(match[1]) - 1]
        return sql.Literal(list(value) if isinstance(value, tuple) else value).as_string(None)

    return re.sub(r"\$(\d+)", literal, text)


def _register(url: str, owner: UUID) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO soniq_workers (id, name, expires_at) VALUES (%s, 'bench', 'infinity')",
            [owner],
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
