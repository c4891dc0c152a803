"""A process that enqueues until its input ends: one line for each job that is committed.

Run as ``python -m tests.alembic.producer <database URL>``.
"""

from __future__ import annotations

import sys
from itertools import cycle
from select import select as ready

from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from soniq_sa import SoniqSession
from soniq_sa.engines import make_sync_engine
from tests.alembic.load_shop import Job, charge

PAUSE = 0.02


def main() -> None:
    """Enqueue one by one, for later, and many at once, in turn; and read the jobs' model."""
    sessions = sessionmaker(make_sync_engine(sys.argv[1]), class_=SoniqSession)
    for kind in cycle(("one", "later", "many")):
        with sessions.begin() as session:
            session.scalars(select(Job).limit(1)).all()
            if kind == "many":
                handles = session.enqueue_many(charge, [{}, {}])
            else:
                task = charge.options(delay=0.5) if kind == "later" else charge
                handles = [session.enqueue(task)]
        sys.stdout.writelines(f"{handle.id}\n" for handle in handles)
        sys.stdout.flush()
        if ready([sys.stdin], [], [], PAUSE)[0]:
            return


if __name__ == "__main__":
    main()
