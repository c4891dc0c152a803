from datetime import UTC, date, datetime
from typing import Any

from soniq_sa import SoniqError

from shop import Order, SyncSession, issue_invoice, send_report, soniq


@soniq.job
async def remind(at: datetime, text: str) -> None: ...


def refused(task: Any, *args: Any, **kwargs: Any) -> None:
    try:
        session.enqueue(task, *args, **kwargs)
    except SoniqError as error:
        print(error)


other = SyncSession()
elsewhere = Order(total=10)
other.add(elsewhere)

session = SyncSession()
# region calls
refused(issue_invoice, "order 17")
refused(send_report, customer_id="17", day=date(2026, 11, 20))
refused(send_report, customer=17, day=date(2026, 11, 20))
refused(remind, datetime(2026, 11, 20), "no time zone")  # noqa: DTZ001
refused(remind, datetime.now(UTC), "a zero \0 byte")
refused(issue_invoice, elsewhere)
# endregion
