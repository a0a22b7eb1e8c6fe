"""Which of several models of one task answers where the request leaves the precision open."""

from collections.abc import Iterable
from typing import Final

from service.entries import Entry, Model

# Engine, precision, device: the best first. On a GPU the FP16 plan is quickest at FP32's error; of
# the others the more accurate goes first, since all are quick there, and of equals the plan. On
# processors INT8 takes half of FP32's time, for an error that the gate allows; FP16 gains nothing.
# What is not listed comes last.
WALK: Final = (
    ("tensorrt", "fp16", "gpu"),
    ("tensorrt", "fp32", "gpu"),
    ("onnxruntime", "fp32", "gpu"),
    ("onnxruntime", "fp16", "gpu"),
    ("tensorrt", "int8", "gpu"),
    ("onnxruntime", "int8", "gpu"),
    ("onnxruntime", "int8", "cpu"),
    ("onnxruntime", "fp32", "cpu"),
    ("onnxruntime", "fp16", "cpu"),
)


def first_ready(entries: Iterable[Entry], request: str | None = None) -> Model | None:
    """The best model that serves now; what does not is walked past until it does.

    request: the id by which it may get the canary of that model.
    """
    serving = [entry for entry in entries if entry.model]
    return min(serving, key=_place).pick(request) if serving else None


def _place(entry: Entry) -> tuple[int, str]:
    assert entry.model is not None and entry.source is not None
    config, model = entry.source.config, entry.model
    what = (config.engine if config else "", model.card.precision, model.device)
    return WALK.index(what) if what in WALK else len(WALK), entry.name
