"""The model repository on disk: Triton's layout, changed by whole folders in one step.

    <repository>/<name>/config.pbtxt       which version is served, and how
                        card.json          of that version
                        <version>/model.onnx, card.json

A new state of a model's folder is built beside it, files of older versions hard-linked, and then
exchanged with the old one in a single system call. Whenever the process dies, the folder is either
the old one or the new one, configuration, card and weights in agreement.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from service.card import ModelCard, card_json, parse_card

KEEP: Final = 3  # version folders, the newest ones and the one that is served
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE: Final = -100  # AT_FDCWD


class RepositoryError(RuntimeError):
    """The repository stays as it was; the message says why."""


def versions(folder: Path) -> list[int]:
    """Numbers of the version folders, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(child.name) for child in folder.iterdir() if child.name.isdecimal())


def served_card(folder: Path) -> ModelCard | None:
    """The card of the version that is served; None before the first publication."""
    path = folder / "card.json"
    return parse_card(path.read_text(encoding="utf-8")) if path.is_file() else None


def version_card(folder: Path, version: int) -> ModelCard:
    return parse_card((folder / str(version) / "card.json").read_text(encoding="utf-8"))


def add_version(folder: Path, weights: Path, card: ModelCard, config: str) -> None:
    """Serve `weights` as the card's version, which must be a new one."""

    def build(staged: Path) -> None:
        home = staged / str(card.version)
        home.mkdir()
        shutil.copyfile(weights, home / "model.onnx")
        (home / "card.json").write_text(card_json(card), encoding="utf-8")
        _describe(staged, card, config)
        _forget_old(staged, card.version)

    _replace(folder, build)


def serve_version(folder: Path, card: ModelCard, config: str) -> None:
    """Serve another version that is still there. No folder goes."""
    _replace(folder, lambda staged: _describe(staged, card, config))


def _describe(staged: Path, card: ModelCard, config: str) -> None:
    # Unlinked first: the name may be a hard link to the file that is being served.
    for name, text in (("config.pbtxt", config), ("card.json", card_json(card))):
        (staged / name).unlink(missing_ok=True)
        (staged / name).write_text(text, encoding="utf-8")


def _forget_old(staged: Path, served: int) -> None:
    for version in versions(staged)[:-KEEP]:
        if version != served:
            shutil.rmtree(staged / str(version))


def _replace(folder: Path, build: Callable[[Path], None]) -> None:
    """Build the folder's next state in a hidden neighbour, then put it in the folder's place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = folder.parent / f".{folder.name}.staged"
    shutil.rmtree(staged, ignore_errors=True)  # of a process that died
    try:
        if folder.is_dir():
            shutil.copytree(folder, staged, copy_function=os.link)
        else:
            staged.mkdir()
        build(staged)
        _sync(staged)
        if folder.is_dir():
            _exchange(staged, folder)
        else:
            os.rename(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)  # after an exchange: the old state


def _exchange(first: Path, second: Path) -> None:
    """Swap two folders atomically (Linux). Two renames would leave a moment without a model."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise RepositoryError("this system cannot exchange two folders in one step") from None
    if renameat2(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE):
        code = ctypes.get_errno()
        unable = code in (errno.EINVAL, errno.ENOSYS, errno.EXDEV)
        why = "this file system cannot exchange two folders in one step" if unable else ""
        raise RepositoryError(f"{second.name}: {why or os.strerror(code)}")


def _sync(staged: Path) -> None:
    """To the disk before the exchange, or a power cut could leave the new folder empty."""
    for path in (*staged.rglob("*"), staged):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
