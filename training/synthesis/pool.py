"""A pool of rendered persons on disk: written once, memory-mapped by every training.

One shard is a folder of plain arrays: `temperature.npy` uint16 [n, H, W] (0 = nobody there, else
(celsius + 60) * 200), `landmarks.npy` float32 [n, 68, 2] and `facts.npy` float32 [n, 10], a
`PersonFacts` a row. Pools in colour also have `rgb.npy` uint8 [n, H, W, 3] (`rgb.encode_colour`).
`made_by.json` says of what: head model, knobs, source. A pool grows by the same head and knobs.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from training.revision import source_revision
from training.synthesis.config import PERSON
from training.synthesis.config.person import PersonConfig
from training.synthesis.facts import COLUMNS, PersonFacts
from training.synthesis.head import load_head, procedural_head
from training.synthesis.person import FIGURE, PORTRAIT, Person, render_person
from training.synthesis.thermal import Anatomy

PLANS = {"portrait": PORTRAIT, "figure": FIGURE}
AWAY = {"portrait": 0.0, "figure": 0.12}  # chance of a person seen from behind
SHARD = 500  # persons
VALIDATION_SHARE = 0.04  # of the persons
OFFSET, STEPS = 60.0, 200.0  # coding of degrees Celsius in 16 bits: 0.005 K steps from -60
MADE_BY = "made_by.json"


class PoolMissing(RuntimeError):
    """No rendered persons where the configuration says."""


class OtherPersons(RuntimeError):
    """The pool holds persons of another head model or other knobs."""


def encode(person: Person) -> NDArray[np.uint16]:
    coded = np.clip((person.temperature + OFFSET) * STEPS + 0.5, 1, 65535)
    return np.where(person.cover, coded, 0).astype(np.uint16)


@dataclass(frozen=True)
class Layer:
    """temperature float32 [H, W] Celsius; cover float32 [H, W] 0 or 1; landmarks [68, 2] pixels;
    rgb uint8 [H, W, 3], coded (`rgb.decode_colour`), of pools in colour."""

    temperature: FloatArray
    cover: FloatArray
    landmarks: FloatArray
    facts: PersonFacts
    rgb: ByteArray | None = None

    @property
    def box(self) -> FloatArray:
        """x1, y1, x2, y2 of the landmarks."""
        low, high = self.landmarks.min(axis=0), self.landmarks.max(axis=0)
        return np.concatenate([low, high])

    @property
    def face_size(self) -> float:
        x1, y1, x2, y2 = self.box
        return float(np.sqrt((x2 - x1) * (y2 - y1)))


@dataclass(frozen=True)
class PersonFilter:
    """Who is left out, for ablations: heads turned further than `max_abs_yaw` degrees, and
    persons with any of the facts named in `exclude` (`glasses`, `mask` ...)."""

    max_abs_yaw: float = 180.0
    exclude: tuple[str, ...] = ()

    def keeps(self, facts: FloatArray) -> NDArray[np.bool_]:
        """facts [N, 10] (`PersonFacts.as_row`) to [N]."""
        yaw = np.abs((facts[:, 0] + 180.0) % 360.0 - 180.0)  # from behind is 180, not 0
        columns = [COLUMNS.index(name) for name in self.exclude]
        if max(columns, default=0) >= facts.shape[1]:
            raise PoolMissing(f"the pool does not say who wears {self.exclude}: render it again")
        worn = facts[:, columns]
        return (yaw <= self.max_abs_yaw) & ~worn.any(axis=1)


class Pool:
    """The persons of one kind (`portrait` or `figure`) under a folder, by index.

    split: `train`, `val` (the last `VALIDATION_SHARE`, other people) or `all`. rgb: layers have
    their colours. Raises PoolMissing where there is nobody, or no colour.
    """

    def __init__(
        self,
        folder: str | Path,
        kind: str,
        split: str = "all",
        persons: PersonFilter | None = None,
        rgb: bool = False,
    ) -> None:
        shards = sorted(Path(folder).glob(f"{kind}-*"))
        if not shards:
            raise PoolMissing(
                f"no {kind} persons under {folder}; render some with `python -m "
                f"training.synthesis pool --head HEAD.npz --out {folder} --kind {kind}`"
            )
        self._temperature = [np.load(s / "temperature.npy", mmap_mode="r") for s in shards]
        self._rgb = [_colours(s, kind) for s in shards] if rgb else None
        self._landmarks = np.concatenate([np.load(s / "landmarks.npy") for s in shards])
        self._facts = np.concatenate([np.load(s / "facts.npy") for s in shards])
        self._starts = np.cumsum([0, *(len(t) for t in self._temperature)])
        total = int(self._starts[-1])
        held_out = total - max(1, int(total * VALIDATION_SHARE))
        first, last = {"train": (0, held_out), "val": (held_out, total), "all": (0, total)}[split]
        kept = (persons or PersonFilter()).keeps(self._facts[first:last])
        self._indices = first + np.flatnonzero(kept)
        if not len(self._indices):
            raise PoolMissing(f"no {kind} person of {folder} ({split}) is left by {persons}")

    def __len__(self) -> int:
        return len(self._indices)

    def layer(self, index: int) -> Layer:
        """Person `index` of the split, 0 <= index < len(self)."""
        index = int(self._indices[index])
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - self._starts[shard]
        coded = self._temperature[shard][row]
        return Layer(
            temperature=coded.astype(np.float32) / np.float32(STEPS) - np.float32(OFFSET),
            cover=(coded > 0).astype(np.float32),
            landmarks=self._landmarks[index].copy(),
            facts=PersonFacts.from_row(self._facts[index]),
            rgb=None if self._rgb is None else self._rgb[shard][row],
        )


def _colours(shard: Path, kind: str) -> ByteArray:
    """The colours [n, H, W, 3] of a shard, memory-mapped. Raises PoolMissing if it has none."""
    file = shard / "rgb.npy"
    if not file.is_file():
        raise PoolMissing(
            f"{shard} has no colours; render persons in colour, into another folder, with `python "
            f"-m training.synthesis pool --rgb --head HEAD.npz --out FOLDER --kind {kind}`"
        )
    colours: ByteArray = np.load(file, mmap_mode="r")
    return colours


def as_layer(person: Person) -> Layer:
    """A person as a pool would give it back, but for the coding's rounding."""
    cover = person.cover.astype(np.float32)
    return Layer(person.temperature, cover, person.landmarks, person.facts, person.rgb)


