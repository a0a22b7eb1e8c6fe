"""An INT8 version of an exported network, for CPUs: static, calibrated on the synthesis.

    python -m training.quantize model.onnx --pool POOL --out model_int8.onnx

Convolutions, what joins them and the head's four large dense layers run in 8 bits; normalisation,
SiLU, the attention itself, the SimCC logits and decoding stay in FP32. While the error on held-out
persons is above the limit, the layer that moves the output most when it alone is quantised stays in
FP32 too. Beside the model lies a note for `training.publish --training-note`. Nothing is written
unless the limit is kept and an image gives the same alone and in a batch.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto
from onnxruntime.quantization import QDQQuantizer, QuantType, TensorsData

from service.card import file_sha256
from service.entities import ByteArray
from training.held_out import ERRORS, Views, change, error, views
from training.int8_graph import rewrite, unsuited_convolutions
from training.int8_ranges import measure_ranges
from training.served import ANSWERS, Network, onnx_network
from training.synthesis.pool import PoolMissing
from training.tracing import save

LIMIT: Final = 1.02  # of FP32's error; publishing allows 1.03, on other pictures
MOST_CHOSEN: Final = 8  # layers chosen for FP32: with more of them little speed is left
CALIBRATION, VIEWS, RANKING = 256, 800, 96  # pictures: ranges, errors, the effect of one layer
SEED: Final = 0  # of the pictures
OPERATORS: Final = (
    "Conv", "MatMul", "Add", "Mul", "Concat", "MaxPool", "Resize", "GlobalAveragePool"
)  # fmt: skip
_FLOAT: Final = ("normalise/", "decode/", "select/", "head/", "bbox_head/Mul")
_IN_HEAD: Final = (  # what is quantised there: the dearest in FP32
    "head/final_layer/Conv",  # 7x7
    "head/gau/uv/MatMul",
    "head/gau/o/MatMul",
    "head/cls_x/MatMul",
    "head/cls_y/MatMul",
)
_SAME: Final = 1e-4  # pixels between an image alone and in a batch

log = logging.getLogger(__name__)


class NotQuantised(RuntimeError):
    """No model is written; the message says why."""


@dataclass(frozen=True)
class Kept:
    """A layer that stays in FP32, and why."""

    layer: str
    why: str


def task_of(model: ModelProto) -> str:
    """`landmarks` or `detector`, by the outputs; NotQuantised for another network."""
    outputs = {output.name for output in model.graph.output}
    for task, answer in ANSWERS.items():
        if answer in outputs:
            return task
    raise NotQuantised(f"gives {sorted(outputs)}, neither landmarks nor boxes")


def quantisable(graph: ModelProto, kept: Collection[str] = ()) -> list[str]:
    """Names of the nodes to quantise: all that can be, but `kept` and what is FP32 by rule."""
    return [
        node.name
        for node in graph.graph.node
        if node.op_type in OPERATORS
        and node.name not in kept
        and (not node.name.startswith(_FLOAT) or node.name in _IN_HEAD)
    ]


def insert(graph: ModelProto, ranges: TensorsData, nodes: list[str]) -> ModelProto:
    """A copy of `graph` with `nodes` in INT8: u8 activations, s8 weights per channel, QDQ form.

    u8 x s8 is what the CPU's dot-product instructions (VNNI) take. Without them the products are
    added in 16 bits and may saturate: such a machine is better served in FP32.
    """
    quantizer = QDQQuantizer(
        ModelProto.FromString(graph.SerializeToString()),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=nodes,
        nodes_to_exclude=[],
        op_types_to_quantize=list(OPERATORS),
        # A dense layer gives FP32 from its 32-bit sums: so the logits are not rounded to 8 bits.
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    quantizer.quantize_model()
    return quantizer.model.model


def network_of(model: ModelProto) -> Network:
    """`model` as a function."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        save(model, path)
        return onnx_network(path)


