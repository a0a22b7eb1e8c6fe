"""A section of an evaluation: figures for machines, tables for the terminal and the page, and for
the page alone plots and pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Texts, ready to be shown; each of `rows` has as many as `head`."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def network_table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> Table:
    """A table with a column `network`, which goes when there is but one."""
    place = list(head).index("network")
    if len({row[place] for row in rows}) == 1:
        head, *rows = ([*row[:place], *row[place + 1 :]] for row in (head, *rows))
    return Table(caption, head, rows, note)


@dataclass(frozen=True)
class Plot:
    """svg: a whole SVG file."""

    caption: str
    svg: bytes


@dataclass(frozen=True)
class Picture:
    """png: a whole PNG file."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Glance:
    """One of the few figures that stand at the top of the page."""

    figure: str
    network: str
    value: str


@dataclass(frozen=True)
class Section:
    """figures: by candidate. notes: lines to be read after the tables."""

    title: str
    protocol: str
    figures: dict[str, Any]
    tables: Sequence[Table]
    glances: Sequence[Glance] = ()
    notes: Sequence[str] = ()
    plots: Sequence[Plot] = ()
    pictures: Sequence[Picture] = field(default=(), repr=False)


def number(value: float, digits: int = 4) -> str:
    """A figure for reading: `-` for none, `missed` for the infinite error of a face not found."""
    if math.isnan(value):
        return "-"
    return "missed" if math.isinf(value) else f"{value:.{digits}f}"


def text(section: Section) -> str:
    """The section as lines for a terminal."""
    parts = [f"== {section.title} ==", section.protocol]
    parts += [f"\n{_table_text(table)}" for table in section.tables]
    return "\n".join([*parts, *section.notes]) + "\n"


def _table_text(table: Table) -> str:
    widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in (table.head, *table.rows)
    ]
    return "\n".join([f"{table.caption}:", *lines, *([table.note] if table.note else [])])


def plain(value: Any) -> Any:
    """`value` as JSON has it: nan becomes null, and infinity the word `missed`."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "missed"
    return value
