"""Whether a soak went well: from what the cameras, the log, the metrics and the process say."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.soak.cameras import Seen
from tests.soak.plan import STALLED
from tests.soak.watch import Metrics, Sample, Slope, after_warm_up, memory_slope

BROKEN: Final = "broken_image"  # the code of frames that were cut short
SLOPE_LIMIT: Final = 10.0  # MiB an hour
JUDGED_FROM: Final = 600.0  # seconds: in shorter runs, memory has not settled
FAIR: Final = 0.5  # smallest share of the answers, of the largest: below, a stream starves
THREADS_MORE: Final = 4  # gRPC's pool breathes


@dataclass(frozen=True)
class Evidence:
    """log: facts of every stream's last line. before, after: the process with no stream open.

    status: of the process at its end.
    """

    seconds: float
    seen: Sequence[Seen]
    killed: int
    log: Sequence[dict[str, Any]]
    metrics: Metrics
    samples: Sequence[Sample]
    before: Sample
    after: Sample
    status: int


@dataclass(frozen=True)
class Check:
    name: str
    good: bool
    text: str


def judge(evidence: Evidence) -> list[Check]:
    """Every check, in the order in which they are read."""
    checks = _cameras, _disturbers, _metrics, _gauges, _process
    return [check for group in checks for check in group(evidence)]


def _cameras(e: Evidence) -> Iterator[Check]:
    retries = [retry for seen in e.seen for retry in seen.retries]
    yield Check("connections", not retries, f"{len(retries)} broke {retries[:3]}")
    wrong = sum((seen.codes for seen in e.seen), Counter[str]())
    cut = sum(seen.cut for seen in e.seen if seen.keep_all)
    told = sum(seen.codes[BROKEN] for seen in e.seen if seen.keep_all)
    good = set(wrong) <= {"ok", BROKEN} and told == cut
    yield Check("answers", good, f"{dict(wrong)}; {told} of {cut} cut frames told, where all are")
    lost = [seen.given - seen.answered - seen.dropped for seen in e.seen]
    kept = all(seen.dropped == 0 for seen in e.seen if seen.keep_all)
    text = f"{sum(seen.given for seen in e.seen)} given, {sum(s.dropped for s in e.seen)} dropped"
    yield Check("every frame", kept and not any(lost), f"{text}, unaccounted for: {sum(lost)}")
    freezes, survived = (sum(getattr(s, key) for s in e.seen) for key in ("freezes", "survived"))
    still = sum(seen.frozen for seen in e.seen)
    good = freezes > 0 and survived + still == freezes
    yield Check("freezes", good, f"{freezes}, after {survived} the same faces, {still} at the end")
    shares = [seen.answered for seen in e.seen]
    good = min(shares) >= FAIR * max(shares)
    yield Check("fairness", good, f"{min(shares)} to {max(shares)} answers a stream")


def _disturbers(e: Evidence) -> Iterator[Check]:
    yield Check("killed", e.killed > 0, f"{e.killed} clients in mid-stream")
    stalled = [line for line in e.log if line["request_id"] == STALLED]
    good = len(stalled) == 1 and stalled[0]["dropped"] > stalled[0]["answered"]
    facts = [{key: line[key] for key in ("received", "answered", "dropped")} for line in stalled]
    yield Check("stalled", good, f"held up: {facts}")


def _metrics(e: Evidence) -> Iterator[Check]:
    """The metrics, the log and the cameras count the same."""
    answered, dropped = (
        sum(e.metrics.by(label, f"frames_{name}_total").values())
        for label, name in (("code", "answered"), ("reason", "dropped"))
    )
    received = e.metrics.total("frames_received_total")
    text = f"{received} received = {answered} answered + {dropped} dropped"
    yield Check("metrics", received == answered + dropped, text)
    logged = {key: sum(line[key] for line in e.log) for key in ("received", "answered", "dropped")}
    same = logged == {"received": received, "answered": answered, "dropped": dropped}
    yield Check("metrics and log", same, f"{len(e.log)} streams logged {logged}")
    stayed, others = _who_stayed(e)
    ours = sorted(seen.answered for seen in e.seen)
    theirs = sorted(line["answered"] for line in stayed)
    never_sent = sum(s.given for s in e.seen) - sum(line["received"] for line in stayed)
    lost = sum(s.dropped for s in e.seen) - sum(line["dropped"] for line in stayed)
    good = ours == theirs and never_sent == lost >= 0
    yield Check("log and cameras", good, f"same answers a stream; {never_sent} frames never sent")
    codes = sum((seen.codes for seen in e.seen), Counter[str]())
    codes["ok"] += sum(line["answered"] for line in others)
    counted = e.metrics.by("code", "frames_answered_total")
    yield Check("by code", counted == dict(codes), f"metrics {counted}, counted {dict(codes)}")
    frozen = e.metrics.total("sensor_events_total", event="frozen")
    freezes = sum(seen.freezes for seen in e.seen)
    yield Check("sensor events", frozen == freezes, f"{frozen} frozen, cameras saw {freezes}")


def _who_stayed(e: Evidence) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines of the cameras that stayed, which are the longest streams but the stalled one, and of
    the others."""
    read = (line for line in e.log if line["request_id"] != STALLED)
    stayed = sorted(read, key=lambda line: line["duration_ms"])[-len(e.seen) :]
    return stayed, [line for line in e.log if line not in stayed]


def _gauges(e: Evidence) -> Iterator[Check]:
    for name in ("open", "tracked_faces", "disturbed"):
        value = e.metrics.total(name)
        yield Check(name, value == 0, f"{value} after the streams' end")


def _process(e: Evidence) -> Iterator[Check]:
    slope, settled = memory_slope(e.samples), after_warm_up(e.samples)
    text = f"{settled[0].rss:.0f} MiB, {settled[-1].rss:.0f} at the end;"
    text += f" {slope.value:+.1f} +- {slope.error:.1f} MiB an hour"
    short = e.seconds < JUDGED_FROM
    text += ", not judged: too short" if short else f" (limit {SLOPE_LIMIT:g})"
    yield Check("memory", short or not _leaks(slope), text)
    most = max(sample.threads for sample in settled)
    good = e.after.threads <= e.before.threads + THREADS_MORE or e.after.threads < most
    text = f"{e.before.threads} before, at most {most}, {e.after.threads} after"
    yield Check("threads", good, text)
    most = max(sample.files for sample in settled)
    text = f"{e.before.files} before, at most {most}, {e.after.files} after"
    yield Check("open files", e.after.files <= e.before.files, text)
    yield Check("exit", e.status == 0, f"status {e.status} after SIGTERM")


def _leaks(slope: Slope) -> bool:
    return slope.value > SLOPE_LIMIT and slope.value > 2 * slope.error


def streams_table(seen: Sequence[Seen]) -> Iterator[str]:
    """One line a camera that stayed."""
    yield "stream  policy  answered  dropped  p50 ms  p95 ms  longest gap s  ids  freezes"
    for number, one in enumerate(seen):
        median, high = 1000 * np.percentile(one.latencies, (50, 95))
        policy = "none" if one.keep_all else "newest"
        yield (
            f"{number:6}  {policy:6}  {one.answered:8}  {one.dropped:7}  {median:6.0f}  {high:6.0f}"
            f"  {one.longest_gap:13.1f}  {len(one.tracks):3}  {one.freezes:7}"
        )
