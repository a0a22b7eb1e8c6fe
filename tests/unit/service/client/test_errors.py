import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from service.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ServiceFailed,
    Unauthorised,
    Unavailable,
    Unsupported,
    from_rpc,
)


def ended(status: StatusCode, detail: str = "words", **trailing: str | bytes) -> AioRpcError:
    pairs = ((name.replace("_", "-"), value) for name, value in trailing.items())
    return AioRpcError(status, Metadata(), Metadata(*pairs), detail)


@pytest.mark.parametrize(
    ("status", "kind", "passing"),
    [
        (StatusCode.INVALID_ARGUMENT, InvalidRequest, False),
        (StatusCode.UNAUTHENTICATED, Unauthorised, False),
        (StatusCode.PERMISSION_DENIED, Unauthorised, False),
        (StatusCode.UNIMPLEMENTED, Unsupported, False),
        (StatusCode.RESOURCE_EXHAUSTED, Overloaded, True),
        (StatusCode.UNAVAILABLE, Unavailable, True),
        (StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded, True),
        (StatusCode.INTERNAL, ServiceFailed, True),
        (StatusCode.UNKNOWN, ServiceFailed, True),
    ],
)
def test_classes(status: StatusCode, kind: type[ClientError], passing: bool) -> None:
    error = from_rpc(ended(status))
    assert type(error) is kind and error.passing is passing
    assert (error.code, error.detail) == (status.name.lower(), "words")
    assert (error.retry_after_s, error.request_id) == (0.0, None)


def test_what_the_service_says_in_its_metadata() -> None:
    error = from_rpc(
        ended(
            StatusCode.RESOURCE_EXHAUSTED,
            thermal_code="overloaded",
            grpc_retry_pushback_ms="1500",
            x_request_id="abc",
        )
    )
    assert (error.code, error.retry_after_s, error.request_id) == ("overloaded", 1.5, "abc")
    assert str(error) == "overloaded: words"


@pytest.mark.parametrize("wait", ["", "-1", "soon"])
def test_waits_that_are_none(wait: str) -> None:
    error = from_rpc(ended(StatusCode.RESOURCE_EXHAUSTED, grpc_retry_pushback_ms=wait))
    assert error.retry_after_s == 0.0


def test_a_message_over_gRPC_s_own_limit_stays_too_large() -> None:
    detail = "Received message larger than max (33 vs. 32)"
    error = from_rpc(ended(StatusCode.RESOURCE_EXHAUSTED, detail))
    assert isinstance(error, InvalidRequest) and error.code == "input_too_large"
