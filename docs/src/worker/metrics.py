import asyncio

from prometheus_client import REGISTRY

# region metrics
from soniq_sa.observability import PrometheusMetrics

from jobs import engine, greet, soniq

PrometheusMetrics(soniq)
# endregion


async def main() -> None:
    await soniq.create_all(engine)
    await soniq.enqueue(greet, "Ann")
    await soniq.run_worker(run_once=True)


asyncio.run(main())
assert REGISTRY.get_sample_value("soniq_sa_jobs_done_total", {"task": "jobs.greet"}) == 1
