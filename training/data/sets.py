"""The data sets that can be read from disk, by the name that `NAME=DIR` takes.

A source is `NAME=DIR[,OPTION=VALUE...]`, e.g. `sf-tl54=/data/sf-tl54,split=test,pictures=iron`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.data.faces import SPLITS, DataSetError, FaceSet, FrameSet
from training.data.loaders.aachen import Aachen
from training.data.loaders.charlotte import Charlotte
from training.data.loaders.coco_wholebody import CocoWholeBody
from training.data.loaders.pts_folder import PtsFolder
from training.data.loaders.sf_tl54 import SfTl54
from training.data.loaders.tfake import FaceSynthetics, TFake
from training.data.loaders.tfw import Tfw

Loader = Callable[..., FaceSet | FrameSet]
VISIBLE: Final = ("300w", "coco-wholebody", "facesynthetics")  # photographs: no thermal pictures
PAIRED: Final = ("sf-tl54", "tfake")  # thermal pictures with colour partners

OWN_LICENCE: Final = "Apache-2.0"  # of models that no data set restricts
UNKNOWN_LICENCE: Final = "unknown: no training note says what it was trained on"
_RESTRICTED: Final = "restricted by the data it was trained on."

# A loader takes the folder, and its options by name: `split` and what its docstring names.
FACE_SETS: Final[Mapping[str, Callable[..., FaceSet]]] = {
    loader.name: loader
    for loader in (PtsFolder, Aachen, Charlotte, CocoWholeBody, FaceSynthetics, SfTl54, TFake)
}
FRAME_SETS: Final[Mapping[str, Callable[..., FrameSet]]] = {Tfw.name: Tfw}
SETS: Final[Mapping[str, Loader]] = {**FACE_SETS, **FRAME_SETS}


@dataclass(frozen=True)
class Source:
    """What a user names: a data set, where it lies, and the loader's options."""

    name: str
    folder: Path
    options: Mapping[str, str]

    def __str__(self) -> str:
        given = "".join(f",{key}={value}" for key, value in self.options.items())
        return f"{self.name}={self.folder}{given}"

    def open(self, split: str = "all") -> FaceSet | FrameSet:
        """The faces of a split, unless the options name one."""
        return SETS[self.name](self.folder, **{"split": split, **self.options})


def parse_source(text: str) -> Source:
    """DataSetError for an unknown data set or option, or a text without a folder."""
    place, *given = text.split(",")
    name, _, folder = place.partition("=")
    if name not in SETS or not folder:
        raise DataSetError(f"{text!r} is not NAME=DIR with a name of {list(SETS)}")
    known = list(inspect.signature(SETS[name]).parameters)[1:]
    options = {}
    for option in given:
        key, _, value = option.partition("=")
        if key not in known or not value:
            raise DataSetError(f"{text!r}: {option!r} is not OPTION=VALUE with one of {known}")
        options[key] = value
    if options.get("split", "all") not in SPLITS:
        raise DataSetError(f"{text!r}: split is one of {list(SPLITS)}")
    return Source(name, Path(folder), options)


def licence(name: str) -> str:
    """What the loader's module says of the licence."""
    words = inspect.getdoc(inspect.getmodule(SETS[name])) or ""
    return " ".join(words.partition("Licence:")[2].split())


def model_licence(note: Mapping[str, Any]) -> str:
    """Of a model by the note on its training: our own, if it and all that it comes from are known
    to have seen no data sets. Otherwise their terms, by name, and those of published models among
    its lineage; UNKNOWN_LICENCE where something of it is not known."""
    names = sorted({text.partition("=")[0] for text in _named_sets(note)})
    terms = [f"{name}: {licence(name)}" if name in SETS else name for name in names]
    inherited = sorted({one.get("licence", OWN_LICENCE) for one in lineage(note)} - {OWN_LICENCE})
    terms += [rest for text in inherited if (rest := _beyond(text, terms))]
    unknown = [] if _is_known(note) else [UNKNOWN_LICENCE]
    if not terms:
        return unknown[0] if unknown else OWN_LICENCE
    return " ".join([_RESTRICTED, *terms, *unknown])


def lineage(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The networks that a note, card or checkpoint says its own comes from: its teachers, and what
    it started from. See `training.teacher`."""
    start = record.get("start", [])
    if isinstance(start, Mapping):  # notes and cards from before it was a lineage
        start = [start]
    return [*record.get("teachers", []), *start]


def hides_start(record: Mapping[str, Any]) -> bool:
    """Whether a run started from a network of which its note, card or checkpoint tells nothing."""
    began_with = record.get("config", {}).get("start", {}).get("checkpoint")
    return bool(began_with) and not record.get("start")


def _is_known(note: Mapping[str, Any]) -> bool:
    """Whether the data is named, of the model and of all that it comes from."""
    entries = lineage(note)
    return (
        bool(note.get("config", {}).get("data"))
        and not hides_start(note)
        and all("data" in one for one in entries)
        and not any(one.get("licence", "").startswith("unknown") for one in entries)
    )


def _beyond(text: str, terms: list[str]) -> str:
    """What a published model's licence says besides the terms that are named already."""
    for told in (_RESTRICTED, UNKNOWN_LICENCE, *terms):
        text = text.replace(told, "")
    return "" if text.strip() == "unknown" else " ".join(text.split())


def _named_sets(note: Any) -> Iterator[str]:
    """What `data.sets` holds, wherever in the note: also of its lineage, and theirs."""
    if isinstance(note, Mapping):
        for key, value in note.items():
            if key == "data" and isinstance(value, Mapping):
                yield from value.get("sets", ())
            else:
                yield from _named_sets(value)
    elif isinstance(note, list | tuple):
        for value in note:
            yield from _named_sets(value)
