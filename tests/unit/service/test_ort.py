import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from service.backends.ort import OrtBackend, _device, _saturates
from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
)
from service.networks import landmark_network
from tests.onnx_models import int8_sum_model, keypoints_grid, simcc_model, slow_model
from tests.repositories import add_model

VIEW = {"image": np.zeros((1, 1, 256, 256), np.uint8)}


def backend(repository: Path, *, threads: int = 1, queue: int = 8) -> OrtBackend:
    return OrtBackend(repository, threads=threads, intra_op_threads=1, queue=queue)


async def test_timeout_frees_the_thread(tmp_path: Path) -> None:
    add_model(tmp_path, "slow", slow_model(400))
    made = backend(tmp_path)
    await made.load("slow", 1)
    with pytest.raises(BackendTimeout):
        await made.infer("slow", 1, VIEW, timeout=0.1)
    started = time.monotonic()
    await made.aclose()  # waits for the thread
    assert time.monotonic() - started < 5.0


async def test_full_queue(tmp_path: Path) -> None:
    add_model(tmp_path, "slow", slow_model(10))
    made = backend(tmp_path, queue=1)
    await made.load("slow", 1)
    calls = [asyncio.create_task(made.infer("slow", 1, VIEW, timeout=60)) for _ in range(4)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results[2:]] == [BackendOverloaded] * 2
    assert not any(isinstance(result, BaseException) for result in results[:2])
    await made.aclose()


async def test_public_rtmpose_export(tmp_path: Path) -> None:
    add_model(tmp_path, "landmarks_m", simcc_model(), variant="m")
    made = backend(tmp_path)
    await made.load("landmarks_m", 1)
    network = landmark_network(await made.metadata("landmarks_m", 1))
    views = np.zeros((3, 256, 256), np.uint8)
    result = await made.infer(
        "landmarks_m",
        1,
        {network.input_name: network.encode(views)},
        outputs=network.outputs,
        timeout=10,
    )
    keypoints = network.decode(result.outputs)
    assert keypoints.shape == (3, 68, 4)
    np.testing.assert_allclose(keypoints[2, :, :2], keypoints_grid()[:, :2], atol=0.05)
    await made.aclose()


async def test_broken_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path, "landmarks_t", b"not a network")
    with pytest.raises(InferenceFailed) as caught:
        await backend(tmp_path).load("landmarks_t", 1)
    # The engine's words, with the path, are for the log alone.
    assert str(tmp_path) not in str(caught.value)
    assert str(tmp_path) in caplog.text


async def test_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="cuda"):
        OrtBackend(tmp_path, threads=1, intra_op_threads=1, queue=1, device="cuda")


def test_device_is_what_the_session_runs_on() -> None:
    assert _device(["CUDAExecutionProvider", "CPUExecutionProvider"]) == "gpu"
    assert _device(["CPUExecutionProvider"]) == "cpu"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx_vnni\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx512_vnni\nbugs\t\t: none\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("", False),
    ],
)
def test_processors_whose_int8_saturates(cpuinfo: str, expected: bool) -> None:
    assert _saturates(cpuinfo) == expected


async def test_exact_int8_gives_what_vnni_gives(tmp_path: Path) -> None:
    """Products of full range are exact, by VNNI or by the other kernels, which any machine has."""
    add_model(tmp_path, "exact", int8_sum_model())
    made = backend(tmp_path)
    image = {"image": np.full((1, 1, 16, 16), 255, np.uint8)}
    for saturates in (made._saturates, True):
        made._saturates = saturates
        await made.load("exact", 1)
        result = await made.infer("exact", 1, image, timeout=10)
        np.testing.assert_array_equal(result.outputs["sum"], 255 * 127 * 256)
    await made.aclose()
