"""What following faces costs and gives, and what smoothing does: `make bench-tracking`.

    python -m tests.bench_tracking --head head_model.npz --clips folder

Synthetic clips with known landmarks go through the service's own streams and the published
networks: once with every frame by itself, once followed. Frames a second are of processor time, on
one thread. Two numbers are without and with following, errors a third one lightly smoothed, as
shares of the face's size; "looks": frames with the detector; "nobody": answers where nobody is;
"ids": changes of a person's number. Clips are kept in the folder. One run on one machine: compare
the rows with one another alone.
"""

import argparse
import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.admission import Deadline
from service.entities import Face, FloatArray
from service.errors import ServiceError
from service.imaging.raw import FrameFormat
from service.landmarks import LandmarkService
from service.options import PredictOptions
from service.session import Following
from service.stream import Frame, Slot
from service.vision.smoothing import Smoother, Smoothing
from tests.gateways import running, settings
from tests.track_figures import ALL, Match, asked, errors, jitter, lag, match, switches
from training.synthesis.clip import Clip, load_clip, save_clip
from training.synthesis.head import load_head
from training.synthesis.sequences import SequencePlan, film
from training.synthesis.thermal import Anatomy

ROOT = Path(__file__).parents[1]
STILL = ("standing", "talking", "turning", "blinking")
PARTS = {"talking": slice(48, 68), "blinking": slice(36, 48)}  # of these kinds, what moves
PLANS = (
    *(SequencePlan(kind, 8, 25, 160, 120, seed) for kind in STILL for seed in (11, 12)),
    *(SequencePlan(kind, 10, 9, 160, 120, seed) for kind in STILL for seed in (1, 2)),
    *(SequencePlan("walking", 10, 9, 160, 120, seed) for seed in (1, 2, 3)),
    *(SequencePlan("crossing", 10, 9, 160, 120, seed) for seed in (1, 2, 3, 4, 5)),
    SequencePlan("standing", 3, 9, 640, 512, 1),
)
log = logging.getLogger("bench")


@dataclass(frozen=True)
class Run:
    """A clip's answers, frame by frame; seconds of processor time; share of frames in which the
    detector looked."""

    answers: list[tuple[Face, ...]]
    seconds: float
    looks: float


async def stream(service: LandmarkService, clip: Clip, following: Following | None) -> Run:
    """The clip as a camera's stream, every frame answered."""
    _, height, width = clip.frames.shape
    form = FrameFormat("y16", width, height, unit="kelvin", scale=0.01)
    slot = Slot[Frame](keep_all=True, on_drop=lambda _: None)

    async def feed() -> None:
        for number, (values, now) in enumerate(zip(clip.frames, clip.times, strict=True)):
            await slot.room()
            data, arrived = values.astype("<u2").tobytes(), time.monotonic()
            slot.put(Frame(number, int(now * 1e9), data, Deadline(60), arrived))
        await slot.room()
        slot.close()

    started, answers, looks = time.process_time(), list[tuple[Face, ...]](), 0
    feeding = asyncio.create_task(feed())
    async for answer in service.predict_stream(slot, PredictOptions(), form, following):
        if isinstance(answer.outcome, ServiceError):
            raise answer.outcome
        answers.append(answer.outcome.prediction.faces)
        looks += answer.outcome.detector is not None
    await feeding
    return Run(answers, time.process_time() - started, looks / len(clip.frames))


def smoothed(clip: Clip, answers: Sequence[Sequence[Face]], strength: Smoothing) -> Match:
    """The answers by truth, steadied."""
    smoother = Smoother(strength)
    pairs = zip(clip.times, answers, strict=True)
    return match(clip, [smoother.smooth(float(now), faces) for now, faces in pairs])


def title(clip: Clip) -> str:
    return f"{clip.kind} {clip.frames.shape[2]}x{clip.frames.shape[1]} {clip.fps:g}/s"


