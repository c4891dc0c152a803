import asyncio
import logging

from pydantic import SecretStr
from soniq_sa import InvalidArgumentsError, enqueue
from sqlalchemy.orm import Session

from jobs import engine, log_in, open_account, soniq


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.ERROR)
    await soniq.create_all(engine)
    await soniq.enqueue(open_account, "DE02120300000000202051", SecretStr("48151623"))
    await soniq.run_worker(run_once=True, handle_signals=False)
    (letter,) = await soniq.dead_letters.list()
    assert letter.error
    # region letter
    shown = soniq.dead_letters.redacted(letter)
    assert shown.args == {"iban": "[redacted]", "pin": "[redacted]"}
    assert letter.args == {"iban": "DE02120300000000202051", "pin": "48151623"}
    assert letter.error.endswith("ValueError: The bank refuses [redacted] with [redacted].\n")
    # endregion
    await engine.dispose()


asyncio.run(main())

message = ""
# region refused
try:
    enqueue(Session(), log_in, "Ann", api_key="4815-1623")  # type: ignore[arg-type]
except InvalidArgumentsError as error:
    message = str(error)  # ... 'api_key': Input should be a valid integer, got [redacted] (str)
# endregion
assert "'api_key': Input should be a valid integer, got [redacted] (str)" in message
