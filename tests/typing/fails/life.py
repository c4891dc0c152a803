"""Wrong options, policies and outcomes are reported where they are written."""

from shop import Order, send_invoice, soniq
from soniq_sa import Discard, Retry, Snooze, SoniqSession


def wrong_options(session: SoniqSession, order: Order) -> None:
    send_invoice.options(unique=True)  # error: Unexpected keyword argument "unique" || No parameter named "unique"
    send_invoice.options(dedup_key="a")  # error: Unexpected keyword argument "dedup_key" || No parameter named "dedup_key"
    send_invoice.options(retries="3")  # error: expected "int" || parameter "retries" of type "int"
    send_invoice.options(timeout="1 min")  # error: expected "float | timedelta" || parameter "timeout" of type
    send_invoice.options(tags=[1])  # error: List item 0 has incompatible type "int" || parameter "tags" of type "Iterable[str]"
    send_invoice.options(headers={"a": 1})  # error: Dict entry 0 has incompatible type || parameter "headers" of type "Mapping[str, str]"
    send_invoice.options(columns=["tenant_id"])  # error: expected "Mapping[str, Any]" || parameter "columns" of type "Mapping[str, Any]"
    session.enqueue(send_invoice, order, tags=["a"])  # error: Unexpected keyword argument "tags" || No parameter named "tags"


@soniq.job(retry_policy=lambda error: 1.0)  # error: No overload variant of "job" || cannot be assigned to parameter
async def one_argument() -> None: ...


async def slow_policy(error: BaseException, attempt: int) -> float:
    return float(attempt) if error else 0.0


@soniq.job(retry_policy=slow_policy)  # error: No overload variant of "job" || cannot be assigned to parameter
async def asked_async() -> None: ...


@soniq.job(retry_on=ValueError())  # error: No overload variant of "job" || cannot be assigned to parameter
async def an_instance() -> None: ...


_ = Snooze()  # error: Missing positional argument "seconds" || Argument missing for parameter "seconds"
_ = Snooze("1 min")  # error: expected "float | timedelta" || parameter "seconds" of type
_ = Retry(reason=7)  # error: expected "str | None" || parameter "reason" of type "str | None"
_ = Discard(7)  # error: expected "str | None" || parameter "reason" of type "str | None"
