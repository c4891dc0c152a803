"""Job arguments to JSON and back, by the handler's signature.

A plain argument is encoded by pydantic, from a ``TypedDict`` made of the annotations. An entity is
encoded as its primary key: the bare value for a key of one column, a list for a composite key. No
key inside the JSON marks a reference; the signature says which arguments are entities.

Everything that PostgreSQL or the worker would refuse later is refused when the job is enqueued:
U+0000, lone surrogates, NaN and infinity, cycles, naive datetimes, nesting deeper than 64 levels,
more than 1 MiB, and values that would come back as something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import (
    Any,
    NotRequired,
    Required,
    TypeGuard,
)

from pydantic import (
    PydanticSchemaGenerationError,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError
from sqlalchemy.orm import Session
from typing_extensions import TypedDict

from soniq_sa.annotations import is_exact, is_secret, stored
from soniq_sa.entities import EntityKey, Reference
from soniq_sa.errors import InvalidArgumentsError, TaskDefinitionError
from soniq_sa.json_text import as_jsonb, dump, storable, storable_text
from soniq_sa.masks import MASK
from soniq_sa.options import JobOptions
from soniq_sa.problems import described, short
from soniq_sa.redaction import DEFAULT_REDACTION, Redaction
from soniq_sa.results import CONFIG, ResultCodec
from soniq_sa.signature import NO_PARAMETERS, EntityParameter, Injection, Parameters, Shape
from soniq_sa.suggestions import did_you_mean


@dataclass(slots=True)
class Encoded:
    """The arguments of one job: as JSON text, and the entities that have no key yet."""

    text: str = field(repr=False)
    references: Sequence[Reference] = ()
    unresolved: Sequence[Unresolved] = ()

    @property
    def values(self) -> dict[str, Any]:
        """Return the arguments as JSON values, new ones each time."""
        values: dict[str, Any] = json.loads(self.text)
        return values

    def check(self, session: Session) -> None:
        """Refuse entities whose rows will not be there when the job in ``session`` is."""
        for reference in self.references:
            reference.check(session)

    def accept_committed(self) -> None:
        """Take entities whose rows are committed; refuse others."""
        for reference in self.references:
            reference.check_committed()
        self.references = ()

    def resolve(self, session: Session) -> None:
        """Put the key of every entity that has one by now, while ``session`` flushes, in its place."""
        values, waiting = self.values, []
        for one in self.unresolved:
            key = one.reference.key_in_flush_of(session)
            if key is None:
                waiting.append(one)
            else:
                one.place(values, key)
        self.unresolved = waiting
        self.text = dump(values)


@dataclass(slots=True)
class Unresolved:
    """A place in the arguments that waits for the primary key of a pending entity."""

    reference: Reference
    name: str
    item: int | str | None

    def place(self, values: dict[str, Any], key: Any) -> None:
        """Write ``key`` into the place."""
        if self.item is None:
            values[self.name] = key
        else:
            values[self.name][self.item] = key


@dataclass(slots=True)
class Found:
    """The entities in the arguments of a call, and those of them that have no key yet."""

    references: list[Reference] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)


class Codec:
    """The arguments of one task. Built once, at the first use of the task."""

    remedy = "Annotate it with a type that JSON can tell apart."
    """What to do about a value that would come back as another."""

    def __init__(self, parameters: Parameters, label: str) -> None:
        """Prepare; raise `TaskDefinitionError` for a parameter that cannot be stored as JSON."""
        self.redaction = DEFAULT_REDACTION
        self.label = label
        self.parameters = parameters
        self._subject = f"{label}(): the arguments"
        self._known = frozenset(parameters.names)
        self._plain = self._adapter(self.parameters.plain)
        self._stored = self._adapter(
            {**self.parameters.plain, **dict.fromkeys(self.parameters.entities, Any)}
        )
        self._keys = {
            name: EntityKey(parameter.entity, label)
            for name, parameter in self.parameters.entities.items()
        }
        self.result = ResultCodec(self.parameters.returns, label)
        self._exact = all(is_exact(kind) for kind in self.parameters.plain.values())

    def redact_by(self, redaction: Redaction) -> Codec:
        """Keep from error messages what ``redaction`` hides; tell it of arguments that are secret."""
        self.redaction = self.result.redaction = redaction
        redaction.add(*(name for name, one in self.parameters.plain.items() if is_secret(one)))
        return self

    @property
    def needs_session(self) -> bool:
        """Tell whether a run needs a session: to load entities, or because the handler asks."""
        return bool(self.parameters.entities) or bool(
            {Injection.ASYNC_SESSION, Injection.SESSION} & set(self.parameters.injected.values())
        )

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Encoded:
        """Check and encode the arguments of a call; raise `InvalidArgumentsError`."""
        arguments = self._bind(args, kwargs)
        if not self._keys:
            return Encoded(self._encode_plain(arguments))
        plain = {name: value for name, value in arguments.items() if name not in self._keys}
        values, found = json.loads(self._encode_plain(plain)), Found()
        for name in arguments.keys() & self._keys.keys():
            values[name] = self._encode_entities(name, arguments[name], found)
        text = storable_text(values, self._subject, InvalidArgumentsError)
        return Encoded(text, found.references, found.unresolved)

    def decode(self, text: str) -> dict[str, Any]:
        """Return the keyword arguments held in ``text``; entities are still their keys."""
        try:
            return dict(self._stored.validate_json(f"[{text}]")[0])
        except ValidationError as error:
            raise self._misfit(error, "The stored arguments", with_values=False) from None

    def entity_key(self, name: str) -> EntityKey:
        """Return how the entities of the argument ``name`` are identified."""
        return self._keys[name]

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        parameters = self.parameters
        if not args and parameters.required <= kwargs.keys() <= self._known:
            return dict(kwargs)
        if len(args) > len(parameters.positional):
            raise InvalidArgumentsError(
                f"{self.label}() takes {len(parameters.positional)} positional arguments, "
                f"{len(args)} were given."
            )
        arguments = dict(zip(parameters.positional, args, strict=False))
        for name, value in kwargs.items():
            if name in arguments:
                raise InvalidArgumentsError(f"{self.label}() got the argument {name!r} twice.")
            if name not in parameters.names:
                raise InvalidArgumentsError(self._unexpected(name))
            arguments[name] = value
        if missing := parameters.required - arguments.keys():
            names = ", ".join(repr(name) for name in parameters.names if name in missing)
            raise InvalidArgumentsError(f"{self.label}() misses the argument {names}.")
        return arguments

    def _unexpected(self, name: str) -> str:
        if name in self.parameters.injected:
            return f"{self.label}(): {name!r} is supplied by the worker. Leave it out."
        hint = did_you_mean(name, self.parameters.names)
        if not hint and name in JobOptions.__annotations__:
            hint = f" It is an option of the job: enqueue(task.options({name}=...), ...)."
        elif not hint and name in {"args", "kwargs"}:
            hint = " Give the arguments themselves: enqueue(task, **arguments)."
        return f"{self.label}() has no argument {name!r}.{hint}"

    def _encode_plain(self, arguments: dict[str, Any]) -> str:
        """Return arguments that are no entities as JSON; what is exact is not read back."""
        serializer = self._plain.serializer
        try:
            checked = self._plain.validator.validate_python((arguments,), strict=True)
            if self._exact:
                written = serializer.to_json(checked, by_alias=True, warnings=False)[1:-1]
                return storable(written, self._subject, InvalidArgumentsError)
            (values,) = serializer.to_python(checked, mode="json", by_alias=True, warnings=False)
        except ValidationError as error:
            raise self._misfit(error, "Arguments") from None
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise InvalidArgumentsError(
                f"{self.label}(): the arguments cannot be written as JSON: {error}."
            ) from error
        self._check_round_trip(checked[0], values)
        return storable_text(dict(values), self._subject, InvalidArgumentsError)

    def _misfit(
        self, error: ValidationError, subject: str, *, with_values: bool = True
    ) -> InvalidArgumentsError:
        """Return what pydantic found, to be raised in its place: its own text shows secrets."""
        redaction = self.redaction
        return InvalidArgumentsError(
            described(error, self.label, subject, redaction=redaction, with_values=with_values)
        )

    def _check_round_trip(self, checked: dict[str, Any], values: dict[str, Any]) -> None:
        try:
            (back,) = self._plain.validate_json(dump([as_jsonb(values)]))
        except ValidationError as error:
            raise self._misfit(error, "Read back from JSON, the arguments") from None
        except ValueError as error:
            raise InvalidArgumentsError(
                f"{self.label}(): the arguments cannot be written as JSON: {error}."
            ) from error
        if any(_naive(one) for one in self._plain.dump_python((checked,), warnings=False)):
            raise InvalidArgumentsError(
                f"{self.label}(): an argument holds a naive datetime. Give it a time zone, for example "
                "datetime.now(UTC)."
            )
        for name, value in checked.items():
            if type(back[name]) is not type(value) or back[name] != value:
                raise InvalidArgumentsError(
                    f"{self.label}(): the argument {name!r} is {self._shown(name, value)} and would "
                    f"reach the handler as {self._shown(name, back[name])}. {self.remedy}"
                )

    def _encode_entities(self, name: str, value: Any, found: Found) -> Any:
        parameter = self.parameters.entities[name]
        if value is None and parameter.optional:
            return None
        if parameter.shape is Shape.ONE:
            return self._refer(parameter, value, None, found)
        if parameter.shape is Shape.LIST and isinstance(value, list | tuple):
            return [self._refer(parameter, v, i, found) for i, v in enumerate(value)]
        if parameter.shape is Shape.DICT and _has_text_keys(value):
            return {k: self._refer(parameter, v, k, found) for k, v in value.items()}
        raise InvalidArgumentsError(
            f"{self.label}(): the argument {name!r} takes a {parameter.shape.value} of "
            f"{parameter.entity.__name__}{' by text' if parameter.shape is Shape.DICT else ''}, "
            f"not {short(value, self.redaction, secret=self.redaction.hides(name))}."
        )

    def _shown(self, name: str, value: object) -> str:
        return MASK if self.redaction.hides(name) else self.redaction.shown(value)

    def _refer(
        self,
        parameter: EntityParameter,
        value: Any,
        item: int | str | None,
        found: Found,
    ) -> Any:
        if value is None and parameter.item_optional:
            return None
        if not isinstance(value, parameter.entity):
            raise InvalidArgumentsError(
                f"{self.label}(): the argument {parameter.name!r} takes an instance of "
                f"{parameter.entity.__name__}, not {type(value).__name__}."
            )
        reference = Reference(value, self._keys[parameter.name])
        found.references.append(reference)
        key = reference.key()
        if key is None:
            found.unresolved.append(Unresolved(reference, parameter.name, item))
        return key

    def _adapter(self, annotations: Mapping[str, Any]) -> TypeAdapter[Any]:
        """Return an adapter for a tuple of one: pydantic writes by the outermost type's settings."""
        required = self.parameters.required
        fields = {
            name: Required[stored(kind)] if name in required else NotRequired[stored(kind)]
            for name, kind in annotations.items()
        }
        arguments = TypedDict("arguments", fields)  # type: ignore[misc] # made from a signature
        try:
            generic: Any = tuple
            return TypeAdapter(generic[with_config(CONFIG)(arguments)], config=CONFIG)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise TaskDefinitionError(
                f"Task {self.label}: an argument cannot be stored as JSON. {error}"
            ) from error


class OpenCodec(Codec):
    """The arguments of a task of which only the name is known: any JSON values, by name."""

    remedy = "Write soniq.ref(name, Model), with a pydantic model that has the types."

    def __init__(self, label: str) -> None:
        super().__init__(NO_PARAMETERS, label)
        generic: Any = tuple
        self._plain = self._stored = TypeAdapter(generic[dict[str, Any]], config=CONFIG)
        self._exact = False

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if args:
            raise InvalidArgumentsError(
                f"{self.label}(): nothing here knows the order of its arguments. Give them by name."
            )
        return dict(kwargs)


def _has_text_keys(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _naive(value: Any) -> bool:
    """Tell whether a datetime without a time zone is in ``value``."""
    if isinstance(value, datetime):
        return value.utcoffset() is None
    if isinstance(value, dict):
        return any(map(_naive, value.values()))
    return isinstance(value, list | tuple | set | frozenset) and any(map(_naive, value))
