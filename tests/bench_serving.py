"""What Triton's batching gives, and what the gateway and gRPC cost: `make bench-serving`.

    python -m tests.bench_serving --seconds 5

One run on one machine, load generator included: compare the rows with one another alone. Requests
carry one small picture and one box, so each is one crop and one call of the landmark network.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio

from service.backends.ort import OrtBackend
from service.model_config import read_model_config
from service.settings import Settings
from tests.gateways import good_image
from tests.triton_server import PATIENCE, ROOT, TritonServer

MODEL = "landmarks_t"
UNBATCHED = f"{MODEL}_unbatched"
CROP = np.random.default_rng(0).integers(0, 256, (1, 1, 256, 256), np.uint8)
WARM_UP = 5  # calls of each worker that do not count

Call = Callable[[], Awaitable[object]]
Connect = Callable[[], Awaitable[Call]]  # gives each worker what it calls
log = logging.getLogger("bench")


async def measure(connect: Connect, workers: int, seconds: float) -> tuple[float, float]:
    """Median milliseconds of a call, and calls a second, of `workers` that call without a pause."""
    times: list[float] = []

    async def work() -> None:
        call = await connect()
        for _ in range(WARM_UP):
            await call()
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            await call()
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(work() for _ in range(workers)))
    return 1000 * statistics.median(times), len(times) / seconds


def bare(client: Any, model: str) -> Connect:
    """One crop to Triton, with nothing of ours around it."""
    wanted = [tritonclient.grpc.InferRequestedOutput("keypoints")]

    async def call() -> object:
        tensor = tritonclient.grpc.InferInput("image", CROP.shape, "UINT8")
        tensor.set_data_from_numpy(CROP)
        result = await client.infer(model, [tensor], outputs=wanted)
        return result.as_numpy("keypoints")

    async def connect() -> Call:
        return call

    return connect


class Visitors:
    """HTTP connections with next to no cost of their own. `decodes`: milliseconds, as answered."""

    def __init__(self, port: int, pid: int) -> None:
        self._pid = pid
        image = good_image()
        path = "/landmarks?boxes=[[40,20,120,100]]&deadline_ms=60000"
        head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(image)}\r\n\r\n"
        self._port, self._request = port, head.encode() + image
        self.decodes: list[float] = []

    def processor_ms(self) -> float:
        """Processor time that the gateway has used so far, on all its threads."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def connect(self) -> Call:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def post() -> None:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert head.startswith(b"HTTP/1.1 200 ") and length, head
            answer = json.loads(await reader.readexactly(int(length[1])))
            self.decodes.append(answer["images"][0]["timings_ms"]["decode"])

        return post


@contextmanager
def gateway(**settings: str) -> Iterator[Visitors]:
    """`python -m service`, ready, and who calls it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = {"rest_port": str(port), "grpc_port": "0"}
    settings = {**ports, "models": MODEL, "max_inflight": "64", **settings}
    given = {f"THERMAL_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "service"]
    with subprocess.Popen(command, env={**os.environ, **given}, stdout=subprocess.DEVNULL) as run:
        try:
            wait_for_model(port)
            yield Visitors(port, run.pid)
        finally:
            run.kill()


def wait_for_model(port: int) -> None:
    """Not for readiness: that wants a detector as well."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.1)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/models") as answer:
                if json.load(answer)["models"][0]["state"] == "ready":
                    return
        except OSError:
            continue
    raise RuntimeError("the gateway does not get ready")


def repository(folder: Path) -> Path:
    """The published model, and beside it the same without dynamic batching."""
    published = ROOT / "model_repository" / MODEL
    for name in (MODEL, UNBATCHED):
        shutil.copytree(published, folder / name)
    config = folder / UNBATCHED / "config.pbtxt"
    text = config.read_text().replace(f'name: "{MODEL}"', f'name: "{UNBATCHED}"')
    unbatched, count = re.subn(r"dynamic_batching \{.*?\n\}\n", "", text, flags=re.DOTALL)
    assert count == 1
    config.write_text(unbatched)
    return folder


async def bench_batching(client: Any, workers: int, seconds: float) -> None:
    rates = []
    for model in (UNBATCHED, MODEL):
        before = await run_counts(client, model)
        median, rate = await measure(bare(client, model), workers, seconds)
        after = await run_counts(client, model)
        crops_a_run = (after[0] - before[0]) / (after[1] - before[1])
        row(workers, model, median, f"{rate:8.1f} calls/s, {crops_a_run:.2f} crops a run")
        rates.append(rate)
    log.info("%7s  %-24s %8.2f times the calls/s", "", "by batching", rates[1] / rates[0])


async def run_counts(client: Any, model: str) -> tuple[int, int]:
    """Crops and runs of the network so far."""
    counts = (await client.get_inference_statistics(model)).model_stats[0]
    return counts.inference_count, counts.execution_count


async def bench_gateway(
    calls: Mapping[str, Connect], visitors: Mapping[str, Visitors], workers: int, seconds: float
) -> None:
    engine = {}
    for name, connect in calls.items():
        engine[name], rate = await measure(connect, workers, seconds)
        row(workers, f"{name}, called", engine[name], f"{rate:8.1f} calls/s")
    log.info(
        "%7s  %-24s %8.2f ms", "", "gRPC and Triton add", engine["triton"] - engine["embedded"]
    )
    for name, there in visitors.items():
        there.decodes.clear()
        before = there.processor_ms()
        median, rate = await measure(there.connect, workers, seconds)
        used = (there.processor_ms() - before) / len(there.decodes)
        row(workers, f"gateway on {name}", median, f"{rate:8.1f} calls/s, {used:.2f} ms of cores")
        added = median - statistics.median(there.decodes) - engine[name]
        log.info("%7s  %-24s %8.2f ms to decoding and the call", "", "the gateway adds", added)


def row(workers: int, name: str, median: float, rest: str) -> None:
    log.info("%7d  %-24s %8.2f ms %s", workers, name, median, rest)


async def run(server: TritonServer, seconds: float, concurrency: Sequence[int]) -> None:
    settings = Settings(backend="embedded")
    embedded = OrtBackend(
        server.repository,
        threads=settings.inference_threads,
        intra_op_threads=settings.intra_op_threads,
        queue=settings.inference_queue,
    )
    (version,) = read_model_config(server.repository / MODEL).versions
    await embedded.load(MODEL, version)

    async def infer() -> object:
        crop = {"image": CROP}
        return await embedded.infer(MODEL, version, crop, outputs=("keypoints",), timeout=60)

    async def connect() -> Call:
        return infer

    async with tritonclient.grpc.aio.InferenceServerClient(server.url) as client:
        for model in (UNBATCHED, MODEL):
            await client.load_model(model)
        log.info("workers  what %32s", "median")
        for workers in concurrency:
            await bench_batching(client, workers, seconds)
        on_triton = {"backend": "triton", "triton_url": server.url}
        with gateway(backend="embedded") as first, gateway(**on_triton) as second:
            calls = {"embedded": connect, "triton": bare(client, MODEL)}
            visitors = {"embedded": first, "triton": second}
            for workers in concurrency:
                await bench_gateway(calls, visitors, workers, seconds)
    await embedded.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench_serving", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each row")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        models = repository(Path(folder) / "models")
        with TritonServer(models, Path(folder) / "log") as server:
            asyncio.run(run(server, options.seconds, options.concurrency))


if __name__ == "__main__":
    main()
