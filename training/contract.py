"""What a model's name stands for, and what its network must take and give."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime as ort

from service.card import ModelCard
from training.triton_config import config_text

Shapes = Mapping[str, tuple[int, ...]]  # by tensor, without the batch axis

_LANDMARKS: Final = re.compile(
    r"landmarks_(?P<variant>[tsmlx])(?:_(?P<int8>int8)|_trt_(?P<trt>fp16|int8))?"
)
_DETECTOR: Final = re.compile(r"face_detector(?:_(?P<side>640))?(?:_(?P<int8>int8))?")
_INPUT: Final = {"landmarks": (1, 256, 256), "detector": (1, 320, 320)}
_OUTPUTS: Final[dict[str, Shapes]] = {
    "landmarks": {"keypoints": (68, 4), "simcc_x": (68, 512), "simcc_y": (68, 512)},
    "detector": {"boxes": (100, 4), "scores": (100,)},
}


class Refused(RuntimeError):
    """Nothing is published or changed; the message says why."""


@dataclass(frozen=True)
class Contract:
    """input: shape of `image` without the batch axis. source: the name of the FP32 model that this
    one is made from; its own, for FP32. tensorrt: whether its weights are TensorRT plans."""

    task: str
    variant: str
    precision: str
    input: tuple[int, ...]
    source: str
    tensorrt: bool = False

    @property
    def outputs(self) -> Shapes:
        return _OUTPUTS[self.task]


def contract_of(name: str) -> Contract:
    """By the model's name; Refused for one that stands for nothing."""
    if match := _LANDMARKS.fullmatch(name):
        precision = match["int8"] or match["trt"] or "fp32"
        source, trt = f"landmarks_{match['variant']}", match["trt"] is not None
        shape = _INPUT["landmarks"]
        return Contract("landmarks", match["variant"], precision, shape, source, trt)
    if match := _DETECTOR.fullmatch(name):
        side, source = match["side"], name.removesuffix("_int8")
        shape = (1, int(side), int(side)) if side else _INPUT["detector"]
        return Contract("detector", "nano", match["int8"] or "fp32", shape, source)
    raise Refused(
        f"{name!r} is neither face_detector[_640][_int8] nor "
        "landmarks_<t|s|m|l|x>[_int8|_trt_fp16|_trt_int8]"
    )


def check_network(weights: Path, contract: Contract) -> None:
    """Refused when the ONNX file does not take and give what the contract says."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    tensors = (*session.get_inputs(), *session.get_outputs())
    found = {spec.name: tuple(spec.shape[1:]) for spec in tensors}
    wanted = {"image": contract.input, **contract.outputs}
    if found != wanted:
        raise Refused(f"{weights.name}: takes and gives {found}, not {wanted}")


def config_of(card: ModelCard) -> str:
    """The text of `config.pbtxt` that serves what the card says: its version, and its canary."""
    contract = contract_of(card.name)
    versions = [card.version] + ([card.canary.version] if card.canary else [])
    plans = [Path(file).name for file in card.files] if contract.tensorrt else []
    return config_text(
        card.name, contract.task, versions, contract.input, contract.outputs, plans=plans
    )
