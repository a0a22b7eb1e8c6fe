import pytest

from service.errors import Overloaded
from service.memory import Memory
from service.telemetry import Telemetry


def test_claims_add_up() -> None:
    telemetry = Telemetry()
    memory = Memory(100, telemetry)
    with memory.claim() as first, memory.claim() as second:
        first.add(60)
        second.add(40)
        with pytest.raises(Overloaded):
            second.add(1)
        assert (memory.claimed, second.bytes) == (100, 40)
        first.release(10)
        second.add(10)
    assert memory.claimed == 0
    labels = {"reason": "memory"}
    assert telemetry.registry.get_sample_value("thermal_rejected_total", labels) == 1


def test_given_back_after_a_failure() -> None:
    memory = Memory(100, Telemetry())
    with pytest.raises(ZeroDivisionError), memory.claim() as claim:
        claim.add(100)
        _ = 1 / 0
    assert memory.claimed == 0
