"""The text of `config.pbtxt`: how Triton serves a published network."""

from collections.abc import Mapping, Sequence
from typing import Final

MAX_BATCH: Final = {"landmarks": 64, "detector": 8}
# Rows wait this long for company; well under a network's own time on a small machine.
_DELAY_MICROSECONDS: Final = 500
# Triton's queue has no bound by default. Beyond this, or this old, a request is refused at once.
_QUEUE: Final = {"landmarks": 256, "detector": 32}
_TIMEOUT_MICROSECONDS: Final = 2_000_000

# No instance_group for ONNX: Triton then takes every GPU that it finds, else the processors. How
# many threads it gets there is the host's choice (docs/operations.md), not the repository's.
_TEMPLATE: Final = """\
name: "{name}"
{engine}
max_batch_size: {max_batch}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: {input_dims} }}
]
output [
{outputs}
]
version_policy {{ specific {{ versions: {versions} }} }}
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


# Of a TensorRT plan (`training.tensorrt_engine`): Triton takes the one that suits each batch.
PROFILES: Final = {"0": (1, 1, 8), "1": (1, 32, 64)}  # smallest, best and largest batch


def plan_file(capability: str) -> str:
    """Name of the plan for GPUs of a compute capability, e.g. `9.0`."""
    return f"model_sm{capability}.plan"


def config_text(
    name: str,
    task: str,
    versions: Sequence[int],
    input_dims: tuple[int, ...],
    outputs: Mapping[str, tuple[int, ...]],
    plans: Sequence[str] = (),
) -> str:
    """Protobuf text; dims without the batch axis. outputs: float32, by name.

    The versions are named, not "the latest": what is served changes with this file alone.
    plans: names of TensorRT plans, one a type of GPU; none for ONNX.
    """
    return _TEMPLATE.format(
        name=name,
        engine=_tensorrt(plans) if plans else 'backend: "onnxruntime"',
        max_batch=MAX_BATCH[task],
        input_dims=list(input_dims),
        outputs=",\n".join(
            f'  {{ name: "{output}" data_type: TYPE_FP32 dims: {list(dims)} }}'
            for output, dims in outputs.items()
        ),
        versions=sorted(versions),
        delay=_DELAY_MICROSECONDS,
        timeout=_TIMEOUT_MICROSECONDS,
        queue=_QUEUE[task],
        warmups=",\n".join(
            _WARMUP.format(size=size, dims=list(input_dims)) for size in (1, MAX_BATCH[task])
        ),
    )


def _tensorrt(plans: Sequence[str]) -> str:
    """Triton picks the plan by the GPU it finds; on one that has none, the model does not load."""
    by_gpu = ",\n".join(
        f'  {{ key: "{plan.removeprefix("model_sm").removesuffix(".plan")}" value: "{plan}" }}'
        for plan in sorted(plans)
    )
    profiles = ", ".join(f'"{index}"' for index in PROFILES)
    return (
        f'platform: "tensorrt_plan"\ncc_model_filenames [\n{by_gpu}\n]\n'
        f"instance_group [ {{ count: 1 kind: KIND_GPU profile: [ {profiles} ] }} ]"
    )
