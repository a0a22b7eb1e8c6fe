"""Train one network: `python -m training.train CONFIG.toml [--set key=value ...]`.

The same command serves a CPU, one GPU and, as `torchrun -m training.train ...`, several. Files go
to `.checkpoints/<name>`: `last.pt`, `note.json` (how it was trained, for the published card) and
TensorBoard's events.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from training import checkpoint, devices, warm_start
from training.config import ConfigError, DataConfig, RunConfig, load_config
from training.data.sample import collate_detector, collate_landmarks
from training.data.stream import StreamSampler
from training.data.synthetic import build_dataset
from training.devices import Runtime
from training.distill import METHODS
from training.engine import Batch, Recipe, RunState, train_one_epoch
from training.reporting import RunReporter
from training.schedule import AveragedModel, Progress, optimiser_for
from training.synthesis.pool import PoolMissing
from training.validation import validate
from training.weighting import constant

CHECKPOINTS = Path(".checkpoints")
# (task, settings, "train" or "val") -> map-style data set; a training index has no upper end
Datasets = Callable[[str, DataConfig, str], Any]
COLLATE = {"landmarks": collate_landmarks, "detector": collate_detector}


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    try:
        config = load_config(options.config, options.set)
        run(config, CHECKPOINTS / config.name, resume=options.resume, init=options.init)
    except (ConfigError, PoolMissing, checkpoint.CheckpointError) as error:
        raise SystemExit(str(error)) from None


def run(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    init: Path | None = None,
    datasets: Datasets = build_dataset,
) -> None:
    """Train as configured; `folder/last.pt` holds the run at its last checkpoint and at its end."""
    if config.method.name not in METHODS:
        raise ConfigError(f"method.name: {config.method.name!r} is not one of {sorted(METHODS)}")
    runtime = devices.start(config.hardware)
    try:
        torch.manual_seed(config.seed + runtime.rank)
        state = _new_state(config, runtime, init)
        if resume:
            _restore(state, config, folder / "last.pt")
        _train(config, state, runtime, folder, datasets)
    finally:
        devices.stop(runtime)


def _train(
    config: RunConfig, state: RunState, runtime: Runtime, folder: Path, datasets: Datasets
) -> None:
    recipe = Recipe(
        METHODS[config.method.name](config.method),
        constant(config.weights),
        config.optimiser,
        runtime,
    )
    steps = steps_per_epoch(config, runtime.world)
    samples = {split: datasets(config.task, config.data, split) for split in ("train", "val")}
    batches = _train_batches(config, runtime, samples["train"], state.step)
    over = False
    with RunReporter(
        folder, state.progress, config.loop.log_every, active=runtime.is_main
    ) as reporter:
        saver = _Saver(config, state, folder, active=runtime.is_main)

        def after_step(step: int, scalars: dict[str, float]) -> None:
            reporter.step(step, scalars)
            saver.save_if_due()

        while not over:
            left = steps - state.step % steps
            over = train_one_epoch(recipe, state, batches, left, after_step)
            epoch = state.step // steps
            if runtime.is_main and (over or epoch % config.loop.validate_every == 0):
                held_out = _loader(config, samples["val"], batch_size=config.loop.batch)
                figures = validate(state.averaged.model, config.task, held_out, runtime)
                reporter.figures(state.step, figures)
                saver.save(figures)


def steps_per_epoch(config: RunConfig, world: int) -> int:
    return max(config.data.samples_per_epoch // (config.loop.batch * world), 1)


def _new_state(config: RunConfig, runtime: Runtime, init: Path | None) -> RunState:
    student = checkpoint.build_model(config.task, config.variant)
    if init is not None:
        warm_start.initialise(student, config.task, config.variant, init)
    layout = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
    student = student.to(runtime.device)
    runtime.share_weights(student)
    student = student.to(memory_format=layout)  # type: ignore[call-overload]
    total_steps = config.loop.epochs * steps_per_epoch(config, runtime.world)
    return RunState(
        student=student,
        averaged=AveragedModel(student, config.optimiser.ema_decay),
        optimiser=optimiser_for(student, config.optimiser),
        progress=Progress(config.loop, total_steps),
    )


def _restore(state: RunState, config: RunConfig, path: Path) -> None:
    saved = checkpoint.load(path)
    if (saved["task"], saved["variant"]) != (config.task, config.variant):
        raise checkpoint.CheckpointError(f"{path}: is for {saved['task']} {saved['variant']}")
    state.student.load_state_dict(saved["raw_model"])
    state.averaged.model.load_state_dict(saved["model"])
    state.optimiser.load_state_dict(saved["optimizer"])
    state.step = saved["step"]
    state.progress.resume(saved["minutes"])
    checkpoint.restore_random_state(saved["rng"])


class _Saver:
    """Writes `last.pt`: every few minutes, and whenever asked."""

    def __init__(self, config: RunConfig, state: RunState, folder: Path, *, active: bool) -> None:
        self._config, self._state, self._active = config, state, active
        self._path, self._figures = folder / "last.pt", dict[str, float]()
        self._saved = time.monotonic()

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved > 60 * self._config.loop.checkpoint_minutes:
            self.save(self._figures)

    def save(self, figures: dict[str, float]) -> None:
        self._saved, self._figures = time.monotonic(), figures
        if not self._active:
            return
        config, state = self._config, self._state
        content = {
            "task": config.task,
            "variant": config.variant,
            "model": state.averaged.model.state_dict(),
            "raw_model": state.student.state_dict(),
            "optimizer": state.optimiser.state_dict(),
            "step": state.step,
            "minutes": state.progress.minutes,
            "config": config.as_dict(),
            "figures": figures,
            "rng": checkpoint.random_state(),
        }
        checkpoint.save(content, self._path)
        note = {
            "config": config.as_dict(),
            "steps": state.step,
            "minutes": round(state.progress.minutes, 1),
            "metrics": {"validation": {"protocol": "held-out synthetic persons", **figures}},
        }
        self._path.with_name("note.json").write_text(json.dumps(note, indent=2) + "\n")


def _train_batches(
    config: RunConfig, runtime: Runtime, dataset: Any, first_step: int
) -> Iterator[Batch]:
    """One stream for the whole run: no pause between epochs."""
    total_steps = config.loop.epochs * steps_per_epoch(config, runtime.world)
    sampler = StreamSampler(
        config.data.samples_per_epoch,
        config.loop.batch,
        total_steps,
        seed=config.data.seed,
        first_step=first_step,
        rank=runtime.rank,
        world=runtime.world,
    )
    return iter(_loader(config, dataset, batch_sampler=sampler))


def _loader(config: RunConfig, dataset: Any, **how: Any) -> DataLoader[Batch]:
    workers = config.data.workers
    return DataLoader(
        dataset,
        collate_fn=COLLATE[config.task],  # type: ignore[arg-type]
        num_workers=workers,
        worker_init_fn=devices.limit_worker_threads,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        **how,
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--resume", action="store_true", help="go on from last.pt")
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="start from these weights (.pt or .onnx)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
