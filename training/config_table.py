"""From tables of TOML to frozen dataclasses, every key and type checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type, or not allowed; the message names it."""


def apply_override(table: dict[str, Any], override: str) -> None:
    """Set what `key.of.a.table=value` says, in place."""
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(f"--set {override}: expected key=value")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{key}: {parent} is a value, not a table")
    table[leaf] = _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    """A TOML value; anything that is none (a bare word, a path) is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def build(kind: type[T], table: Any, prefix: str = "") -> T:
    """The frozen dataclass `kind` of a table. prefix: of its keys in messages, e.g. `loop.`."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')}: expected a table, got {table!r}")
    hints = get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"{prefix}{unknown[0]}: unknown setting; known: {sorted(hints)}")
    values = {key: _convert(hints[key], value, prefix + key) for key, value in table.items()}
    required = {f.name for f in fields(kind) if _is_required(f)}  # type: ignore[arg-type]
    missing = sorted(required - set(values))
    if missing:
        raise ConfigError(f"{prefix}{missing[0]}: missing")
    try:
        return kind(**values)
    except ConfigError:
        raise
    except ValueError as error:  # the synthesis knows nothing of this module
        raise ConfigError(f"{prefix}{error}") from None


def _is_required(setting: Any) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING


def _convert(hint: Any, value: Any, key: str) -> Any:
    if is_dataclass(hint):
        return build(hint, value, key + ".")  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _convert_tuple(get_args(hint), value, key)
    if hint == Mapping[str, float]:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key}: expected a table, got {value!r}")
        return {name: _convert(float, item, f"{key}.{name}") for name, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{key}: expected {hint.__name__}, got {type(value).__name__} {value!r}")
    return value


def _convert_tuple(hints: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    """A list of TOML for `tuple[float, float]` (so many) or `tuple[str, ...]` (any number)."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key}: expected a list, got {value!r}")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise ConfigError(f"{key}: expected {len(hints)} values, got {value!r}")
    return tuple(
        _convert(hint, item, f"{key}[{i}]")
        for i, (hint, item) in enumerate(zip(hints, value, strict=True))
    )


def require_one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key}: {value!r} is not one of {list(allowed)}")
