import pytest

from training.paper.speed import measure


@pytest.mark.slow
def test_latencies_are_measured() -> None:
    said: list[str] = []
    (found,) = measure(2, said.append, variants=("t",))
    assert (found.variant, len(said)) == ("t", 1)
    assert found.parameters == 4_333_538
    assert found.milliseconds == found.landmarks_ms + found.detector_ms > 0
