"""Finished networks on the held-out persons: the same views for all, and once for each network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch

from service.card import file_sha256
from service.entities import ByteArray, FloatArray
from training import devices
from training.checkpoint import load_model
from training.config import HardwareConfig
from training.data.sample import LandmarkBatch, LandmarkSample
from training.data.synthetic import reduced
from training.devices import Runtime
from training.engine import evaluate
from training.metrics import nme_diagonal, nme_io
from training.models.graphs import LandmarkGraph
from training.paper.arms import Run
from training.paper.profile import Profile
from training.paper.runner import Study
from training.paper.summary import Errors, synthetic_subsets
from training.paper.tables import Measured
from training.synthesis.pool import Pool
from training.synthesis.views import landmark_view

BATCH: Final = 50
_DRAWS: Final = 40  # keeps the draws apart from those of training and of other evaluations


@dataclass(frozen=True)
class HeldOut:
    """N views. images: uint8 `[N, 1, S, S]`; colours: uint8 `[N, 3, S, S]`, of the same pixels;
    points: float32 `[N, 68, 2]`, their pixels; weight `[N, 68]`; sizes: of the faces on the sensor,
    pixels `[N]`; yaw: degrees `[N]`."""

    images: ByteArray
    colours: ByteArray
    points: FloatArray
    weight: FloatArray
    sizes: FloatArray
    yaw: FloatArray

    @cached_property
    def digest(self) -> str:
        """Of all that errors depend on."""
        parts = (self.images, self.colours, self.points, self.weight)
        return sha256(b"".join(np.ascontiguousarray(part).data for part in parts)).hexdigest()

    def batches(self, colour: bool) -> Iterator[LandmarkBatch]:
        images = self.colours if colour else self.images
        for start in range(0, len(images), BATCH):
            parts = (a[start : start + BATCH] for a in (images, self.points, self.weight))
            yield LandmarkBatch(*map(torch.from_numpy, parts))


def held_out_views(folder: Path, count: int, input_size: int) -> HeldOut:
    """Cameras, occluders and crops drawn as for training; the persons in turn, so that each is seen
    about equally often. PoolMissing where there are none, or none in colour."""
    cv2.setNumThreads(0)
    pool = Pool(folder, "portrait", "all", rgb=True)
    samples, facts = [], []
    for index in range(count):
        rng, colours = (np.random.default_rng((_DRAWS + i, index)) for i in range(2))
        view = landmark_view(pool.layer(index % len(pool)), rng, colour_rng=colours)
        sample = LandmarkSample(view.image[None], view.points, view.weight, view.rgb)
        samples.append(reduced(sample, input_size))
        facts.append(view.facts)
    return HeldOut(
        images=np.stack([sample.image for sample in samples]),
        colours=np.stack([sample.rgb for sample in samples if sample.rgb is not None]),
        points=np.stack([sample.points for sample in samples]),
        weight=np.stack([sample.weight for sample in samples]),
        sizes=np.array([of_view.size for of_view in facts], np.float32),
        yaw=np.array([of_view.person.yaw for of_view in facts], np.float32),
    )


def measure_errors(
    study: Study, runs: Sequence[Run], profile: Profile, folder: Path, say: Callable[[str], None]
) -> Measured:
    """Each finished run on the views of the pool in `folder`. What was measured is kept beside the
    run, and measured again only if its weights or the views are others."""
    say(f"{profile.views} views of {folder}")
    views = held_out_views(folder, profile.views, profile.input_size)
    runtime = devices.start(HardwareConfig(precision="fp32", threads=profile.jobs))
    subsets = synthetic_subsets(views.sizes, views.yaw)
    errors = {}
    for place, run in enumerate(runs, start=1):
        errors[run.name] = _measure(study.checkpoint(run.name), views, runtime)
        error = errors[run.name].column("tfake", subsets)
        say(f"  {run.name}: NME-IO {error:.4f}; {place} of {len(runs)} measured")
    return Measured(profile, errors, subsets)


def _measure(checkpoint: Path, views: HeldOut, runtime: Runtime) -> Errors:
    kept = checkpoint.with_name("errors.npz")
    key = f"{views.digest} {file_sha256(checkpoint)}"
    if kept.is_file():
        with np.load(kept) as file:
            if str(file["key"]) == key:
                return Errors(file["io"], file["diagonal"])
    errors = errors_of(checkpoint, views, runtime)
    partial = kept.with_name("partial.npz")
    np.savez(partial, io=errors.io, diagonal=errors.diagonal, key=np.array(key))
    partial.replace(kept)
    return errors


def errors_of(checkpoint: Path, views: HeldOut, runtime: Runtime) -> Errors:
    """The averaged weights of a checkpoint, on the pictures that it was trained for."""
    network, content = load_model(checkpoint)
    colour = content["config"]["data"]["modality"] == "rgb"
    graph = LandmarkGraph(network).to(runtime.device)  # type: ignore[arg-type]
    outputs = [given[0] for _, given in evaluate(graph, views.batches(colour), runtime)]
    found = torch.cat(outputs).numpy()[..., :2]
    return Errors(
        nme_io(found, views.points, views.weight), nme_diagonal(found, views.points, views.weight)
    )
