"""Camera sources, one file a kind; `open_source` finds the kind by the name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from service.client.frames import Source, SourceError
from service.client.sources.cacophony import open_cptv
from service.client.sources.folder import open_folder
from service.client.sources.machine_vision import open_genicam
from service.client.sources.seq import open_seq
from service.client.sources.stacks import open_stack
from service.client.sources.synthetic import open_synthetic
from service.client.sources.v4l2 import open_v4l2
from service.client.sources.video import open_rtsp, open_video

Opener = Callable[..., Source]  # takes the device or path, and options by keyword

# By what comes before the colon, and by the end of a file's name; a folder is a kind of its own.
CAMERAS: Final[dict[str, Opener]] = {
    "synthetic": open_synthetic,
    "v4l2": open_v4l2,
    "rtsp": open_rtsp,
    "rtsps": open_rtsp,
    "genicam": open_genicam,
}
FILES: Final[dict[str, Opener]] = {
    ".npy": open_stack,
    ".npz": open_stack,
    ".seq": open_seq,
    ".csq": open_seq,
    ".fff": open_seq,
    ".cptv": open_cptv,
    ".mp4": open_video,
    ".m4v": open_video,
    ".mov": open_video,
    ".mkv": open_video,
    ".webm": open_video,
    ".avi": open_video,
    ".ts": open_video,
}


def open_source(name: str, **options: Any) -> Source:
    """A camera or a recording by its name, such as `synthetic`, `v4l2:/dev/video0`, `walk.seq`.

    options: those of the kind's opener, typed or as text (`fps=9` or `fps="9"`).
    SourceError for an unknown name or option, and where the source cannot be opened.
    """
    opener, target = _find(name)
    return opener(target, **_typed(opener, options))


def _find(name: str) -> tuple[Opener, str]:
    """The opener and what it takes: all of an address, else what follows the colon, if any."""
    kind, _, rest = name.partition(":")
    if kind in CAMERAS:
        return CAMERAS[kind], name if rest.startswith("//") else rest
    path = Path(name)
    if name and path.is_dir():
        return open_folder, name
    if path.suffix.lower() in FILES:
        return FILES[path.suffix.lower()], name
    known = ", ".join([*(f"{kind}:" for kind in CAMERAS), "folders", *FILES])
    raise SourceError(f"{name!r} is no source; known are {known}")


def _typed(opener: Opener, options: dict[str, Any]) -> dict[str, Any]:
    """Options given as text in the types that the opener's signature names."""
    known = {
        key: parameter.annotation
        for key, parameter in inspect.signature(opener).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and key not in ("factory", "library")
    }
    for key in options:
        if key not in known:
            raise SourceError(f"there is no option {key}; known are {', '.join(known)}")
    return {key: _parse(key, value, known[key]) for key, value in options.items()}


def _parse(key: str, value: Any, annotation: Any) -> Any:
    if not isinstance(value, str) or annotation is str:
        return value
    if annotation in (bool, bool | None):
        if value not in ("true", "false"):
            raise SourceError(f"{key} must be true or false, not {value!r}")
        return value == "true"
    number = int if annotation in (int, int | None) else float
    try:
        return number(value)
    except ValueError:
        raise SourceError(f"{key} must be a number, not {value!r}") from None