def following_row(name: str, clips: Sequence[Clip], single: list[Run], followed: list[Run]) -> None:
    frames = sum(len(clip.frames) for clip in clips)
    rates = [frames / sum(run.seconds for run in runs) for runs in (single, followed)]
    wanted = sum(int(asked(clip).sum()) for clip in clips)
    found, spurious, changed, wrong = np.zeros(3), np.zeros(3, int), 0, list[FloatArray]()
    for clip, alone, tracked in zip(clips, single, followed, strict=True):
        light = smoothed(clip, tracked.answers, Smoothing.LIGHT)
        matches = (match(clip, alone.answers), match(clip, tracked.answers), light)
        each = np.stack([errors(clip, one) for one in matches])
        found += np.isfinite(each).sum(axis=(1, 2))
        wrong.append(each[:, np.isfinite(each).all(axis=0)])
        spurious += [one.spurious for one in matches]
        changed += switches(clip, matches[1])
    log.info(
        "%-24s %6.1f %6.1f %5.2f %5.2f  %6.3f %5.3f  %6.4f %.4f %.4f  %4d %3d %4d",
        name, *rates, rates[1] / rates[0], np.mean([run.looks for run in followed]),
        *(found[:2] / wanted), *np.concatenate(wrong, axis=1).mean(axis=1), *spurious[:2], changed,
    )  # fmt: skip


def smoothing_row(name: str, clips: Sequence[Clip], runs: list[Run], strength: Smoothing) -> None:
    part = PARTS.get(clips[0].kind, ALL)
    pairs = [
        (clip, smoothed(clip, run.answers, strength).points)
        for clip, run in zip(clips, runs, strict=True)
    ]
    lags = [lag(clip, found, part) for clip, found in pairs]
    log.info(
        "%-24s %-7s %7.3f %6.0f %8.3f",
        name, strength, 100 * np.mean([jitter(clip, found) for clip, found in pairs]),
        np.mean([delay for delay, _ in lags]), 100 * np.mean([error for _, error in lags]),
    )  # fmt: skip


def make_clips(head: Path, folder: Path) -> list[Clip]:
    """Those of `PLANS`; what the folder has already is taken from there."""
    model = load_head(head)
    anatomy, clips = Anatomy(model), []
    for plan in PLANS:
        file = folder / f"{plan.kind}-{plan.width}-{plan.fps:g}-{plan.seed}.npz"
        if not file.exists():
            save_clip(film(model, anatomy, plan), file)
        clips.append(load_clip(file))
    return clips


async def run(clips: Sequence[Clip]) -> None:
    one_core = {"worker_threads": 1, "inference_threads": 1, "intra_op_threads": 1}
    follow = Following(smoothing=Smoothing.OFF)
    groups: dict[str, tuple[list[Clip], list[Run], list[Run]]] = {}
    async with running(settings(ROOT / "model_repository", **one_core), None) as gateway:
        await stream(gateway.service, clips[0], follow)  # warms up
        for clip in clips:
            some, single, followed = groups.setdefault(title(clip), ([], [], []))
            some.append(clip)
            single.append(await stream(gateway.service, clip, None))
            followed.append(await stream(gateway.service, clip, follow))
    log.info(
        "%-24s %13s %11s  %12s  %20s  %8s %4s",
        "", "frames/s", "times looks", "found", "error, also light", "nobody", "ids",
    )  # fmt: skip
    for name, group in groups.items():
        following_row(name, *group)
    log.info("%-24s %-7s %7s %6s %8s", "", "", "jitter%", "lag ms", "error %")
    for name, (some, _, runs) in groups.items():
        if some[0].kind in STILL:
            for strength in Smoothing:
                smoothing_row(name, some, runs, strength)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench_tracking", description=__doc__)
    parser.add_argument("--head", type=Path, required=True, help="head model (.npz)")
    parser.add_argument("--clips", type=Path, default=Path(".checkpoints/clips"))
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    asyncio.run(run(make_clips(options.head, options.clips)))


if __name__ == "__main__":
    main()
