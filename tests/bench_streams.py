"""What streams get at twice the load that this machine serves: `make bench-streams`.

    python -m tests.bench_streams --seconds 20 --tracking off

`python -m service` on the published models, and cameras that stream a picture to it, which moves by
a pixel from frame to frame: one that stands still would need no network. First one
camera alone, slowly: the unloaded latency. Then cameras that wait for each answer: what the machine
serves. Then as many cameras at `--fps` as ask for twice of that: the latency of what is answered,
what is dropped, and the service's memory. One machine, load generator included: compare the rows
with one another alone.
"""

import argparse
import asyncio
import logging
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc

ROOT = Path(__file__).parents[1]
SHIFTS = (0, 1, 2, 3, 2, 1)  # pixels to the right, over and over
PATIENCE = 60.0
SERVING = health_pb2.HealthCheckResponse.SERVING
log = logging.getLogger("bench")


@dataclass
class Tally:
    """What one camera saw. latencies: milliseconds from the sending of a frame to its answer."""

    sent: int = 0
    dropped: int = 0
    latencies: list[float] = field(default_factory=list)


@cache
def pictures() -> list[bytes]:
    """The sample at each of `SHIFTS`: PNG files."""
    sample = cv2.imread(str(ROOT / "docs" / "sample.png"), cv2.IMREAD_UNCHANGED)
    assert sample is not None
    return [cv2.imencode(".png", np.roll(sample, shift, axis=1))[1].tobytes() for shift in SHIFTS]


@contextmanager
def service(**settings: str) -> Iterator[tuple[str, int]]:
    """The process; its address and process id."""
    given = {f"THERMAL_{name.upper()}": value for name, value in settings.items()}
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            [sys.executable, "-m", "service"],
            env={**os.environ, "THERMAL_REST_PORT": "0", "THERMAL_GRPC_PORT": "0", **given},
            stdout=output,
        ) as process:
            try:
                yield f"127.0.0.1:{_port(output)}", process.pid
            finally:
                process.kill()


def _port(output: Any) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        output.seek(0)
        found = re.search(r'"listening".*"port": (\d+)', output.read())
        if found:
            return found[1]
        time.sleep(0.1)
    raise RuntimeError("the service does not start")


class Camera:
    """One stream over a connection of its own."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        self._call = pb_grpc.LandmarksServiceStub(self._channel).StreamLandmarks()
        self.tally = Tally()

    async def open(self, tracking: str) -> None:
        mode = pb.Tracking.Mode.Value(f"MODE_{tracking.upper()}")
        opening = pb.StreamConfig(pixel_format=pb.PIXEL_FORMAT_PNG, tracking=pb.Tracking(mode=mode))
        await self._call.write(pb.StreamLandmarksRequest(config=opening))

    async def close(self) -> None:
        self._call.cancel()
        await self._channel.close()

    async def send(self) -> None:
        data = pictures()[self.tally.sent % len(SHIFTS)]
        self.tally.sent += 1
        frame = pb.Frame(capture_time_ns=time.monotonic_ns(), data=data)
        await self._call.write(pb.StreamLandmarksRequest(frame=frame))

    async def receive(self) -> None:
        message: Any = await self._call.read()
        answer = message.answer
        if not answer.HasField("result"):
            raise RuntimeError(f"{answer.error.code}: {answer.error.detail}")
        late = (time.monotonic_ns() - answer.capture_time_ns) / 1e6
        self.tally.latencies.append(late)
        self.tally.dropped += answer.dropped

    async def wait_for_each(self, seconds: float, pause: float = 0.0) -> None:
        """The next frame only after the answer to the last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.send()
            await self.receive()
            await asyncio.sleep(pause)

    async def run_at(self, fps: float, seconds: float, start: float) -> None:
        """Frames by the clock, whatever the answers do."""
        receiving = asyncio.create_task(self._receive_all())
        for number in range(int(seconds * fps)):
            await asyncio.sleep(max(0.0, start + number / fps - time.monotonic()))
            await self.send()
        receiving.cancel()
        await asyncio.wait([receiving])

    async def _receive_all(self) -> None:
        while True:
            await self.receive()


