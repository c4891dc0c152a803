"""When a failed attempt is repeated: after how many seconds, and after which errors.

    delay(n) = min(retry_delay * retry_backoff ** (n - 1), retry_max_delay)

for the ``n``-th attempt; a list gives the delays one by one, and its last holds for all further ones.
With jitter ``j`` the delay is drawn from ``delay * (1 - j)`` to ``delay``, evenly, so that jobs which
failed together do not come back together.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from soniq_sa.errors import OptionError
from soniq_sa.options import (
    DEFAULT_RETRY_DELAY,
    MAX_SECONDS,
    Seconds,
    check_number,
    check_seconds,
    shown,
)

Exceptions = type[BaseException] | tuple[type[BaseException], ...]


@runtime_checkable
class RetryPolicy(Protocol):
    """Decide on a failed attempt, given the exception itself.

    Example::

        def patient(error: BaseException, attempt: int) -> float | None:
            return error.retry_after if isinstance(error, RateLimited) else 10.0

        @soniq.job(retry_policy=patient)
        async def call_partner() -> None: ...
    """

    def __call__(self, error: BaseException, attempt: int, /) -> float | None:
        """Return the seconds until the next attempt; None gives up. ``attempt`` counts from 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """What a task says about its retries, checked; the worker reads it at run time."""

    delays: tuple[float, ...] = (DEFAULT_RETRY_DELAY,)
    backoff: float = 1.0
    max_delay: float | None = None
    jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] = (BaseException,)
    give_up_on: tuple[type[BaseException], ...] = ()
    policy: RetryPolicy | None = None

    def seconds_after(
        self, error: BaseException, attempt: int, *, asked: bool = False
    ) -> float | None:
        """Return how long to wait after the failed ``attempt``; None gives up.

        asked: The handler itself has asked for another attempt, so the kind of error does not matter.
        """
        if not asked and (
            isinstance(error, self.give_up_on) or not isinstance(error, self.retry_on)
        ):
            return None
        if self.policy is None:
            return self._delay(attempt)
        delay = self.policy(error, attempt)
        return None if delay is None else check_seconds("the RetryPolicy's answer", delay)

    def _delay(self, attempt: int) -> float:
        delay = self.delays[min(attempt, len(self.delays)) - 1]
        if self.backoff != 1.0:
            delay = _grown(delay, self.backoff, attempt - 1)
        delay = min(delay, MAX_SECONDS if self.max_delay is None else self.max_delay)
        return delay * (1 - self.jitter * random.random())  # noqa: S311 - no secret


def make_retrying(
    *,
    retry_delay: Seconds | Sequence[Seconds],
    retry_backoff: float,
    retry_max_delay: Seconds | None,
    retry_jitter: float,
    retry_on: Exceptions | None,
    give_up_on: Exceptions | None,
    retry_policy: RetryPolicy | None,
) -> Retrying:
    """Return the options of ``@soniq.job`` about retries, checked; raise `OptionError`."""
    if retry_policy is not None and not _is_policy(retry_policy):
        raise OptionError(
            f"The option 'retry_policy' is {shown(retry_policy)}. It takes a plain function of the "
            "exception and the attempt that returns seconds, or None to give up."
        )
    return Retrying(
        delays=_check_delays(retry_delay),
        backoff=check_number("retry_backoff", retry_backoff, 1, 100),
        max_delay=(
            None if retry_max_delay is None else check_seconds("retry_max_delay", retry_max_delay)
        ),
        jitter=check_number("retry_jitter", retry_jitter, 0, 1),
        retry_on=(BaseException,) if retry_on is None else _check_types("retry_on", retry_on),
        give_up_on=() if give_up_on is None else _check_types("give_up_on", give_up_on),
        policy=retry_policy,
    )


def _is_policy(policy: Any) -> bool:
    call = policy if inspect.isfunction(policy) else getattr(policy, "__call__", None)  # noqa: B004 - to look at it
    return (
        callable(policy)
        and not isinstance(policy, type)
        and not inspect.iscoroutinefunction(policy)
        and not inspect.iscoroutinefunction(call)
        and _takes_two(policy)
    )


def _takes_two(policy: Any) -> bool:
    try:
        inspect.signature(policy).bind(ValueError(), 1)
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        pass
    return True


def _grown(delay: float, factor: float, times: int) -> float:
    if not delay:
        return delay
    try:
        return delay * factor**times
    except OverflowError:
        return MAX_SECONDS


def _check_delays(value: object) -> tuple[float, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        delays = tuple(check_seconds("retry_delay", one) for one in value)
        if delays:
            return delays
        raise OptionError("The option 'retry_delay' is an empty list. Give it at least one delay.")
    return (check_seconds("retry_delay", value),)


def _check_types(name: str, value: Any) -> tuple[type[BaseException], ...]:
    types = value if isinstance(value, tuple) else (value,)
    for one in types:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise OptionError(
                f"The option {name!r} holds {one!r}. It takes an exception class, or a tuple of them."
            )
    return types
