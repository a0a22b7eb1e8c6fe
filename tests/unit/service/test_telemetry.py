import io
import json
import logging
from collections.abc import Iterator

import pytest

from service.entities import SensorEvent
from service.telemetry import STAGES, UNINFERRED, JsonFormatter, Telemetry, request_id


@pytest.fixture
def logger() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    made = logging.getLogger("thermal.test")
    made.addHandler(handler)
    yield made, stream
    made.removeHandler(handler)


def test_one_json_object_a_line(logger: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = logger
    token = request_id.set("abc")
    log.warning("two\nlines", extra={"facts": {"status": 200}})
    request_id.reset(token)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["message"], entry["request_id"], entry["status"]) == ("two\nlines", "abc", 200)
    assert entry["level"] == "warning"
    assert entry["time"].endswith("Z")


def test_tracebacks(logger: tuple[logging.Logger, io.StringIO]) -> None:
    log, stream = logger
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("failed")
    assert "ZeroDivisionError" in json.loads(stream.getvalue())["traceback"]


def test_primed_at_start() -> None:
    telemetry = Telemetry()
    telemetry.prime_requests("rest", ["/landmarks"], ["200", "429"])
    text = telemetry.render().decode()
    for stage in STAGES:
        assert f'thermal_stage_duration_seconds_count{{stage="{stage}"}} 0.0' in text
    for reason in ("queue_full", "predicted_wait", "deadline", "backend_queue_full"):
        assert f'thermal_rejected_total{{reason="{reason}"}} 0.0' in text
    assert 'thermal_requests_total{code="429",route="/landmarks",transport="rest"} 0.0' in text
    for name in ("inflight_requests", "queued_requests", "faces_total"):
        assert f"thermal_{name} 0.0" in text
    assert 'le="0.0005"' in text
    for event in SensorEvent:
        assert f'thermal_stream_sensor_events_total{{event="{event}"}} 0.0' in text
        assert f'thermal_stream_disturbed{{event="{event}"}} 0.0' in text
    for reason in UNINFERRED:
        assert f'thermal_stream_frames_uninferred_total{{reason="{reason}"}} 0.0' in text
    for name in ("detections_total", "tracks_total", "tracked_faces"):
        assert f"thermal_stream_{name} 0.0" in text


def test_stage_writes_both() -> None:
    telemetry, timings = Telemetry(), dict[str, float]()
    with telemetry.stage("crop", timings):
        pass
    assert timings["crop"] >= 0
    assert telemetry.registry.get_sample_value(
        "thermal_stage_duration_seconds_count", {"stage": "crop"}
    )
