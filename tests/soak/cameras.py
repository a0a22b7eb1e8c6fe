"""Who streams in a soak: cameras that stay, one that is killed over and over, one that stalls."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import grpc

from service.client import Answer, AsyncThermalClient, CameraFrame, ClientError, Retry
from service.client.requests import config_message, frame_message
from service.client.sources.synthetic import SyntheticCamera, open_synthetic
from service.entities import SensorEvent
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from tests.soak.plan import STALLED, Plan

# What a client's transport takes in without a reader: by default it grows to megabytes.
_SMALL_WINDOW: Final = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 2**16))


class TroubledCamera:
    """The synthetic camera, whose picture stands still now and then, and some of whose frames lose
    a row on their way."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._inner = open_synthetic(seed=index, fps=plan.fps, frames=plan.frames)
        self._plan = plan
        self._shift = index * plan.freeze_every // (2 * plan.streams)  # not all at once
        self.form = self._inner.form
        self.given = self.cut = 0

    def frames(self) -> Iterator[CameraFrame]:
        held: CameraFrame | None = None
        for number, frame in enumerate(self._inner.frames()):
            position = (number + self._shift) % self._plan.freeze_every
            self.given += 1
            if position == 1:
                self.cut += 1
                yield replace(frame, data=frame.data[:-1])
            elif position >= self._plan.freeze_every - self._plan.freeze_for and held:
                yield replace(held, captured=frame.captured)
            else:
                held = frame
                yield frame

    def close(self) -> None:
        self._inner.close()


@dataclass
class Seen:
    """What one camera that stays was told. codes: of its answers, `ok` or the error's.

    latencies: seconds. longest_gap: seconds without an answer. freezes: that the answers told of;
    survived: those after which the same faces went on under the same ids. tracks: all ids so far.
    retries: connections that broke. ids, frozen, last: of the last answer.
    """

    keep_all: bool
    given: int = 0
    cut: int = 0
    dropped: int = 0
    longest_gap: float = 0.0
    freezes: int = 0
    survived: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    tracks: set[int | None] = field(default_factory=set)
    retries: list[str] = field(default_factory=list)
    ids: set[int | None] = field(default_factory=set)
    frozen: bool = False
    last: float | None = None

    @property
    def answered(self) -> int:
        return self.codes.total()

    def add(self, answer: Answer) -> None:
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - (self.last or now))
        self.last = now
        self.codes[answer.error.code if answer.error else "ok"] += 1
        self.dropped += answer.dropped
        self.latencies.append(answer.latency_s)
        if answer.error is None:
            self._add_faces(answer)

    def _add_faces(self, answer: Answer) -> None:
        ids = {face.track_id for face in answer.faces}
        frozen = SensorEvent.FROZEN in answer.events
        if frozen and not self.frozen:
            self.freezes += 1
        if self.frozen and not frozen:
            self.survived += ids == self.ids
        self.tracks |= ids
        self.ids, self.frozen = ids, frozen


async def stay(client: AsyncThermalClient, plan: Plan, index: int) -> Seen:
    """One stream from its first frame to its last. Every other one drops nothing."""
    camera, seen = TroubledCamera(plan, index), Seen(keep_all=index % 2 == 1)

    def broken(error: ClientError, _: float) -> None:
        seen.retries.append(str(error))

    drop: Literal["none", "newest"] = "none" if seen.keep_all else "newest"
    answers = client.stream(camera, on_retry=broken, drop=drop, deadline=plan.deadline)
    async with aclosing(answers):
        async for answer in answers:
            seen.add(answer)
    seen.given, seen.cut = camera.given, camera.cut
    return seen


async def stay_all(address: str, plan: Plan) -> list[Seen]:
    """All the cameras that stay, a connection each."""
    async with AsyncThermalClient(address, retry=Retry(attempts=3)) as client:
        return await asyncio.gather(*(stay(client, plan, index) for index in range(plan.streams)))


class Victims:
    """`thermal-landmarks stream` as a process, killed as soon as it has some answers; every other
    one stands still first, with its connection open. One after the other, until cancelled."""

    def __init__(self, address: str, plan: Plan) -> None:
        options = ["--option", f"fps={plan.fps:g}", "--deadline", f"{plan.deadline:g}"]
        command = [sys.executable, "-m", "service.cli", "stream", "synthetic", *options]
        self._command = [*command, "--server", address, "--json", "-"]
        self._plan = plan
        self.killed = 0
        self.struck = asyncio.Event()  # once one was killed

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            await self._one(stand_still=self.killed % 2 == 1)
            await asyncio.sleep(max(0.0, began + self._plan.kill_every - time.monotonic()))

    async def _one(self, *, stand_still: bool) -> None:
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*self._command, stdout=pipe, stderr=nowhere)
        assert process.stdout
        try:
            for _ in range(self._plan.answers_before_kill):
                if not await process.stdout.readline():
                    raise RuntimeError("the client that is to be killed ended by itself")
            if stand_still:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(self._plan.kill_every / 4)
            self.killed += 1
            self.struck.set()
        finally:
            process.kill()
            await process.wait()


async def stall(address: str, plan: Plan) -> None:
    """Sends frames and never reads an answer, until cancelled."""
    camera = open_synthetic(seed=plan.streams, fps=plan.fps, live=False)
    async with grpc.aio.insecure_channel(address, _SMALL_WINDOW) as channel:
        stub: pb_grpc.LandmarksServiceAsyncStub = pb_grpc.LandmarksServiceStub(channel)
        call = stub.StreamLandmarks(metadata=(("x-request-id", STALLED),))
        await call.write(pb.StreamLandmarksRequest(config=_stalled_config(camera, plan)))
        try:
            for number, frame in enumerate(camera.frames()):
                await call.write(frame_message(number, frame))
                await asyncio.sleep(1 / plan.fps)
        finally:
            call.cancel()


def _stalled_config(camera: SyntheticCamera, plan: Plan) -> pb.StreamConfig:
    """Answers with crops are large: they soon fill what the transport holds."""
    options = {"include": ["crops"], "drop": "newest", "deadline": plan.deadline}
    return config_message(camera.form, options)
