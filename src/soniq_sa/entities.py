"""ORM instances as job arguments: what identifies them, and when.

A reference is good if the row will be there whenever the job's row is:

    persistent in this session, or detached    its identity is the key, read without any I/O
    pending, or not added yet                   the key is known after the flush that inserts it
    deleted, or in another session              refused: the row goes, or is not committed

Keys are read from the instance's identity, never from its attributes: reading an expired attribute
is I/O, and an instance that a savepoint rolled back keeps the id of a row that is not there.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import InstanceState, Mapper, Session
from sqlalchemy.orm.base import NO_VALUE

from soniq_sa.errors import EntityReferenceError, InvalidArgumentsError, TaskDefinitionError

_CONFIG = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class EntityKey:
    """The primary key of a mapped class, to JSON and back."""

    def __init__(self, entity: type[Any], label: str) -> None:
        self.entity = entity
        self.mapper: Mapper[Any] = inspect(entity)
        self._columns = [
            _column_adapter(column, entity, label) for column in self.mapper.primary_key
        ]

    def encode(self, identity: tuple[Any, ...]) -> Any:
        """Return ``identity`` as JSON: the value of a single column, a list for several."""
        try:
            values = [
                adapter.dump_python(value, mode="json")
                for adapter, value in zip(self._columns, identity, strict=True)
            ]
        except PydanticSerializationError as error:
            raise EntityReferenceError(
                f"The primary key {identity!r} of {self.entity.__name__} cannot be written as JSON: "
                f"{error}."
            ) from error
        return values[0] if len(values) == 1 else values

    def decode(self, stored: Any) -> tuple[Any, ...]:
        """Return the identity that ``stored`` stands for; raise `InvalidArgumentsError`."""
        values = [stored] if len(self._columns) == 1 else stored
        if not isinstance(values, list) or len(values) != len(self._columns):
            raise InvalidArgumentsError(
                f"The stored key {stored!r} does not fit the primary key of {self.entity.__name__}."
            )
        try:
            return tuple(
                adapter.validate_json(json.dumps(value))
                for adapter, value in zip(self._columns, values, strict=True)
            )
        except ValidationError as error:
            raise InvalidArgumentsError(
                f"The stored key {stored!r} does not fit the primary key of {self.entity.__name__}."
            ) from error


def _column_adapter(column: Any, entity: type[Any], label: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(column.type.python_type, config=_CONFIG)
    except (NotImplementedError, PydanticSchemaGenerationError) as error:
        raise TaskDefinitionError(
            f"Task {label}: the primary key column {column} of {entity.__name__} has the type "
            f"{column.type!r}, which cannot be written as JSON. Pass a key of your own instead."
        ) from error


class Reference:
    """One ORM instance inside the arguments of a job."""

    __slots__ = ("_instance", "_key", "_state")

    def __init__(self, instance: Any, key: EntityKey) -> None:
        self._instance = instance
        self._state: InstanceState[Any] = inspect(instance)
        self._key = key

    def key(self) -> Any:
        """Return the encoded primary key of a row that is there; None while it is not inserted."""
        identity = self._state.identity
        return None if identity is None else self._key.encode(identity)

    def key_in_flush_of(self, session: Session) -> Any:
        """Return the key while ``session`` flushes: a pending row has no identity until the end."""
        if not self.awaits_flush_of(session):
            return self.key()
        values = self._key.mapper.primary_key_from_instance(self._instance)
        unknown = any(value is None or value is NO_VALUE for value in values)
        return None if unknown else self._key.encode(tuple(values))

    def awaits_flush_of(self, session: Session) -> bool:
        """Tell whether the next flush of ``session`` will insert the row."""
        return self._state.pending and self._state.session is session

    def check(self, session: Session) -> None:
        """Refuse an instance whose row will not be there when the job in ``session`` is."""
        owner = self._state.session
        if owner is not None and owner is not session:
            raise EntityReferenceError(
                f"{self} belongs to another session, whose transaction may not be committed. Enqueue "
                "the job in that session, or after that session is closed."
            )
        if self._state.deleted or self._state.was_deleted or self._instance in session.deleted:
            raise EntityReferenceError(
                f"{self} is deleted in this session. Pass the values that the job needs instead."
            )

    def check_committed(self) -> None:
        """Refuse an instance whose row may not be committed: the job has a transaction of its own."""
        if self._state.identity is None:
            raise EntityReferenceError(
                f"{self} is not in the database. Enqueue the job in the session that adds it: "
                "session.enqueue(...)."
            )
        owner = self._state.session
        if owner is not None and owner.in_transaction():
            raise EntityReferenceError(
                f"{self} belongs to a session with an open transaction, which the job would not be "
                "part of. Use session.enqueue(...) there, or enqueue after its commit."
            )

    def __str__(self) -> str:
        name = type(self._instance).__name__
        identity = self._state.identity
        return f"The {name} {identity}" if identity else f"A new {name}"