async def open_cameras(address: str, count: int, tracking: str) -> list[Camera]:
    cameras = [Camera(address) for _ in range(count)]
    await asyncio.gather(*(camera.open(tracking) for camera in cameras))
    return cameras


async def close_cameras(cameras: Sequence[Camera]) -> list[Tally]:
    await asyncio.gather(*(camera.close() for camera in cameras))
    return [camera.tally for camera in cameras]


async def wait_until_ready(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        end = time.monotonic() + PATIENCE
        while (await health.Check(health_pb2.HealthCheckRequest())).status != SERVING:
            if time.monotonic() > end:
                raise RuntimeError("the service does not get ready")
            await asyncio.sleep(0.1)
    (camera,) = await open_cameras(address, 1, "off")
    await camera.wait_for_each(1.0)  # warms up
    await camera.close()


def resident_mb(pid: int) -> float:
    """What the service holds in memory now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def row(name: str, tallies: Sequence[Tally], seconds: float) -> tuple[float, float]:
    """One line; the median latency, and answers a second."""
    latencies = sorted(value for tally in tallies for value in tally.latencies)
    sent = sum(tally.sent for tally in tallies)
    dropped = sum(tally.dropped for tally in tallies)
    median, p95 = statistics.median(latencies), latencies[int(0.95 * len(latencies))]
    rate = len(latencies) / seconds
    log.info(
        "%-34s %7.1f %7.1f ms %7.1f sent/s %7.1f answered/s %5.1f %% dropped",
        name, median, p95, sent / seconds, rate, 100 * dropped / max(1, sent),
    )  # fmt: skip
    return median, rate


async def run(address: str, pid: int, options: argparse.Namespace) -> None:
    seconds, tracking = options.seconds, options.tracking
    await wait_until_ready(address)
    log.info("%-34s %7s %7s", "", "median", "p95")
    cameras = await open_cameras(address, 1, tracking)
    await cameras[0].wait_for_each(seconds, pause=0.1)
    unloaded, _ = row("one camera, unloaded", await close_cameras(cameras), seconds)
    cameras = await open_cameras(address, options.closed, tracking)
    await asyncio.gather(*(camera.wait_for_each(seconds) for camera in cameras))
    name = f"{options.closed} cameras, waiting for answers"
    _, served = row(name, await close_cameras(cameras), seconds)
    count = max(1, math.ceil(options.load * served / options.fps))
    before = resident_mb(pid)
    cameras, start = await open_cameras(address, count, tracking), time.monotonic()
    starts = [start + index / count / options.fps for index in range(count)]  # not in step
    work = [c.run_at(options.fps, seconds, s) for c, s in zip(cameras, starts, strict=True)]
    running = asyncio.gather(*work)
    await asyncio.sleep(seconds / 2)
    half = resident_mb(pid)
    await running
    after = resident_mb(pid)
    tallies = await close_cameras(cameras)
    loaded, _ = row(f"{count} cameras at {options.fps:g} a second", tallies, seconds)
    shares = [len(tally.latencies) for tally in tallies]
    log.info("latency, loaded / unloaded: %.2f", loaded / unloaded)
    log.info("answers a camera: %d to %d", min(shares), max(shares))
    log.info("memory: %.0f MB before, %.0f halfway, %.0f at the end", before, half, after)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench_streams", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each row")
    parser.add_argument("--fps", type=float, default=30, help="of each camera under load")
    parser.add_argument("--load", type=float, default=2, help="asked for, of what can be served")
    parser.add_argument("--closed", type=int, default=4, help="cameras that find out what that is")
    parser.add_argument("--tracking", choices=("on", "off"), default="on")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    with service(backend="embedded") as (address, pid):
        asyncio.run(run(address, pid, options))


if __name__ == "__main__":
    main()
