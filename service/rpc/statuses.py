"""The door's table from error classes to gRPC statuses, and how an error travels."""

from typing import Final

from grpc import StatusCode

from service import errors

STATUS: Final[dict[type[errors.ServiceError], StatusCode]] = {
    errors.ServiceError: StatusCode.INTERNAL,
    errors.InvalidInput: StatusCode.INVALID_ARGUMENT,
    errors.EmptyInput: StatusCode.INVALID_ARGUMENT,
    errors.BrokenImage: StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedFormat: StatusCode.INVALID_ARGUMENT,
    errors.InputTooLarge: StatusCode.INVALID_ARGUMENT,
    errors.InvalidOption: StatusCode.INVALID_ARGUMENT,
    errors.VariantUnavailable: StatusCode.INVALID_ARGUMENT,
    errors.Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.BackendError: StatusCode.INTERNAL,
    errors.BackendUnavailable: StatusCode.UNAVAILABLE,
    errors.BackendTimeout: StatusCode.DEADLINE_EXCEEDED,
    errors.BackendOverloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.ModelNotFound: StatusCode.UNAVAILABLE,
    errors.InferenceFailed: StatusCode.INTERNAL,
}

# Trailing metadata. The code is the same stable one as in REST's problems; no need of google.rpc's
# messages to read it. The wait is gRPC's own: clients with a retry policy heed it.
CODE_KEY: Final = "thermal-code"
WAIT_KEY: Final = "grpc-retry-pushback-ms"
_DEFAULT_RETRY_AFTER_S: Final = 1

Metadata = tuple[tuple[str, str], ...]


def retry_after_s(error: errors.ServiceError) -> int:
    """Seconds to wait before another try; 0 where waiting is no help."""
    if STATUS[type(error)] is not StatusCode.RESOURCE_EXHAUSTED:
        return 0
    return int(error.extra.get("retry_after_s", _DEFAULT_RETRY_AFTER_S))


def error_metadata(error: errors.ServiceError) -> Metadata:
    """The trailing metadata of a call that ends with `error`."""
    wait = retry_after_s(error)
    return (
        (CODE_KEY, error.code),
        *(((WAIT_KEY, str(1000 * wait)),) if wait else ()),
    )
