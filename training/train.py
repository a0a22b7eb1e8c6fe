"""Train one network: `python -m training.train CONFIG.toml [--set key=value ...]`.

The same command serves a CPU, one GPU and, as `torchrun -m training.train ...`, several. Files go
to `.checkpoints/<name>`: `last.pt`, `note.json` (how it was trained and by whom it was taught, for
the published card) and TensorBoard's events.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from training import checkpoint, devices, warm_start
from training.config import ConfigError, DataConfig, RunConfig, load_config
from training.data.faces import DataSetError
from training.data.sample import collate_detector, collate_landmarks
from training.data.stream import StreamSampler
from training.data.synthetic import build_dataset
from training.devices import Runtime
from training.distill import build_method
from training.engine import Batch, Recipe, RunState, train_one_epoch
from training.reporting import RunReporter
from training.saver import RunSaver
from training.schedule import AveragedModel, EarlyStop, Progress, optimiser_for
from training.synthesis.pool import PoolMissing
from training.teacher import Teacher, load_teacher
from training.validation import error_of, validate
from training.weighting import decaying

CHECKPOINTS = Path(".checkpoints")
# (task, settings, "train" or "val") -> map-style data set; a training index has no upper end
Datasets = Callable[[str, DataConfig, str], Any]
COLLATE = {"landmarks": collate_landmarks, "detector": collate_detector}


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    try:
        start = [f"start.checkpoint={options.init}"] if options.init else []
        config = load_config(options.config, [*options.set, *start])
        run(config, CHECKPOINTS / config.name, resume=options.resume)
    except (ConfigError, PoolMissing, DataSetError, checkpoint.CheckpointError) as error:
        raise SystemExit(str(error)) from None


def run(
    config: RunConfig,
    folder: Path,
    *,
    resume: bool = False,
    datasets: Datasets = build_dataset,
) -> None:
    """Train as configured; `folder/last.pt` holds the run at its last checkpoint and at its end."""
    runtime = devices.start(config.hardware)
    try:
        torch.manual_seed(config.seed + runtime.rank)
        teacher = load_teacher(config)
        recipe, state = _prepare(config, runtime, teacher)
        saver = RunSaver(
            config, state, teacher.lineage if teacher else [], folder, active=runtime.is_main
        )
        if resume and saver.restore() and _is_over(config, state, runtime):
            if runtime.is_main:
                print(f"{folder}: finished already")
            return
        _train(config, recipe, state, saver, folder, datasets)
    finally:
        devices.stop(runtime)


def _train(
    config: RunConfig,
    recipe: Recipe,
    state: RunState,
    saver: RunSaver,
    folder: Path,
    datasets: Datasets,
) -> None:
    runtime = recipe.runtime
    steps = steps_per_epoch(config, runtime.world)
    samples = {split: datasets(config.task, config.data, split) for split in ("train", "val")}
    batches = _train_batches(config, runtime, samples["train"], state.step)
    over = False
    with RunReporter(
        folder, state.progress, config.loop.log_every, active=runtime.is_main
    ) as reporter:

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
                best = state.early_stop.see(epoch, error_of(figures))
                over = over or state.early_stop.is_over(epoch)
                saver.save(figures, best=best, finished=over)
            over = bool(runtime.largest(float(over)))


def _is_over(config: RunConfig, state: RunState, runtime: Runtime) -> bool:
    epoch = state.step // steps_per_epoch(config, runtime.world)
    return state.progress.at(state.step) >= 1 or state.early_stop.is_over(epoch)


def steps_per_epoch(config: RunConfig, world: int) -> int:
    return max(config.data.samples_per_epoch // (config.loop.batch * world), 1)


def _prepare(
    config: RunConfig, runtime: Runtime, teacher: Teacher | None
) -> tuple[Recipe, RunState]:
    """Everything on its device, every process with the same weights."""
    student = checkpoint.build_model(config.task, config.variant, config.data.input_size)
    if config.start.checkpoint:
        warm_start.initialise(
            student, config.task, config.variant, Path(config.start.checkpoint),
            backbone_alone=config.start.part == "backbone",
        )  # fmt: skip
    network = teacher.network if teacher else None
    method = build_method(config, student, network)
    adapters = method if isinstance(method, nn.Module) else nn.Module()
    layout = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
    for module in (student, adapters, network):
        if module is not None:
            module.to(runtime.device)
            runtime.share_weights(module)
            module.to(memory_format=layout)  # type: ignore[call-overload]
    state = RunState(
        student=student,
        averaged=AveragedModel(student, config.optimiser.ema_decay),
        optimiser=optimiser_for(nn.ModuleList([student, adapters]), config.optimiser),
        progress=Progress(config.loop, config.loop.epochs * steps_per_epoch(config, runtime.world)),
        adapters=adapters,
        early_stop=EarlyStop(config.loop.patience),
    )
    weighting = decaying(config.weights, config.method.decay_warmup)
    return Recipe(method, weighting, config.optimiser, runtime, network), state


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
