"""Libraries that only some of the features need: imported when they are used, and named when they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingExtra(ImportError):
    """A feature needs a library that is not installed; the message names the extra that brings it."""


def need(module: str, extra: str) -> Any:
    """Import `module`, which `pip install 'wirebook[extra]'` installs. Raises: MissingExtra."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise           # it is there and lacks something of its own
        raise MissingExtra(f"this needs {module.split('.')[0]}: pip install 'wirebook[{extra}]'") from None
