from service.client.status import Tally
from service.entities import SensorEvent
from tests.unit.service.client.answers import answer, face, failed


def test_nothing_yet() -> None:
    assert Tally().line(1.0) == "0.0 frames/s, dropped 0"


def test_a_second() -> None:
    tally = Tally()
    for latency in (0.02, 0.02, 0.1):
        tally.add(answer(0, face(), face(), latency_s=latency, dropped=1))
    tally.add(failed(latency_s=0.02, events=frozenset({SensorEvent.FROZEN}), dropped=0))
    assert tally.line(2.0) == (
        "2.0 frames/s, latency 20 ms (p95 88), faces 1.5 a frame, dropped 3, errors 1, frozen"
    )


def test_days_of_frames_take_no_more_memory() -> None:
    tally, one = Tally(), answer()
    for _ in range(120_000):
        tally.add(one)
    assert len(tally.latencies) <= 100_000 and tally.answered == 120_000
