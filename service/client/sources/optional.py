"""Libraries that only some sources need: imported when such a source is opened."""

import importlib
from typing import Any

from service.client.frames import SourceError


def load(module: str, package: str, purpose: str) -> Any:
    """The module; SourceError with what to install where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(
            f"{purpose} need the library {package}: pip install 'thermal-landmarks[cameras]'"
        ) from error
