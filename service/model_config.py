"""`config.pbtxt`, read with Triton's own protobuf, and the version that a folder serves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    version: the newest version folder that the version policy lets through.
    filename: the weights, inside the version's folder.
    """

    engine: str
    max_batch_size: int
    version: int
    filename: str

    @property
    def weights(self) -> str:
        """Path of the weights inside the model's folder, e.g. `1/model.onnx`."""
        return f"{self.version}/{self.filename}"


def read_model_config(folder: Path) -> ModelConfig:
    """Read `folder/config.pbtxt`. ModelConfigError says what is wrong or missing."""
    # Imported here: the generated module pulls in a whole gRPC client.
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig()
    try:
        text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), config)
    except FileNotFoundError:
        raise ModelConfigError("config.pbtxt is missing") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ModelConfigError(f"config.pbtxt: {error}") from None
    engine = config.backend or _PLATFORMS.get(config.platform, config.platform)
    if config.name not in ("", folder.name):
        raise ModelConfigError(f"config.pbtxt: name {config.name!r} is not the folder's")
    if config.max_batch_size < 1:
        raise ModelConfigError("config.pbtxt: max_batch_size must be at least 1")
    allowed = None
    if config.version_policy.WhichOneof("policy_choice") == "specific":
        allowed = set(config.version_policy.specific.versions)
    filename = config.default_model_filename or _FILENAMES.get(engine, "model.onnx")
    return ModelConfig(engine, config.max_batch_size, _newest(folder, allowed), filename)


def _newest(folder: Path, allowed: set[int] | None) -> int:
    """The highest version folder, of the `specific` ones if the policy names some."""
    found = {int(child.name) for child in folder.iterdir() if child.name.isdecimal()}
    served = found if allowed is None else found & allowed
    if not served:
        raise ModelConfigError("no version folder to serve")
    return max(served)
