from collections.abc import Iterator

import pytest
from grpc import StatusCode

from service import errors
from service.rest.problems import STATUS as HTTP
from service.rpc.statuses import STATUS, error_metadata


def every(cls: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from every(child)


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(every(errors.ServiceError))


@pytest.mark.parametrize("error", STATUS)
def test_both_doors_agree(error: type[errors.ServiceError]) -> None:
    """By the table of the two doors."""
    by_http = {
        400: StatusCode.INVALID_ARGUMENT,
        413: StatusCode.INVALID_ARGUMENT,
        415: StatusCode.INVALID_ARGUMENT,
        422: StatusCode.INVALID_ARGUMENT,
        429: StatusCode.RESOURCE_EXHAUSTED,
        500: StatusCode.INTERNAL,
        502: StatusCode.INTERNAL,
        503: StatusCode.UNAVAILABLE,
        504: StatusCode.DEADLINE_EXCEEDED,
    }
    assert STATUS[error] is by_http[HTTP[error]]


def test_metadata() -> None:
    assert error_metadata(errors.BrokenImage("x")) == (("thermal-code", "broken_image"),)
    assert error_metadata(errors.Overloaded("x", retry_after_s=3)) == (
        ("thermal-code", "overloaded"),
        ("grpc-retry-pushback-ms", "3000"),
    )
