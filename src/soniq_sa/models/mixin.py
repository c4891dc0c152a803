"""How a mixin of soniq-sa becomes a table in the user's metadata.

The columns are set on the class in ``__init_subclass__``, which runs before SQLAlchemy maps it. They
carry no annotation, so that a dataclass base (``MappedAsDataclass``) or pydantic (SQLModel) does not
take them for fields of its own; type checkers read the annotations under ``TYPE_CHECKING``. Indexes
and checks are added once the class is mapped, whatever ``__table_args__`` the user wrote.

    class Job(JobMixin, Base)      the mixin sets the columns, then Base maps them
    class Job(Base, JobMixin)      Base maps first, finds ``id`` of the mixin, which raises
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from sqlalchemy import Table, event
from sqlalchemy.orm import MappedColumn, Mapper, declared_attr

from soniq_sa.errors import MixinOrderError
from soniq_sa.models.creation import complete_creation
from soniq_sa.models.roles import Role, options_of, register
from soniq_sa.models.storage import set_storage


class TableMixin:
    """Stand above the mixins of soniq-sa; not meant for a model itself."""

    soniq_role: ClassVar[Role]
    __tablename__: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if _extends_mapped(cls):
            if "__tablename__" not in cls.__dict__:
                cls.__tablename__ = None  # the mixin's name would be taken for a second table
        else:
            for name, column in cls.soniq_columns().items():
                if name not in cls.__dict__:
                    setattr(cls, name, column)
        super().__init_subclass__(**kwargs)

    @classmethod
    def soniq_columns(cls) -> dict[str, MappedColumn[Any]]:
        """Return new columns, by their attribute names."""
        return {}

    @classmethod
    def soniq_complete(cls, table: Table) -> None:
        """Add the indexes and constraints to ``table``."""


def _extends_mapped(cls: type[Any]) -> bool:
    """Tell whether a base of ``cls`` is mapped already (single-table inheritance)."""
    return any("__mapper__" in base.__dict__ for base in cls.__mro__[1:])


def id_of_wrong_order() -> Any:
    """Return an ``id`` for a mixin that explains itself when SQLAlchemy reads it.

    In the right order the class has an ``id`` of its own, and this one is never read.
    """
    return declared_attr(_WrongOrder())


class _WrongOrder:
    """What SQLAlchemy calls for the column; no function, whose annotations it would read."""

    __name__ = "id"

    def __call__(self, cls: type[Any]) -> Any:
        _refuse_order(cls)


def _refuse_order(cls: type[Any]) -> NoReturn:
    mixin = next(base for base in cls.__mro__ if "soniq_role" in base.__dict__)
    others = [base for base in cls.__bases__ if base is not mixin]
    raise MixinOrderError(
        f"class {cls.__name__}({_names(cls.__bases__)}): the mixin must come first. "
        f"Write: class {cls.__name__}({_names((mixin, *others))})."
    )


def _names(classes: tuple[type[Any], ...]) -> str:
    return ", ".join(cls.__name__ for cls in classes)


@event.listens_for(TableMixin, "after_mapper_constructed", propagate=True)
def _complete_table(mapper: Mapper[Any], cls: type[TableMixin]) -> None:
    table = mapper.local_table
    if mapper.inherits is not None or not isinstance(table, Table):
        return
    cls.soniq_complete(table)
    register(table.metadata, cls.soniq_role, cls)
    options = options_of(table.metadata)
    set_storage(table, cls.soniq_role, options, options)
    complete_creation(table, cls.soniq_role)
