"""What a handler returns, to JSON and back, by its return annotation.

``None`` is not stored, nor is what the handler asks for its own job (`Snooze` and the like). Without
an annotation, or with ``Any``, the value is kept if it is JSON, and dropped if it is not.
"""

from __future__ import annotations

import inspect
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError

from soniq_sa.annotations import is_exact, stored
from soniq_sa.asks import is_ask
from soniq_sa.errors import InvalidResultError, TaskDefinitionError
from soniq_sa.json_text import as_jsonb, dump, storable_text
from soniq_sa.redaction import DEFAULT_REDACTION

CONFIG = ConfigDict(
    extra="forbid",
    arbitrary_types_allowed=False,
    allow_inf_nan=False,
    hide_input_in_errors=True,
    ser_json_bytes="base64",
    ser_json_inf_nan="constants",  # which are refused afterwards, instead of null in silence
    val_json_bytes="base64",
)
"""How arguments and results are checked and written."""


class ResultCodec:
    """The result of one task."""

    def __init__(self, annotation: Any, label: str) -> None:
        """Prepare; raise `TaskDefinitionError` for a type that cannot be written as JSON."""
        self.redaction = DEFAULT_REDACTION
        self._label = label
        self._known = annotation not in {inspect.Signature.empty, Any}
        self.kind = _without_asks(annotation) if self._known else Any
        self._adapter = _adapter(self.kind, label)
        self._exact = is_exact(self.kind)

    def encode(self, value: Any) -> str | None:
        """Return ``value`` as JSON; None if there is nothing to keep. Raise `InvalidResultError`."""
        if value is None:
            return None
        try:
            return self._encode(value)
        except InvalidResultError:
            if self._known:
                raise
            return None

    def _encode(self, value: Any) -> str:
        try:
            (checked,) = self._adapter.validate_python((value,), strict=True)
            (written,) = self._adapter.dump_python(
                (checked,), mode="json", by_alias=True, warnings=False
            )
        except (ValidationError, PydanticSerializationError, ValueError, RecursionError) as error:
            raise InvalidResultError(
                f"{self._label}() returned {self.redaction.shown(value)}: {error}"
            ) from error
        text = storable_text(written, f"{self._label}(): the results", InvalidResultError)
        if self._known and not self._exact:
            self._check_round_trip(checked, written)
        return text

    def _check_round_trip(self, checked: Any, written: Any) -> None:
        back = self.decode(dump(as_jsonb(written)))
        if type(back) is not type(checked) or back != checked:
            raise InvalidResultError(
                f"{self._label}() returned {self.redaction.shown(checked)}, which would be read back as {self.redaction.shown(back)}. "
                "Annotate it with a type that JSON can tell apart."
            )

    def decode(self, text: str | None) -> Any:
        """Return what a handler returned; raise `InvalidResultError` if it no longer fits."""
        if text is None:
            return None
        try:
            return self._adapter.validate_json(f"[{text}]")[0]
        except ValidationError as error:
            raise InvalidResultError(
                f"The stored result of {self._label}() no longer fits its annotation: {error}"
            ) from error


def _without_asks(annotation: Any) -> Any:
    if is_ask(annotation):
        return NoneType
    if get_origin(annotation) in {Union, UnionType}:
        members = [part for part in get_args(annotation) if not is_ask(part)]
        return Union[tuple(members)] if members else NoneType  # noqa: UP007 - made at run time
    return annotation


def _adapter(kind: Any, label: str) -> TypeAdapter[Any]:
    """Return an adapter for a tuple of one: pydantic writes by the outermost type's settings."""
    try:
        generic: Any = tuple
        return TypeAdapter(generic[stored(kind)], config=CONFIG)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise TaskDefinitionError(
            f"Task {label}: what it returns, {kind!r}, cannot be stored as JSON. Return a key or a "
            f"value instead, or annotate -> None. {error}"
        ) from error
