"""The paper's own figures, from `published/table<N>.csv`."""

import csv
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "published"
Row = dict[str, str]


def published(table: int) -> list[Row]:
    """Rows of Table I (1) to V (5), by the names of their columns. Lines with `#` name the source.

    Raises ValueError for a table that there is not.
    """
    path = FOLDER / f"table{table}.csv"
    if not path.is_file():
        raise ValueError(f"the paper has no table {table} of figures")
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def figures(row: Row, names: tuple[str, ...]) -> tuple[float, ...]:
    """The named columns of a row as numbers."""
    return tuple(float(row[name]) for name in names)
