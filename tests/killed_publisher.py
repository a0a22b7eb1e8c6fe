"""Kills a publisher before every one of its file-system operations, each time in a new process.

    python -m tests.killed_publisher FOLDER

FOLDER/start/<scenario> is the repository that the scenario begins with, FOLDER/gate a gate set,
FOLDER/model.onnx what is published. Tells, as JSON lines, after which operation which state was
found, and keeps one copy of each under FOLDER/found/<scenario>/<state>. Alone in its process: it
forks, and a process with an engine's threads in it must not.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.publish import publish
from training.release import promote, rollback

NAME = "landmarks_t"
STEPS = {
    "fcntl.flock", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.rename", "shutil.copyfile",
    "shutil.rmtree", "ctypes.dlsym",
}  # fmt: skip


def commands(folder: Path) -> dict[str, Callable[[Path], object]]:
    """By scenario."""
    weights, gate = folder / "model.onnx", folder / "gate"
    return {
        "first": lambda models: publish(weights, NAME, models, gate=gate),
        "publish": lambda models: publish(weights, NAME, models, gate=gate),
        "canary": lambda models: publish(weights, NAME, models, gate=gate, canary=5),
        "promote": lambda models: promote(NAME, models),
        "rollback": lambda models: rollback(NAME, models),
    }


def state_of(models: Path) -> str:
    """One word for all that a reader of the repository can see."""
    digest = hashlib.sha256()
    for path in sorted(models.rglob("*")):
        place = path.relative_to(models)
        if path.is_file() and not place.parts[0].startswith("."):
            digest.update(str(place).encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def killed(work: Callable[[Path], object], models: Path, step: int | None) -> tuple[int, str]:
    """Run `work` in a child that kills itself before its operation number `step`, from 0; its exit
    status (-9 when killed), and what that operation was."""
    out, told = os.pipe()
    if child := os.fork():
        os.close(told)
        with os.fdopen(out) as pipe:
            operation = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), operation
    left = step

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if left is None or not (event in STEPS or writes):
            return
        if left == 0:
            os.write(told, event.encode())
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    os.fsync = lambda fd: None  # a killed process loses nothing; it is what takes the time
    sys.addaudithook(count)
    work(models)
    os._exit(0)


def main(folder: Path) -> None:
    def again_after(models: Path) -> None:
        publish_after(folder, models)

    tempfile.tempdir = str(folder)  # the killed leave their copies
    for scenario, command in commands(folder).items():
        step, status = 0, -signal.SIGKILL
        while status == -signal.SIGKILL:
            models = folder / "models"
            shutil.rmtree(models, ignore_errors=True)
            shutil.copytree(folder / "start" / scenario, models)
            status, operation = killed(command, models, step)
            state = state_of(models)
            kept = folder / "found" / scenario / state
            if not kept.exists():
                shutil.copytree(models, kept)
            handle = os.open(models, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if it outlived the child
            os.close(handle)
            again = None
            if step % 8 == 0:
                again, _ = killed(again_after, models, None)
            left = sorted(child.name for child in models.iterdir())
            told = {"scenario": scenario, "step": step, "before": operation, "status": status}
            print(json.dumps({**told, "state": state, "again": again, "left": left}), flush=True)  # noqa: T201
            step += 1


def publish_after(folder: Path, models: Path) -> None:
    """What comes next is not in the way of what died."""
    card = json.loads((models / NAME / "card.json").read_text()) if (models / NAME).exists() else {}
    if card.get("canary"):
        promote(NAME, models)
    publish(folder / "model.onnx", NAME, models, gate=folder / "gate")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
