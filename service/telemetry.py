"""Metrics and logs. Neither ever holds an image or a landmark."""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from service.entities import SensorEvent

STAGES: Final = ("decode", "detect", "crop", "landmarks", "postprocess", "encode")
DROPS: Final = ("newer", "memory", "ended")
UNINFERRED: Final = ("repeated", "blank")
REJECTIONS: Final = ("queue_full", "predicted_wait", "deadline", "backend_queue_full", "memory")

# From half a millisecond (a crop) to the longest deadlines; each step about doubles.
_SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip
_BATCHES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_VALID_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def choose_request_id(sent: str) -> str:
    """The caller's own id, if it is short and plain enough for a log line, else a new one."""
    return sent if _VALID_ID.fullmatch(sent) else uuid.uuid4().hex


# Creation times as series of their own would double the scrape and answer no question here.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Telemetry:
    """One registry and every metric of the service, each primed so that rates start from zero."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._add_requests()
        self._add_models()
        self._add_streams()
        self._add_tracking()

    def _add_requests(self) -> None:
        """What is asked, and how long the steps to its answer take."""
        self.requests = self._counter(
            "thermal_requests_total", "Requests answered.", "transport", "route", "code"
        )
        self.request_duration = self._seconds(
            "thermal_request_duration_seconds", "From first byte to answer.", "transport", "route"
        )
        self.stage_duration = self._seconds(
            "thermal_stage_duration_seconds", "One step of one image.", "stage"
        )
        self.inflight = self._gauge("thermal_inflight_requests", "Images being worked on.")
        self.queued = self._gauge("thermal_queued_requests", "Images waiting for a slot.")
        self.rejected = self._counter(
            "thermal_rejected_total", "Images sent away for lack of room or time.", "reason"
        )
        self.faces = self._counter("thermal_faces_total", "Faces answered.")
        self.ready = self._gauge("thermal_ready", "1 if requests should come here, as in /readyz.")
        _prime(self.stage_duration, STAGES)
        _prime(self.rejected, REJECTIONS)

    def _add_models(self) -> None:
        self.inference_duration = self._seconds(
            "thermal_inference_duration_seconds", "One call of the engine.",
            "model", "version", "backend",
        )  # fmt: skip
        self.batch_size = Histogram(
            "thermal_inference_batch_size", "Images or faces in one call of the engine.",
            buckets=_BATCHES, registry=self.registry,
        )  # fmt: skip
        self.model_info = self._gauge(
            "thermal_model_info", "1 for each model that is loaded.",
            "model", "task", "variant", "precision", "version", "backend", "device",
        )  # fmt: skip

    def _add_streams(self) -> None:
        """Cameras, and what becomes of their frames."""
        self.streams = self._gauge("thermal_stream_open", "Streams that are open.")
        self.frames_received = self._counter(
            "thermal_stream_frames_received_total", "Frames that arrived."
        )
        self.frames_answered = self._counter(
            "thermal_stream_frames_answered_total", "Frames answered, by `ok` or the error's code.",
            "code",
        )  # fmt: skip
        self.frames_dropped = self._counter(
            "thermal_stream_frames_dropped_total",
            "Frames never answered: for a newer one, for want of memory, or as the stream ended.",
            "reason",
        )
        self.frame_latency = self._seconds(
            "thermal_stream_frame_latency_seconds", "From a frame's arrival to its answer."
        )
        self.sensor_events = self._counter(
            "thermal_stream_sensor_events_total", "Times that a camera ceased to show the scene.",
            "event",
        )  # fmt: skip
        self.disturbed = self._gauge(
            "thermal_stream_disturbed", "Open streams whose camera does this now.", "event"
        )
        _prime(self.frames_dropped, DROPS)
        _prime(self.sensor_events, SensorEvent)
        _prime(self.disturbed, SensorEvent)

    def _add_tracking(self) -> None:
        self.frames_uninferred = self._counter(
            "thermal_stream_frames_uninferred_total",
            "Frames answered without a network: `repeated` from the last answer, or `blank`.",
            "reason",
        )
        self.detections = self._counter(
            "thermal_stream_detections_total", "Frames of streams that the detector looked at."
        )
        self.tracks = self._counter(
            "thermal_stream_tracks_total", "Faces that streams began to follow."
        )
        self.tracked_faces = self._gauge(
            "thermal_stream_tracked_faces", "Faces followed, in the last answers of open streams."
        )
        _prime(self.frames_uninferred, UNINFERRED)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def prime_requests(self, transport: str, routes: Iterable[str], codes: Iterable[str]) -> None:
        """Make the series of a door exist before its first request."""
        codes = list(codes)
        for route in routes:
            self.request_duration.labels(transport, route)
            for code in codes:
                self.requests.labels(transport, route, code)

    @contextmanager
    def stage(self, name: str, timings_ms: dict[str, float] | None = None) -> Iterator[None]:
        """Time one of `STAGES`, into its histogram and into `timings_ms`, where it adds up."""
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self.stage_duration.labels(name).observe(seconds)
        if timings_ms is not None:
            timings_ms[name] = round(timings_ms.get(name, 0.0) + 1000 * seconds, 3)

    @contextmanager
    def inference(self, model: str, version: int, backend: str, batch: int) -> Iterator[None]:
        """Time one successful call of the engine and count its batch."""
        with self.inference_duration.labels(model, str(version), backend).time():
            yield
        self.batch_size.observe(batch)

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def _prime(metric: Counter | Gauge | Histogram, values: Iterable[str]) -> None:
    """Make the series of its only label exist."""
    for value in values:
        metric.labels(value)


class JsonFormatter(logging.Formatter):
    """One JSON object a line. `extra={"facts": {...}}` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every logger's lines, as JSON, to `stream` (standard output)."""
    formatter = JsonFormatter()
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
