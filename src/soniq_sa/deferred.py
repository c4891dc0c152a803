"""What is loaded at the first use, so that ``import soniq_sa`` costs little.

The codec needs pydantic, and the settings need pydantic-settings: together more than all the rest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from soniq_sa.codec import Codec
    from soniq_sa.settings import Settings


def make_codec(
    handler: Callable[..., Any], label: str, scope: Mapping[str, Any], *, is_async: bool
) -> Codec:
    """Return the codec of a handler; see `soniq_sa.codec.Codec`."""
    module = importlib.import_module("soniq_sa.codec")
    return cast("Codec", module.Codec(handler, label, scope, is_async=is_async))


def load_settings(**flags: Any) -> Settings:
    """Return the settings; see `soniq_sa.settings.load_settings`."""
    module = importlib.import_module("soniq_sa.settings")
    return cast("Settings", module.load_settings(**flags))
