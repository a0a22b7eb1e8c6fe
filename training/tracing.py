"""A torch module as a tidy ONNX model: readable names, a free batch axis, no traces of where it
was made."""

import ast
import copy
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import onnx
import torch
from torch import Tensor, nn

OPSET: Final = 18
IR_VERSION: Final = 10  # the newest that ONNX Runtime 1.18 to 1.20 (2024's Triton images) reads
Module = TypeVar("Module", bound=nn.Module)
_SCOPES: Final = "pkg.torch.onnx.name_scopes"


def trace(
    graph: nn.Module, example: Tensor, input_name: str, output_names: Sequence[str], name: str
) -> onnx.ModelProto:
    """`graph`, in eval mode and float32 on the CPU, as ONNX. The module itself stays as it is.

    example: an input with at least two images, since a batch of one would be taken for a constant.
    name: of the ONNX graph.
    Raises ValueError if the example is too small or a weight is not finite.
    """
    if example.shape[0] < 2:
        raise ValueError("tracing needs an example of at least two images")
    broken = [key for key, value in graph.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"weights that are not finite: {', '.join(broken[:3])}")
    with _quiet():
        program = torch.onnx.export(
            on_cpu(graph),
            (example,),
            dynamo=True,
            input_names=[input_name],
            output_names=list(output_names),
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )
    assert program is not None  # given back whenever no path is
    model = program.model_proto
    _tidy(model, name)
    onnx.checker.check_model(model, full_check=True)
    return model


def on_cpu(graph: Module) -> Module:
    """A copy in float32 and eval mode."""
    return copy.deepcopy(graph).to("cpu", torch.float32).eval()


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write to a neighbouring file, then rename: nobody ever sees half a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(model.SerializeToString())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hush what the exporter says about itself: a deprecation inside torch, torchvision missing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _tidy(model: onnx.ModelProto, name: str) -> None:
    """Name nodes by the module they come from, and drop the rest of what the exporter noted.

    Those notes hold source lines and absolute paths of the machine that exported.
    """
    model.ir_version = min(model.ir_version, IR_VERSION)
    model.graph.name = name
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    _name_nodes(model.graph)
    graph = model.graph
    for part in (graph.node, graph.input, graph.output, graph.initializer, graph.value_info):
        for item in part:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")


def _name_nodes(graph: onnx.GraphProto) -> None:
    """`backbone/stem/0/conv/Conv`, `decode/Softmax`, `decode/Softmax_1` ..."""
    scopes: dict[str, str] = {}  # of the node that makes each value
    seen: Counter[str] = Counter()
    for node in graph.node:
        scope = _scope(node)
        if scope is None:  # made by a rewrite: belongs where its input comes from
            scope = scopes.get(node.input[0], "") if node.input else ""
        scopes.update(dict.fromkeys(node.output, scope))
        plain = f"{scope}/{node.op_type}".lstrip("/")
        node.name = f"{plain}_{seen[plain]}" if seen[plain] else plain
        seen[plain] += 1


def _scope(node: onnx.NodeProto) -> str | None:
    """The path of the module that `node` comes from, if the exporter noted it."""
    notes = {note.key: note.value for note in node.metadata_props}
    if _SCOPES not in notes:
        return None
    scopes: list[str] = ast.literal_eval(notes[_SCOPES])  # outermost first, the operation last
    path = scopes[-2].removeprefix("network").lstrip(".") if len(scopes) > 1 else ""
    if node.op_type == "Conv":  # a batch normalisation folded into its convolution
        path = path.removesuffix(".bn") + ".conv" if path.endswith(".bn") else path
    return path.replace(".", "/")
