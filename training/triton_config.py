"""The text of `config.pbtxt`: how Triton serves a published network."""

from collections.abc import Mapping
from typing import Final

MAX_BATCH: Final = {"landmarks": 64, "detector": 8}
# Rows wait this long for company; well under a network's own time on a small machine.
_DELAY_MICROSECONDS: Final = 500
# Triton's queue has no bound by default. Beyond this, or this old, a request is refused at once.
_QUEUE: Final = {"landmarks": 256, "detector": 32}
_TIMEOUT_MICROSECONDS: Final = 2_000_000

_TEMPLATE: Final = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: {input_dims} }}
]
output [
{outputs}
]
version_policy {{ specific {{ versions: [ {version} ] }} }}
dynamic_batching {{
  max_queue_delay_microseconds: {delay}
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {timeout}
    allow_timeout_override: true
    max_queue_size: {queue}
  }}
}}
model_warmup [
{warmups}
]
"""
_WARMUP: Final = (
    '  {{ name: "batch_{size}" batch_size: {size} inputs {{ key: "image" value'
    " {{ data_type: TYPE_UINT8 dims: {dims} zero_data: true }} }} }}"
)


def config_text(
    name: str,
    task: str,
    version: int,
    input_dims: tuple[int, ...],
    outputs: Mapping[str, tuple[int, ...]],
) -> str:
    """Protobuf text; dims without the batch axis. outputs: float32, by name.

    The version is named, not "the latest": what is served changes with this file alone.
    """
    return _TEMPLATE.format(
        name=name,
        max_batch=MAX_BATCH[task],
        input_dims=list(input_dims),
        outputs=",\n".join(
            f'  {{ name: "{output}" data_type: TYPE_FP32 dims: {list(dims)} }}'
            for output, dims in outputs.items()
        ),
        version=version,
        delay=_DELAY_MICROSECONDS,
        timeout=_TIMEOUT_MICROSECONDS,
        queue=_QUEUE[task],
        warmups=",\n".join(
            _WARMUP.format(size=size, dims=list(input_dims)) for size in (1, MAX_BATCH[task])
        ),
    )
