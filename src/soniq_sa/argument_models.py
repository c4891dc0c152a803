"""Job arguments that a pydantic model describes.

    @soniq.job(args_model=Model)   the model checks what the signature describes: at enqueue, and again
                                   in the worker; what reaches the handler are the arguments as given
    soniq.ref(name, Model)         the model is all that is known: what it makes of the arguments, its
                                   defaults included, is what the job holds

A model is given the arguments under the aliases of its fields, as it expects; jobs hold them under the
names of its fields, as the handler has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel, ValidationError
from pydantic.errors import PydanticUserError

from soniq_sa.codec import Codec, Encoded
from soniq_sa.errors import InvalidArgumentsError, OptionError, TaskDefinitionError
from soniq_sa.options import shown
from soniq_sa.problems import Path, described
from soniq_sa.redaction import DEFAULT_REDACTION, Redaction
from soniq_sa.signature import NO_PARAMETERS, Parameters, mapped, mentions_entity
from soniq_sa.suggestions import did_you_mean


class ArgumentModel:
    """A model, with the names under which it takes the arguments."""

    def __init__(self, model: type[BaseModel], label: str) -> None:
        """Prepare; raise `TaskDefinitionError` for a model that cannot be filled by name."""
        self._model = model
        self._label = label
        try:
            model.model_rebuild()
        except (PydanticUserError, NameError) as error:
            raise TaskDefinitionError(
                f"Task {label}: the model {model.__name__} is not complete: {error}"
            ) from error
        self.fields = model.model_fields
        self._keys = {name: self._key(name) for name in self.fields}
        self._names = {key: name for name, key in self._keys.items()}

    def name_of(self, key: str) -> str:
        """Return the name of the field that is meant by its name, or by its alias."""
        return key if key in self.fields else self._names.get(key, key)

    def made_of(
        self,
        arguments: Mapping[str, Any],
        subject: str,
        redaction: Redaction = DEFAULT_REDACTION,
        *,
        with_values: bool = True,
    ) -> BaseModel:
        """Return the model filled with ``arguments``; raise `InvalidArgumentsError`."""
        data = {self._keys[name]: arguments[name] for name in self._keys if name in arguments}
        try:
            return self._model.model_validate(data, strict=True)
        except ValidationError as error:
            problems = described(
                error,
                self._label,
                subject,
                redaction=redaction,
                path=self._path,
                with_values=with_values,
            )
            raise InvalidArgumentsError(problems) from None

    def _path(self, found: Path) -> Path:
        return (self._names.get(str(found[0]), found[0]), *found[1:]) if found else ()

    def _key(self, name: str) -> str:
        alias = self.fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            alias = next((one for one in alias.choices if isinstance(one, str)), alias)
        if alias is None or self._model.model_config.get("validate_by_alias") is False:
            return name
        if isinstance(alias, AliasPath | AliasChoices):
            raise TaskDefinitionError(
                f"Task {self._label}: the field {name!r} of {self._model.__name__} is found by the path "
                f"{alias!r}. Job arguments have names: give it an alias that is text, or none."
            )
        return alias


class CheckedCodec(Codec):
    """The arguments of a task with ``args_model``."""

    def __init__(self, parameters: Parameters, label: str, model: type[BaseModel]) -> None:
        super().__init__(parameters, label)
        self._model = ArgumentModel(model, label)
        for name in self._model.fields:
            if name not in parameters.plain:
                raise TaskDefinitionError(
                    f"Task {label}: the model {model.__name__} has the field {name!r}, and the handler "
                    f"{_lack(name, parameters)}"
                )

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Encoded:
        """Check and encode the arguments of a call; raise `InvalidArgumentsError`."""
        encoded = super().encode(args, kwargs)
        self._check(super().decode(encoded.text), "Arguments", with_values=True)
        return encoded

    def decode(self, text: str) -> dict[str, Any]:
        """Return the keyword arguments held in ``text``; entities are still their keys."""
        arguments = super().decode(text)
        self._check(arguments, "The stored arguments", with_values=False)
        return arguments

    def _check(self, arguments: dict[str, Any], subject: str, *, with_values: bool) -> None:
        full = {**self.parameters.defaults, **arguments}
        self._model.made_of(full, subject, self.redaction, with_values=with_values)


class ModelCodec(Codec):
    """The arguments of a task of which a model is all that is known."""

    def __init__(self, model: type[BaseModel], label: str) -> None:
        self._model = ArgumentModel(model, label)
        fields = {name: one for name, one in self._model.fields.items() if not one.exclude}
        for name, field in fields.items():
            if mentions_entity(field.annotation):
                raise TaskDefinitionError(
                    f"Task {label}: the field {name!r} of {model.__name__} holds an entity. Write a "
                    "stub with @soniq.stub: its parameters may be entities."
                )
        parameters = replace(
            NO_PARAMETERS,
            names=tuple(fields),
            required=frozenset(name for name, one in fields.items() if one.is_required()),
            plain={name: one.annotation for name, one in fields.items()},
        )
        super().__init__(parameters, label)

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        named = {self._model.name_of(key): value for key, value in kwargs.items()}
        if len(named) < len(kwargs):
            raise InvalidArgumentsError(
                f"{self.label}() got an argument twice, by its name and by its alias."
            )
        made = self._model.made_of(super()._bind(args, named), "Arguments", self.redaction)
        return {name: getattr(made, name) for name in self.parameters.names}


def check_model(model: object, asked: str) -> type[BaseModel]:
    """Return ``model`` if it is a pydantic model with fields; ``asked`` is where it was given."""
    if isinstance(model, type) and issubclass(model, BaseModel) and not _rootlike(model):
        return model
    raise OptionError(
        f"{asked} is {shown(model)}. It takes a pydantic model, the class: its fields are the arguments."
    )


def _rootlike(model: type[BaseModel]) -> bool:
    """Tell whether a model has no fields to fill by name: a single root, or the columns of a table."""
    return issubclass(model, RootModel) or mapped(model)


def _lack(name: str, parameters: Parameters) -> str:
    if name in parameters.entities:
        return "takes an entity by that name. A model sees plain values: leave the field out."
    if name in parameters.injected:
        return "is supplied with it by the worker. Leave the field out."
    return f"has no such parameter.{did_you_mean(name, parameters.plain)}"
