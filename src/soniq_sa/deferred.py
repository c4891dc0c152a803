"""What is loaded at the first use, so that ``import soniq_sa`` costs little.

The codec needs pydantic, and the settings need pydantic-settings: together more than all the rest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from soniq_sa.signature import read_parameters

if TYPE_CHECKING:
    from pydantic import BaseModel

    from soniq_sa.codec import Codec
    from soniq_sa.settings import Settings


def make_codec(
    function: Callable[..., Any],
    label: str,
    scope: Mapping[str, Any],
    *,
    is_async: bool,
    model: type[BaseModel] | None = None,
) -> Codec:
    """Return the codec of a handler or a stub; see `soniq_sa.codec.Codec`."""
    parameters = read_parameters(function, label, scope, is_async=is_async)
    if model is not None:
        return cast("Codec", _argument_models().CheckedCodec(parameters, label, model))
    return cast("Codec", _codec().Codec(parameters, label))


def make_model_codec(model: type[BaseModel], label: str) -> Codec:
    """Return the codec of a model; see `soniq_sa.argument_models.ModelCodec`."""
    return cast("Codec", _argument_models().ModelCodec(model, label))


def make_open_codec(label: str) -> Codec:
    """Return the codec of a bare name; see `soniq_sa.codec.OpenCodec`."""
    return cast("Codec", _codec().OpenCodec(label))


def check_model(model: object, asked: str) -> type[BaseModel]:
    """Return ``model`` if it can be one of arguments; see `soniq_sa.argument_models.check_model`."""
    return cast("type[BaseModel]", _argument_models().check_model(model, asked))


def load_settings(**flags: Any) -> Settings:
    """Return the settings; see `soniq_sa.settings.load_settings`."""
    module = importlib.import_module("soniq_sa.settings")
    return cast("Settings", module.load_settings(**flags))


def _codec() -> Any:
    return importlib.import_module("soniq_sa.codec")


def _argument_models() -> Any:
    return importlib.import_module("soniq_sa.argument_models")
