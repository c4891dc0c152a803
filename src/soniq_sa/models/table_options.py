"""What the user chooses for the tables of one metadata, beside their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from soniq_sa.errors import OptionError, UnknownOptionError
from soniq_sa.suggestions import did_you_mean

Notify = Literal["after_commit", "trigger"]
Durability = Literal["durable", "volatile"]
Parameter = bool | int | float

# https://www.postgresql.org/docs/18/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS
_OF_TABLES = frozenset({"fillfactor", "parallel_workers", "toast_tuple_target"})
_OF_VACUUM = frozenset({
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_enabled",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_table_age",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "log_autovacuum_min_duration",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
})  # fmt: skip
_OF_TOAST = {f"toast.{name}" for name in _OF_VACUUM if "analyze" not in name}
_KNOWN = _OF_TABLES | _OF_VACUUM | _OF_TOAST


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How workers hear of new jobs, and how PostgreSQL stores the tables.

    ``storage`` changes the storage parameters of the job table; None leaves one to the server.
    """

    notify: Notify = "after_commit"
    durability: Durability = "durable"
    storage: Mapping[str, Parameter | None] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _check_choice("notify", self.notify, get_args(Notify))
        _check_choice("durability", self.durability, get_args(Durability))
        for name, value in self.storage.items():
            _check_parameter(name, value)
        object.__setattr__(self, "storage", MappingProxyType(dict(self.storage)))


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(f"{name}={value!r}: it takes {' or '.join(map(repr, choices))}.")


def _check_parameter(name: Any, value: Any) -> None:
    if name not in _KNOWN:
        raise UnknownOptionError(
            f"storage={{{name!r}: ...}}: PostgreSQL has no such storage parameter of tables."
            f"{did_you_mean(str(name), _KNOWN)}"
        )
    if value is not None and not isinstance(value, Parameter):
        raise OptionError(
            f"storage={{{name!r}: {value!r}}}: it takes a number, True, False, or None for the "
            "server's own setting."
        )
