"""`config.pbtxt`, read with Triton's own protobuf, and the versions that a folder serves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Triton's older spelling, one word for engine and file format.
_PLATFORMS: Final = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}
_FILENAMES: Final = {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}


class ModelConfigError(ValueError):
    """The model's folder cannot be served. The message says why, without machine paths."""


@dataclass(frozen=True)
class ModelConfig:
    """What the gateway needs of a model's configuration.

    engine: `onnxruntime`, `tensorrt`, ...
    max_batch_size: at least 1.
    versions: the version folders that the version policy lets through, ascending; not empty.
    filenames: the weights, inside a version's folder: one, or one plan for each type of GPU.
    """

    engine: str
    max_batch_size: int
    versions: tuple[int, ...]
    filenames: tuple[str, ...]

    def files(self, version: int) -> list[str]:
        """Paths of a version's weights inside the model's folder, e.g. `1/model.onnx`."""
        return [f"{version}/{name}" for name in self.filenames]


def read_model_config(folder: Path) -> ModelConfig:
    """Read `folder/config.pbtxt`. ModelConfigError says what is wrong or missing."""
    config = _read(folder)
    engine = config.backend or _PLATFORMS.get(config.platform, config.platform)
    if config.name not in ("", folder.name):
        raise ModelConfigError(f"config.pbtxt: name {config.name!r} is not the folder's")
    if config.max_batch_size < 1:
        raise ModelConfigError("config.pbtxt: max_batch_size must be at least 1")
    by_gpu = sorted(set(config.cc_model_filenames.values()))
    single = config.default_model_filename or _FILENAMES.get(engine, "model.onnx")
    filenames = tuple(by_gpu) or (single,)
    return ModelConfig(engine, config.max_batch_size, _versions(folder, config), filenames)


def config_json(folder: Path, versions: Iterable[int]) -> str:
    """The same configuration as JSON, for `versions` alone: what Triton's load call takes."""
    from google.protobuf import json_format

    config = _read(folder)
    config.version_policy.Clear()
    config.version_policy.specific.versions.extend(sorted(versions))
    text: str = json_format.MessageToJson(config, preserving_proto_field_name=True, indent=None)
    return text


def _read(folder: Path) -> Any:
    # Imported here: the generated module pulls in a whole gRPC client.
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), config)
    except OSError:
        raise ModelConfigError("config.pbtxt is missing or cannot be read") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ModelConfigError(f"config.pbtxt: {error}") from None
    return config


def _versions(folder: Path, config: Any) -> tuple[int, ...]:
    """The `specific` ones if the policy names some, else the highest, as Triton does."""
    found = {int(child.name) for child in folder.iterdir() if child.name.isdecimal()}
    if config.version_policy.WhichOneof("policy_choice") == "specific":
        found &= set(config.version_policy.specific.versions)
        served = sorted(found)
    else:
        served = sorted(found)[-1:]
    if not served:
        raise ModelConfigError("no version folder to serve")
    return tuple(served)
