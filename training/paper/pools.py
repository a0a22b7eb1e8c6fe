"""The two pools of a study: persons to train on, and others to measure on; rendered once, kept."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from training.synthesis.pool import Pool, PoolMissing

PERSONS: Final = "persons"
HELD_OUT: Final = "held-out"
SEEDS: Final = {PERSONS: 101, HELD_OUT: 102}  # of two seeds, nobody is the same


def ensure_pool(
    folder: Path, persons: int, which: str, head: Path | None, workers: int,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Portraits in heat and colour, at least `persons`. which: a key of `SEEDS`.

    Raises PoolMissing where some must be rendered and no head model is given, or it fails.
    """
    try:
        if len(Pool(folder, "portrait", "all", rgb=True)) >= persons:
            return
    except PoolMissing:
        pass  # to be rendered
    if head is None:
        raise PoolMissing(f"{folder}: fewer than {persons} persons; to render them, give --head")
    say(f"rendering {persons} persons into {folder}")
    command = [sys.executable, "-m", "training.synthesis", "pool", "--rgb", "--kind", "portrait",
               "--head", str(head), "--out", str(folder), "--persons", str(persons),
               "--seed", str(SEEDS[which]), "--workers", str(workers)]  # fmt: skip
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        raise PoolMissing(f"{folder}: the persons could not be rendered; see above")
