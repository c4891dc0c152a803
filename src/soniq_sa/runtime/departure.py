"""Gives back what a worker holds, when its event loop cannot.

A job whose row is locked, perhaps by the very handler that blocks the loop, is left to the rescue: to
wait for it could take longer than the process has.
"""

from __future__ import annotations

from uuid import UUID

from soniq_sa.link import Link
from soniq_sa.models.channel import channel_of, wake_payload
from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.finish import release_jobs
from soniq_sa.statements.upkeep import owned_jobs


class Departure:
    """Releases all jobs that the table gives to a worker."""

    def __init__(self, models: Models, retention: Retention) -> None:
        self._channel = channel_of(models.jobs)
        self._owned = owned_jobs(models, unlocked=True)
        self._release = release_jobs(models, retention)

    async def give_back(self, link: Link, worker_id: UUID) -> int:
        """Put the jobs back into their queues, wake other workers, and return how many jobs it was.

        Fenced as every release: what another worker has by now is not touched. Raises as `Link.execute`.
        """
        owned = await link.execute(self._owned, {"owner": worker_id})
        if not owned:
            return 0
        fences = {"ids": [row.id for row in owned], "claim_numbers": [row.claims for row in owned]}
        released = await link.execute(self._release, {"owner": worker_id, **fences})
        payload = wake_payload({row.queue for row in released})
        await link.execute(notify(self._channel, payload))
        return len(released)
