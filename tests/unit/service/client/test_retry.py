import pytest

from service.client.errors import InvalidRequest, Overloaded, Unavailable
from service.client.retry import Backoff, Retry

GONE = Unavailable("nobody there", "unavailable")


def longest(low: float, high: float) -> float:
    assert low == 0
    return high


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(Retry(attempts=None, first_s=0.2, longest_s=1.0), longest)
    assert [backoff.wait(GONE) for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.succeeded()
    assert backoff.wait(GONE) == 0.2


def test_waits_are_drawn_from_nought_on() -> None:
    backoff = Backoff(Retry(attempts=None, first_s=0.2, longest_s=1.0))
    waits = [backoff.wait(GONE) for _ in range(200)]
    assert 0 <= min(waits) < 0.1 and 0.9 < max(waits) <= 1.0


def test_what_the_service_asks_for_is_the_least() -> None:
    backoff = Backoff(Retry(attempts=None, first_s=0.2, longest_s=1.0), longest)
    assert backoff.wait(Overloaded("full", "overloaded", retry_after_s=3)) == 3.2


@pytest.mark.parametrize(("limit", "expected"), [(10.0, 0.5), (0.3, 0.3)])
def test_cameras_of_a_service_that_stops_do_not_leave_together(
    limit: float, expected: float
) -> None:
    """And it is no failure."""
    backoff = Backoff(Retry(attempts=2, longest_s=limit), longest)
    assert [backoff.scatter() for _ in range(3)] == [expected] * 3
    assert backoff.wait(GONE) == 0.2


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts_in_a_row(attempts: int) -> None:
    backoff = Backoff(Retry(attempts=attempts))
    for _ in range(attempts - 1):
        backoff.wait(GONE)
    with pytest.raises(Unavailable):
        backoff.wait(GONE)


def test_never_for_what_cannot_succeed() -> None:
    with pytest.raises(InvalidRequest):
        Backoff(Retry(attempts=None)).wait(InvalidRequest("wrong", "invalid_option"))


def test_a_failing_service_for_ever() -> None:
    backoff = Backoff(Retry(attempts=None), longest)
    assert [backoff.wait(GONE) for _ in range(5000)][-1] == Retry().longest_s


@pytest.mark.parametrize(
    ("field", "value"), [("attempts", 0), ("first_s", 0.0), ("first_s", 99.0), ("longest_s", 0.1)]
)
def test_wrong_settings(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Retry(**{field: value})  # type: ignore[arg-type]
