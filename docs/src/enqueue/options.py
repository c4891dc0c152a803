from datetime import UTC, datetime, timedelta

from shop import Order, SyncSession, create_tables, engine, issue_invoice

create_tables()

with SyncSession.begin() as session:
    order = Order(total=10)
    session.add(order)
    # region options
    session.enqueue(issue_invoice.options(delay=60), order)
    session.enqueue(issue_invoice.options(delay=timedelta(hours=1), priority=10), order)
    session.enqueue(issue_invoice.options(run_at=datetime(2030, 1, 1, tzinfo=UTC)), order)

    urgent = issue_invoice.options(queue="urgent", priority=1)  # a task like the other
    session.enqueue(urgent, order, copy=True)
    # endregion
engine.dispose()
