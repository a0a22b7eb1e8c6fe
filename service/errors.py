"""Every error the service lets out.

    ServiceError
    |-- InvalidInput               the request cannot be understood
    |   |-- EmptyInput             no bytes at all
    |   |-- BrokenImage            allowed format, but truncated or damaged
    |   |-- UnsupportedFormat      not one of the allowed formats, by its first bytes
    |   |-- InputTooLarge          too many bytes or pixels
    |   `-- InvalidOption          an option's value is not allowed
    |       `-- VariantUnavailable unknown variant, or one without weights
    |-- Overloaded                 load is being shed; try again later
    |-- DeadlineExceeded           the caller's time is up
    `-- BackendError               the inference engine, as seen by its users
        |-- BackendUnavailable     not reachable, or not ready
        |-- BackendTimeout         no answer within the given time
        |-- BackendOverloaded      its queue is full
        |-- ModelNotFound          it does not have that model
        `-- InferenceFailed        it failed inside

Each class has a stable `code`, which clients may rely on. The doors (REST, gRPC) hold the tables
from classes to statuses; nothing here knows about HTTP.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ServiceError(Exception):
    """Base of all. `str(error)` is safe to show to a client; `extra` holds facts for machines."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.extra: Mapping[str, Any] = extra


class InvalidInput(ServiceError):
    code = "invalid_input"


class EmptyInput(InvalidInput):
    code = "empty_input"


class BrokenImage(InvalidInput):
    code = "broken_image"


class UnsupportedFormat(InvalidInput):
    code = "unsupported_format"


class InputTooLarge(InvalidInput):
    code = "input_too_large"


class InvalidOption(InvalidInput):
    code = "invalid_option"


class VariantUnavailable(InvalidOption):
    code = "variant_unavailable"


class Overloaded(ServiceError):
    code = "overloaded"


class DeadlineExceeded(ServiceError):
    code = "deadline_exceeded"


class BackendError(ServiceError):
    code = "backend_error"


class BackendUnavailable(BackendError):
    code = "backend_unavailable"


class BackendTimeout(BackendError):
    code = "backend_timeout"


class BackendOverloaded(BackendError):
    code = "backend_overloaded"


class ModelNotFound(BackendError):
    code = "model_not_found"


class InferenceFailed(BackendError):
    code = "inference_failed"
