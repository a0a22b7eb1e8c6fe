"""What a run leaves behind: `last.pt` to go on from or to export, `note.json` for the card."""

import json
import time
from pathlib import Path
from typing import Any

from training import checkpoint
from training.config import RunConfig
from training.data.on_disk import held_out_protocol
from training.engine import RunState
from training.revision import source_revision
from training.teacher import Lineage, lineage_of


class RunSaver:
    """Writes `last.pt` and `note.json`: every few minutes, and whenever asked.

    With `loop.patience` also `best.pt`, of the epoch with the smallest validation error; at the end
    `last.pt` then holds that one's averaged weights.
    """

    def __init__(
        self, config: RunConfig, state: RunState, teachers: Lineage, folder: Path, *, active: bool
    ) -> None:
        self._config, self._state = config, state
        self._teachers, self._active = teachers, active
        self._revision = source_revision() if active else ""
        start = config.start.checkpoint
        self._start: Lineage = lineage_of(Path(start)) if start else []
        self._path, self._figures = folder / "last.pt", dict[str, float]()
        self._saved = time.monotonic()

    def restore(self) -> bool:
        """Take up the run where `last.pt` left it. True when it had come to its end.

        CheckpointError for another network, method, data, teacher or start than this run's.
        """
        saved = checkpoint.load(self._path)
        config, state = self._config, self._state
        found = saved["task"], saved["variant"], saved.get("input_size", 256)
        if found != (config.task, config.variant, config.data.input_size):
            raise checkpoint.CheckpointError(f"{self._path}: is for {found}")
        if set(saved.get("adapters", {})) != set(state.adapters.state_dict()):
            raise checkpoint.CheckpointError(f"{self._path}: is of another method or other terms")
        self._take_up_lineage(saved)
        state.student.load_state_dict(saved["raw_model"])
        state.averaged.model.load_state_dict(saved["model"])
        state.adapters.load_state_dict(saved.get("adapters", {}))
        state.optimiser.load_state_dict(saved["optimizer"])
        state.step = saved["step"]
        state.progress.resume(saved["minutes"])
        if "best" in saved:
            state.early_stop.error, state.early_stop.epoch = saved["best"]
        checkpoint.restore_random_state(saved["rng"])
        self._figures = saved["figures"]
        return bool(saved.get("finished", False))

    def _take_up_lineage(self, saved: checkpoint.Checkpoint) -> None:
        """A run goes on with what it came from. Its start need not be named again."""
        began = saved["config"]
        if "start" not in saved:  # from before checkpoints told
            differs = bool(began.get("start", {}).get("checkpoint")) != bool(self._start)
        elif self._start:
            differs = _digests(saved["start"]) != _digests(self._start)
        else:
            differs, self._start = False, saved["start"]
        sets = tuple(began["data"].get("sets", ()))
        wrong = {
            "data.sets": sets != self._config.data.sets,
            "teacher.checkpoint": _digests(saved.get("teachers", [])) != _digests(self._teachers),
            "start.checkpoint": differs,
        }
        if names := [name for name, other in wrong.items() if other]:
            raise checkpoint.CheckpointError(
                f"{self._path}: was trained with other {', '.join(names)} than this run names"
            )

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved > 60 * self._config.loop.checkpoint_minutes:
            self.save(self._figures)

    def save(
        self, figures: dict[str, float], *, best: bool = False, finished: bool = False
    ) -> None:
        """figures: of the last validation. best: this epoch's is the smallest error so far."""
        self._saved, self._figures = time.monotonic(), figures
        if not self._active:
            return
        content = self._content(figures)
        if self._config.loop.patience and best:
            checkpoint.save(content, self._path.with_name("best.pt"))
        elif self._config.loop.patience and finished:
            kept = checkpoint.load(self._path.with_name("best.pt"))
            content |= {key: kept[key] for key in ("model", "figures")}
        checkpoint.save({**content, "finished": finished}, self._path)
        self._write_note(content["figures"])

    def _content(self, figures: dict[str, float]) -> checkpoint.Checkpoint:
        config, state = self._config, self._state
        return {
            "task": config.task,
            "variant": config.variant,
            "input_size": config.data.input_size,
            "model": state.averaged.model.state_dict(),
            "raw_model": state.student.state_dict(),
            "adapters": state.adapters.state_dict(),
            "optimizer": state.optimiser.state_dict(),
            "step": state.step,
            "minutes": state.progress.minutes,
            "config": config.as_dict(),
            "figures": figures,
            "best": (state.early_stop.error, state.early_stop.epoch),
            "teachers": self._teachers,
            "start": self._start,
            "revision": self._revision,
            "rng": checkpoint.random_state(),
        }

    def _write_note(self, figures: dict[str, float]) -> None:
        note: dict[str, Any] = {
            "config": self._config.as_dict(),
            "steps": self._state.step,
            "minutes": round(self._state.progress.minutes, 1),
            "revision": self._revision,
            "teachers": self._teachers,
            **({"start": self._start} if self._start else {}),
            "metrics": {
                "validation": {"protocol": held_out_protocol(self._config.data), **figures}
            },
        }
        self._path.with_name("note.json").write_text(json.dumps(note, indent=2) + "\n")


def _digests(lineage: Lineage) -> list[str]:
    return [one["sha256"] for one in lineage]
