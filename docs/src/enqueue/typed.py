from datetime import date

from shop import Session, send_report


async def report() -> None:
    async with Session.begin() as session:
        session.enqueue(send_report, customer_id="17", day=date(2026, 11, 20))
        session.enqueue(send_report, customer_id=17)
        session.enqueue(send_report.options(dealy=60), 17, date(2026, 11, 20))
