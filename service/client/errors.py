"""What can go wrong with a call, as exceptions.

    ClientError
    |-- InvalidRequest      the service does not take it, however often it is tried
    |-- Unauthorised        no valid token
    |-- Unsupported         this service does not know the method: not ours, or another version
    |-- Overloaded          load is being shed; `retry_after_s` says when to come back
    |-- Unavailable         nobody answers, or the service is not ready
    |-- DeadlineExceeded    past the call's time
    `-- ServiceFailed       the service's own fault

`code` is the service's stable one, the same as in REST's problems (`invalid_option`, `overloaded`,
...); where the call did not reach the service, the gRPC status in lower case (`unavailable`).
"""

from typing import ClassVar, Final

from grpc import StatusCode
from grpc.aio import AioRpcError

# Trailing metadata of the service.
_CODE_KEY: Final = "thermal-code"
_WAIT_KEY: Final = "grpc-retry-pushback-ms"
_REQUEST_ID_KEY: Final = "x-request-id"
_TOO_LARGE: Final = "larger than max"  # gRPC's words, at either end, for a message over its limit


class ClientError(Exception):
    """Base of all. `passing`: whether the same call may succeed later.

    request_id: under which the service has logged the call; None if it did not answer.
    """

    passing: ClassVar[bool] = True

    def __init__(
        self,
        detail: str,
        code: str,
        *,
        retry_after_s: float = 0.0,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.detail = detail
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class InvalidRequest(ClientError):
    passing = False


class Unauthorised(ClientError):
    passing = False


class Unsupported(ClientError):
    passing = False


class Overloaded(ClientError):
    pass


class Unavailable(ClientError):
    pass


class DeadlineExceeded(ClientError):
    pass


class ServiceFailed(ClientError):
    pass


# All others are ServiceFailed.
_CLASSES: Final[dict[StatusCode, type[ClientError]]] = {
    StatusCode.INVALID_ARGUMENT: InvalidRequest,
    StatusCode.UNAUTHENTICATED: Unauthorised,
    StatusCode.PERMISSION_DENIED: Unauthorised,
    StatusCode.UNIMPLEMENTED: Unsupported,
    StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    StatusCode.UNAVAILABLE: Unavailable,
    StatusCode.CANCELLED: Unavailable,  # by the other side; our own cancelling does not come here
    StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def from_rpc(error: AioRpcError) -> ClientError:
    """The exception for a call that gRPC ended."""
    trailing = {key: _text(value) for key, value in error.trailing_metadata() or ()}
    status, detail = error.code(), error.details() or ""
    code = trailing.get(_CODE_KEY, "")
    if status is StatusCode.RESOURCE_EXHAUSTED and not code and _TOO_LARGE in detail:
        return InvalidRequest(detail, "input_too_large")
    return _CLASSES.get(status, ServiceFailed)(
        detail,
        code or status.name.lower(),
        retry_after_s=_seconds(trailing.get(_WAIT_KEY, "")),
        request_id=trailing.get(_REQUEST_ID_KEY),
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _seconds(milliseconds: str) -> float:
    """0 for what is no number: some proxy's, not ours."""
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else 0.0
