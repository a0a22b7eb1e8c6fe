"""The soak's short form, and that its verdict notices what it is there for."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.verdict import SLOPE_LIMIT, Evidence, judge
from tests.soak.watch import Metrics, Sample, memory_slope

SHORT = Plan(
    seconds=5, streams=4, fps=4, freeze_every=10, freeze_for=4, kill_every=2,
    answers_before_kill=2, deadline=60,
)  # fmt: skip
Tamper = Callable[[Evidence], Evidence]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return asyncio.run(soak(SHORT, models="face_detector,landmarks_t_int8"))


def wrong(evidence: Evidence) -> set[str]:
    return {check.name for check in judge(evidence) if not check.good}


def test_short_soak(evidence: Evidence) -> None:
    assert [check for check in judge(evidence) if not check.good] == []


def metric(name: str, value: str) -> Tamper:
    """The first series of this name with another value."""

    def change(e: Evidence) -> Evidence:
        lines = e.metrics.text.splitlines(keepends=True)
        index = next(i for i, line in enumerate(lines) if line.startswith(f"thermal_stream_{name}"))
        lines[index] = f"{lines[index].rpartition(' ')[0]} {value}\n"
        return replace(e, metrics=Metrics("".join(lines)))

    return change


def first_camera(**changes: Any) -> Tamper:
    return lambda e: replace(e, seen=[replace(e.seen[0], **changes), *e.seen[1:]])


def after(**changes: int) -> Tamper:
    return lambda e: replace(e, after=replace(e.after, **changes))


@pytest.mark.parametrize(
    ("name", "tamper"),
    [
        ("connections", first_camera(retries=["unavailable"])),
        ("answers", first_camera(codes=Counter(ok=18, inference_failed=1))),
        ("every frame", first_camera(given=1000)),
        ("freezes", first_camera(freezes=9, survived=0)),
        ("fairness", first_camera(codes=Counter(ok=1))),
        ("killed", lambda e: replace(e, killed=0)),
        ("stalled", lambda e: replace(e, log=[{**line, "request_id": ""} for line in e.log])),
        ("metrics", metric("frames_received_total", "9.0")),
        ("metrics and log", lambda e: replace(e, log=e.log[1:])),
        ("log and cameras", first_camera(codes=Counter(ok=1))),
        ("by code", metric('frames_answered_total{code="deadline_exceeded"}', "1.0")),
        ("sensor events", metric('sensor_events_total{event="frozen"}', "99.0")),
        ("open", metric("open ", "1.0")),
        ("tracked_faces", metric("tracked_faces ", "1.0")),
        ("disturbed", metric("disturbed", "1.0")),
        ("threads", after(threads=99)),
        ("open files", after(files=99)),
        ("exit", lambda e: replace(e, status=-9)),
    ],
)
def test_the_verdict_notices(evidence: Evidence, name: str, tamper: Tamper) -> None:
    assert name in wrong(tamper(evidence))


def grown(mib_an_hour: float) -> list[Sample]:
    """Half an hour, a sample a second; memory also grows at the start, and breathes."""
    noise = np.random.default_rng(0).normal(0, 1, 1800)
    return [
        Sample(at, 300 - 50 * np.exp(-at / 60) + mib_an_hour * at / 3600 + noise[at], 15, 20)
        for at in range(1800)
    ]


@pytest.mark.parametrize("true", [0.0, 40.0])
def test_memory_slope(true: float) -> None:
    slope = memory_slope(grown(true))
    assert 0 < slope.error < 1
    assert abs(slope.value - true) < 4 * slope.error


@pytest.mark.parametrize(
    ("mib_an_hour", "bad"), [(0.0, False), (SLOPE_LIMIT / 2, False), (2 * SLOPE_LIMIT, True)]
)
def test_a_leak(evidence: Evidence, mib_an_hour: float, bad: bool) -> None:
    long = replace(evidence, seconds=1800.0, samples=grown(mib_an_hour))
    assert ("memory" in wrong(long)) is bad
