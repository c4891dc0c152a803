"""What ``@soniq.job(...)`` takes, checked where it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from soniq_sa.deferred import check_model
from soniq_sa.errors import OptionError, UnknownOptionError
from soniq_sa.options import (
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_RETRIES,
    DEFAULT_RETRY_DELAY,
    EnqueueOptions,
    Seconds,
    check_priority,
    check_queue,
    check_retries,
    check_seconds,
    check_task_name,
)
from soniq_sa.retention import RetentionByState, Spans, check_retention
from soniq_sa.retrying import Exceptions, Retrying, RetryPolicy, make_retrying
from soniq_sa.suggestions import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel


class TaskOptions(TypedDict, total=False):
    """Options of a task, given to ``@soniq.job(...)``.

    name: The task name, stored in every job, read at enqueue. Default: the function's module and
        qualified name.
    aliases: Earlier names of the task, under which jobs may still be stored, read at run time.
        Default: none.
    queue: The queue of its jobs, read at enqueue. Default ``"default"``.
    priority: 1 to 1000, lower runs first, read at enqueue. Default 100; see `Priority`.
    retries: How often a failed attempt is repeated, read at enqueue. Default 3.
    retry_delay: Seconds between a failed attempt and the next, read at run time. Default 5. A list
        gives them one by one; its last holds for all further attempts.
    retry_backoff: What each further delay is multiplied with, read at run time. Default 1; with 2,
        the delays are 5, 10, 20, 40 seconds.
    retry_max_delay: The longest delay in seconds, read at run time. None: ten years.
    retry_jitter: 0 to 1, the share of each delay that is left to chance, so that jobs which failed
        together do not come back together. Read at run time. Default 0.
    retry_on: Exceptions that are worth another attempt, a class or a tuple, read at run time; after
        others the job is dead, with the reason ``gave up``. None: all of them.
    give_up_on: Exceptions that are not worth another attempt, read at run time. Default: none.
        `JobTimeoutError` stands for an attempt that took too long.
    retry_policy: A function of the exception and the attempt that returns the seconds until the
        next, or None to give up, in the place of the delays, read at run time; see `RetryPolicy`.
    timeout: Seconds that an attempt may take, read at run time. None: the worker's setting (300 by
        default). 0: no limit.
    expires_in: Seconds after the enqueueing transaction's start from which the job is not begun any
        more; read at enqueue. None: never.
    args_model: A pydantic model that the arguments must satisfy as well, at enqueue and again before the
        handler is called; a job that does not is dead then, with the reason ``invalid arguments``, and
        is not tried again. Its fields are parameters of the handler, by name. It only checks: the
        handler gets the arguments as they were given. Read at enqueue and at run time. Default: none.
    retention: Seconds for which a job is kept that is done or cancelled, with its result, read when it
        ends. 0: a job that is done is deleted by that. None: for ever. A dict has a time for each
        state, dead letters too: ``{"done": 0, "cancelled": 3600, "dead": None}``. Default: the
        settings (a day, a week, and dead letters for ever).
    """

    name: str | None
    aliases: Iterable[str]
    queue: str
    priority: int
    retries: int
    retry_delay: Seconds | Sequence[Seconds]
    retry_backoff: float
    retry_max_delay: Seconds | None
    retry_jitter: float
    retry_on: Exceptions | None
    give_up_on: Exceptions | None
    retry_policy: RetryPolicy | None
    timeout: Seconds | None
    expires_in: Seconds | None
    args_model: type[BaseModel] | None
    retention: Seconds | RetentionByState | None


@dataclass(frozen=True, slots=True)
class CheckedTask:
    """The options of a task, checked."""

    name: str | None
    aliases: tuple[str, ...]
    defaults: EnqueueOptions
    retrying: Retrying
    timeout: float | None
    retention: Spans
    args_model: type[BaseModel] | None


def check_task_options(given: Mapping[str, Any]) -> CheckedTask:
    """Return the options; raise `OptionError` for a value outside its bounds, `UnknownOptionError`."""
    for name in given:
        if name not in _KNOWN:
            raise UnknownOptionError(
                f"@soniq.job has no option {name!r}.{did_you_mean(name, _KNOWN)} "
                f"Known options: {', '.join(_KNOWN)}."
            )
    own_name: Any = given.get("name")
    model: object = given.get("args_model")
    return CheckedTask(
        name=None if own_name is None else check_task_name(own_name),
        aliases=_check_aliases(given.get("aliases", ())),
        defaults=EnqueueOptions(
            queue=check_queue(given.get("queue", DEFAULT_QUEUE)),
            priority=check_priority(given.get("priority", DEFAULT_PRIORITY)),
            max_attempts=check_retries(given.get("retries", DEFAULT_RETRIES)) + 1,
            expires_in=_seconds("expires_in", given),
        ),
        retrying=make_retrying(
            retry_delay=given.get("retry_delay", DEFAULT_RETRY_DELAY),
            retry_backoff=given.get("retry_backoff", 1),
            retry_max_delay=given.get("retry_max_delay"),
            retry_jitter=given.get("retry_jitter", 0),
            retry_on=given.get("retry_on"),
            give_up_on=given.get("give_up_on"),
            retry_policy=given.get("retry_policy"),
        ),
        timeout=_seconds("timeout", given),
        retention=check_retention(given["retention"]) if "retention" in given else {},
        args_model=None if model is None else check_model(model, "The option 'args_model'"),
    )


def _check_aliases(aliases: Any) -> tuple[str, ...]:
    if isinstance(aliases, str):
        raise OptionError(
            f"The option 'aliases' is {aliases!r}. Write a list: aliases=[{aliases!r}]."
        )
    return tuple(map(check_task_name, aliases))


def _seconds(name: str, given: Mapping[str, Any]) -> float | None:
    value = given.get(name)
    return None if value is None else check_seconds(name, value)


_KNOWN = tuple(TaskOptions.__annotations__)