def write_shard(
    folder: Path,
    head_file: str | None,
    kind: str,
    seed: int,
    shard: int,
    persons: int = SHARD,
    config: PersonConfig = PERSON,
    rgb: bool = False,
) -> Path:
    """Render one shard; complete or absent, since the folder is renamed into place.

    head_file: None draws the procedural head (tests only). Where the shard is there, raises
    PoolMissing if it lacks the colours asked for, OtherPersons if it was not made by the same.
    """
    target = folder / f"{kind}-{seed:03d}-{shard:04d}"
    head = load_head(head_file) if head_file else procedural_head()
    maker = _maker(head_file, config)
    if target.exists():
        _check_maker(target, maker)
        if rgb:
            _colours(target, kind)
        return target
    anatomy = Anatomy(head)
    kind_seed = list(PLANS).index(kind)
    rendered = [
        render_person(
            head, anatomy, (seed, kind_seed, shard, i), PLANS[kind], AWAY[kind], config, rgb
        )
        for i in range(persons)
    ]
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.mkdir(parents=True, exist_ok=True)  # an ended run may have left one of the same id
    np.save(part / "temperature.npy", np.stack([encode(p) for p in rendered]))
    if rgb:
        np.save(part / "rgb.npy", np.stack([p.rgb for p in rendered if p.rgb is not None]))
    np.save(part / "landmarks.npy", np.stack([p.landmarks for p in rendered]))
    np.save(part / "facts.npy", np.stack([p.facts.as_row() for p in rendered]))
    made_by = {**maker, "source": source_revision()}
    (part / MADE_BY).write_text(json.dumps(made_by, indent=1), encoding="utf-8")
    try:
        part.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(part)  # another renderer was faster with the very same shard
    return target


def _maker(head_file: str | None, config: PersonConfig) -> dict[str, Any]:
    """What a pool's persons have in common, as JSON gives it back."""
    head = hashlib.sha256(Path(head_file).read_bytes()).hexdigest() if head_file else "procedural"
    return dict(json.loads(json.dumps({"head": head, "knobs": asdict(config)})))


def _check_maker(shard: Path, maker: dict[str, Any]) -> None:
    file = shard / MADE_BY
    there = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if any(there.get(key) != value for key, value in maker.items()):
        raise OtherPersons(
            f"{shard} has persons of another head model or other knobs (see its {MADE_BY});"
            " render into another folder"
        )


def write_pool(
    folder: Path,
    head_file: str | None,
    kind: str,
    persons: int,
    seed: int,
    workers: int,
    config: PersonConfig = PERSON,
    rgb: bool = False,
) -> int:
    """Render at least `persons` in shards, in parallel; shards already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-persons // SHARD)
    # Spawned, not forked: a fork keeps its parent's BLAS threads, whatever the environment says.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        jobs = [
            executor.submit(write_shard, folder, head_file, kind, seed, s, SHARD, config, rgb)
            for s in range(shards)
        ]
        for job in jobs:
            job.result()
    return shards * SHARD
