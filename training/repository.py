"""The model repository on disk: Triton's layout, changed by whole folders in one step.

    <repository>/<name>/config.pbtxt       which versions are served, and how
                        card.json          of the served version; it names a canary, too
                        <version>/card.json, and the weights: model.onnx, or TensorRT plans

A new state of a model's folder is built beside it, files of older versions hard-linked, and then
exchanged with the old one in a single system call. Whenever the process dies, the folder is either
the old one or the new one, configuration, card and weights in agreement.
"""

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.card import CardError, ModelCard, card_json, file_sha256, parse_card

KEEP: Final = 2  # versions to roll back to, beside the one that is served and its canary
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE: Final = -100  # AT_FDCWD


class RepositoryError(RuntimeError):
    """The repository stays as it was; the message says why."""


@contextmanager
def locked(repository: Path) -> Iterator[None]:
    """One publisher at a time. RepositoryError, at once, while another is at work.

    The lock is on the repository's folder itself: nothing to tidy up, and it goes when the process
    does, however it dies.
    """
    if not repository.is_dir():
        raise RepositoryError(f"{repository}: no such folder")
    handle = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RepositoryError(
            f"another publisher is at work in {repository}: wait for it, or find it with `lslocks`"
        ) from None
    try:
        yield
    finally:
        os.close(handle)


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
    """CardError when it is missing, or one of its files is not the one it was written for."""
    home = folder / str(version)
    try:
        card = parse_card((home / "card.json").read_text(encoding="utf-8"))
        damaged = [file for file, sha in card.files.items() if file_sha256(folder / file) != sha]
    except OSError as error:
        raise CardError(f"{folder.name}: version {version} cannot be read: {error}") from None
    if damaged:
        raise CardError(f"{folder.name}: {damaged[0]} is damaged: its SHA-256 is not the card's")
    return card


def earlier(folder: Path, served: ModelCard) -> list[int]:
    """The versions that were served before, the latest first, as far as they are still there with
    their cards."""
    found: list[int] = []
    card = served
    while card.replaces is not None and card.replaces not in found:
        path = folder / str(card.replaces) / "card.json"
        if not path.is_file():
            break
        found.append(card.replaces)
        card = parse_card(path.read_text(encoding="utf-8"))
    return found


def add_version(
    folder: Path, weights: Mapping[str, Path], card: ModelCard, served: ModelCard, config: str
) -> None:
    """Add the card's version, which must be a new one; `served` and `config` say what serves then.

    weights: files by their names in the version's folder.
    """

    def build(staged: Path) -> None:
        home = staged / str(card.version)
        home.mkdir()
        for name, file in weights.items():
            shutil.copyfile(file, home / name)
        (home / "card.json").write_text(card_json(card), encoding="utf-8")
        _describe(staged, served, config)
        kept = {card.version, served.version, *earlier(staged, served)[:KEEP]}
        _forget_all_but(staged, kept)

    _replace(folder, build)


def serve_version(folder: Path, served: ModelCard, config: str) -> None:
    """Serve another version that is still there. No folder goes."""
    _replace(folder, lambda staged: _describe(staged, served, config))


def _describe(staged: Path, card: ModelCard, config: str) -> None:
    # Unlinked first: the name may be a hard link to the file that is being served.
    for name, text in (("config.pbtxt", config), ("card.json", card_json(card))):
        (staged / name).unlink(missing_ok=True)
        (staged / name).write_text(text, encoding="utf-8")


def _forget_all_but(staged: Path, kept: Collection[int]) -> None:
    for version in versions(staged):
        if version not in kept:
            shutil.rmtree(staged / str(version))


def _replace(folder: Path, build: Callable[[Path], None]) -> None:
    """Build the folder's next state in a hidden neighbour, then put it in the folder's place."""
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
        _flush(folder.parent)
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
        _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
