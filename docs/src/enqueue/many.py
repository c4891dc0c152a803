from datetime import date

from shop import SyncSession, create_tables, engine, send_report

create_tables()
today = date(2026, 11, 20)
customer_ids = range(1000)

# region many
with SyncSession.begin() as session:
    rows = [{"customer_id": one, "day": today} for one in customer_ids]
    handles = session.enqueue_many(send_report.options(priority=500), rows)
# endregion

assert len(handles) == 1000
engine.dispose()
