import asyncio

# region enqueue
from contextvars import ContextVar

from soniq_sa import JobContext, NewJob, inject

# endregion
from shop import Session, create_tables, engine, soniq

frozen_tasks = {"erase_account"}

# region enqueue
request_id: ContextVar[str] = ContextVar("request_id", default="")


@soniq.before_enqueue
def trace(job: NewJob) -> None:
    job.headers["request-id"] = request_id.get()


@soniq.before_enqueue
def refuse_frozen(job: NewJob) -> None:
    if job.task in frozen_tasks:
        raise PermissionError(f"{job.task} with {dict(job.arguments)} is frozen")


# endregion


@soniq.job(name="send_mail")
async def send_mail(to: str, *, ctx: JobContext = inject()) -> None:
    print(f"mail to {to} for request {ctx.headers['request-id']}")


@soniq.job(name="erase_account")
async def erase_account(user_id: int) -> None:
    print("never")


async def main() -> None:
    await create_tables()
    request_id.set("r7")
    async with Session.begin() as session:
        session.enqueue(send_mail, "ann@example.com")
        try:
            session.enqueue(erase_account, 7)
        except PermissionError as error:
            print(error)
    await soniq.run_worker(run_once=True)
    await engine.dispose()


asyncio.run(main())
