"""Loads the ORM instances that a handler takes, in the handler's own session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from soniq_sa.errors import EntityGoneError, InvalidArgumentsError
from soniq_sa.runtime.failure import InvalidJob
from soniq_sa.signature import EntityParameter, Shape

if TYPE_CHECKING:
    from soniq_sa.codec import Codec
    from soniq_sa.entities import EntityKey

_LOCK = {"key_share": True}
"""FOR NO KEY UPDATE: what an UPDATE of the row takes, so that foreign keys to it do not wait."""

_WANTED = {
    Shape.ONE: "the key of one {}",
    Shape.LIST: "a list of keys of {}",
    Shape.DICT: "an object with keys of {} as its values",
}


def load_entities(session: Session, codec: Codec, arguments: dict[str, Any]) -> None:
    """Put instances in the place of the keys in ``arguments``; raise `EntityGoneError`."""
    for name, parameter in codec.parameters.entities.items():
        if name not in arguments:
            continue
        _check_shape(parameter, arguments[name])
        if arguments[name] is not None:
            key = codec.entity_key(name)
            try:
                arguments[name] = _load(session, parameter, key, arguments[name])
            except InvalidArgumentsError as error:
                raise InvalidJob(str(error)) from error


def _check_shape(parameter: EntityParameter, stored: Any) -> None:
    """Refuse what another program, or an earlier release of the handler, has stored otherwise."""
    fits, items = False, []
    match parameter.shape, stored:
        case _, None:
            fits = parameter.optional
        case Shape.ONE, _:
            fits = True
        case Shape.LIST, list():
            fits, items = True, stored
        case Shape.DICT, dict():
            fits, items = True, list(stored.values())
        case _:
            pass
    if not fits or (None in items and not parameter.item_optional):
        raise InvalidJob(
            f"The stored argument {parameter.name!r} is {stored!r}, which is not "
            f"{_WANTED[parameter.shape].format(parameter.entity.__name__)}."
        )


def _load(session: Session, parameter: EntityParameter, key: EntityKey, stored: Any) -> Any:
    match parameter.shape:
        case Shape.ONE:
            return _load_one(session, parameter, key.decode(stored))
        case Shape.LIST:
            return _load_many(session, parameter, key, stored)
        case Shape.DICT:
            loaded = _load_many(session, parameter, key, list(stored.values()))
            return dict(zip(stored, loaded, strict=True))


def _load_many(
    session: Session, parameter: EntityParameter, key: EntityKey, stored: Sequence[Any]
) -> list[Any]:
    """Load with one statement, in the order of the keys, so that all jobs lock rows in one order."""
    identities = [None if one is None else key.decode(one) for one in stored]
    columns = key.mapper.primary_key
    wanted = [identity for identity in identities if identity is not None]
    statement = select(parameter.entity).where(tuple_(*columns).in_(wanted)).order_by(*columns)
    if parameter.locked:
        statement = statement.with_for_update(key_share=True)
    entities = session.scalars(statement).unique().all() if wanted else ()
    found = {inspect(entity).identity: entity for entity in entities}
    return [
        None if identity is None else _present(parameter, identity, found.get(identity))
        for identity in identities
    ]


def _load_one(session: Session, parameter: EntityParameter, identity: tuple[Any, ...]) -> Any:
    lock = _LOCK if parameter.locked else None
    entity = session.get(parameter.entity, identity, with_for_update=lock)
    return _present(parameter, identity, entity)


def _present(parameter: EntityParameter, identity: tuple[Any, ...], entity: Any) -> Any:
    if entity is None and not parameter.item_optional:
        raise EntityGoneError(
            f"The argument {parameter.name!r} is the {parameter.entity.__name__} {identity}, "
            "which is not in the database."
        )
    return entity
