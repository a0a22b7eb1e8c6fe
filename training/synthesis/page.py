"""The tables of `docs/synthesis.md`: one a room, from the configuration itself."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from training.synthesis.config import DEFAULT, MOTION, PERSON, SOURCES
from training.synthesis.config.skin import PRIORS

_PLACE = re.compile(r"<!-- (knobs \w+|sources|regions) -->\n.*?<!-- end -->", re.DOTALL)


def with_tables(page: str) -> str:
    """The page with what stands between `<!-- knobs camera -->` and `<!-- end -->` made anew.

    Rooms are `camera` and so on, `person`, the person's own (`hair` ...) and `motion`. Raises
    KeyError for one that there is not.
    """

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        if name == "sources":
            body = _sources()
        elif name == "regions":
            body = _regions()
        else:
            body = _table(_room(name.removeprefix("knobs ")))
        return f"<!-- {name} -->\n{body}\n<!-- end -->"

    return _PLACE.sub(fill, page)


def _room(name: str) -> Any:
    rooms = {
        item.name: getattr(config, item.name)
        for config in (DEFAULT, PERSON)
        for item in fields(config)
    }
    return {**rooms, "person": PERSON, "motion": MOTION}[name]


def _table(room: Any) -> str:
    lines = ["| knob | what | default | source |", "| --- | --- | --- | --- |"]
    for item in fields(room):
        if "what" not in item.metadata:
            continue  # a room of its own
        note, value = item.metadata, _value(getattr(room, item.name))
        lines.append(f"| `{item.name}` | {note['what']} | {value} | {note['source']} |")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {weight:g}" for name, weight in value.items())
    if isinstance(value, tuple):
        return f"{value[0]:g} to {value[1]:g}"
    return f"{value:g}"


def _regions() -> str:
    lines = ["| region | mean, K | spread, K | K for each K of air |", "| --- | --- | --- | --- |"]
    lines += [f"| {n} | {p.mean:+g} | {p.spread:g} | {p.ambient:g} |" for n, p in PRIORS.items()]
    return "\n".join(lines)


def _sources() -> str:
    return "\n".join(f"- [{letter}] {text}" for letter, text in SOURCES.items())