@dataclass(frozen=True)
class Quantiser:
    """What every attempt on one network shares. source: the FP32 network; graph: its rewrite."""

    task: str
    source: Network
    graph: ModelProto
    ranges: TensorsData

    def attempt(self, kept: Collection[str]) -> ModelProto:
        """INT8 everywhere but in `kept`."""
        return insert(self.graph, self.ranges, quantisable(self.graph, kept))

    def errors(self, model: ModelProto, data: Views) -> tuple[float, float]:
        """FP32's and the model's, see `ERRORS`."""
        return error(self.task, self.source, data), error(self.task, network_of(model), data)

    def rank(self, kept: Collection[str], data: Views) -> Iterator[Kept]:
        """Layers by how far each moves the output when it alone is quantised."""
        images = data["images"][:, None]
        expected = self.source(images)
        effects: dict[str, float] = {}
        for layer in quantisable(self.graph, kept):
            if layer.endswith(("Conv", "MatMul")):
                alone = network_of(insert(self.graph, self.ranges, [layer]))
                effects[layer] = change(self.task, expected, alone(images), data)
        for layer, effect in sorted(effects.items(), key=lambda item: -item[1]):
            yield Kept(layer, f"quantised alone it moves the output by {effect:.5f}")

    def choose(self, data: Views, limit: float) -> tuple[ModelProto, list[Kept]]:
        """The first model whose error is within `limit` of FP32's. NotQuantised if none is."""
        kept = [Kept(*entry) for entry in unsuited_convolutions(self.graph).items()]
        few = {name: array[:RANKING] for name, array in data.items()}
        worst = islice(self.rank([entry.layer for entry in kept], few), MOST_CHOSEN)
        while True:
            model = self.attempt([entry.layer for entry in kept])
            before, after = self.errors(model, data)
            log.info("error %.5f, FP32 %.5f, %.2f %%", after, before, 100 * (after / before - 1))
            if after <= before * limit:
                return model, kept
            if (found := next(worst, None)) is None:
                raise NotQuantised(
                    f"error {after:.5f} against {before:.5f}, whatever stays in FP32"
                )
            kept.append(found)


def check_batches(network: Network, images: ByteArray, task: str) -> None:
    """NotQuantised unless an image gives the same alone and among others."""
    together = network(images[:, None])[ANSWERS[task]]
    alone = np.concatenate([network(one[None, None])[ANSWERS[task]] for one in images])
    if not np.allclose(together, alone, rtol=0, atol=_SAME):
        worst = float(np.abs(together - alone).max())
        raise NotQuantised(f"a batch moves {ANSWERS[task]} by {worst:.5f}")


def quantise(source: Path, pool: str, out: Path, limit: float = LIMIT) -> dict[str, Any]:
    """Write `out`, and its note beside it with the suffix `.json`; the note is returned.

    NotQuantised or PoolMissing: nothing is written.
    """
    original = onnx.load(source)
    task = task_of(original)
    graph = rewrite(original)
    calibration = views(task, pool, "train", CALIBRATION, SEED)["images"]
    ranges = measure_ranges(graph, calibration, OPERATORS)
    quantiser = Quantiser(task, onnx_network(source), graph, ranges)
    model, kept = quantiser.choose(views(task, pool, "val", VIEWS, SEED), limit)
    check_batches(network_of(model), calibration[:8], task)
    # Other views than those that the layers were chosen on.
    before, after = quantiser.errors(model, views(task, pool, "val", VIEWS, SEED + 1))
    note = {
        "quantised_from": file_sha256(source),
        "tool": f"onnxruntime {ort.__version__}: static, QDQ, u8 x s8, per channel",
        "calibration": {
            "views": CALIBRATION,
            "split": "train",
            "seed": SEED,
            "ranges": "mean of batches' min-max",
        },
        "layers_in_fp32": [asdict(entry) for entry in kept],
        "metrics": {
            "quantisation": {
                "protocol": f"{ERRORS[task]}, on {VIEWS} synthetic views of held-out persons",
                "error_fp32": round(before, 5),
                "error_int8": round(after, 5),
                "ratio": round(after / before, 4),
            }
        },
    }
    save(model, out)
    out.with_suffix(".json").write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return note


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.quantize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="the exported FP32 network (ONNX)")
    parser.add_argument("--pool", required=True, help="folder of rendered persons")
    parser.add_argument("--out", type=Path, required=True, help="the INT8 network (ONNX)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="largest error, of FP32's")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger().addFilter(lambda record: "pre-process" not in record.getMessage())
    try:
        note = quantise(options.model, options.pool, options.out, options.limit)
    except (NotQuantised, PoolMissing, OSError) as error:
        raise SystemExit(f"not quantised: {error}") from None
    for entry in note["layers_in_fp32"]:
        print(f"in FP32: {entry['layer']}: {entry['why']}")
    figures = note["metrics"]["quantisation"]
    print(
        f"{options.out}: error {figures['error_int8']}, FP32 {figures['error_fp32']}, "
        f"ratio {figures['ratio']}: {figures['protocol']}"
    )


if __name__ == "__main__":
    main()
