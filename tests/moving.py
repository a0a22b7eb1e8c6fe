"""Frames with warm discs that move, and a backend whose networks find them by their pixels."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from service.backends.base import Array, InferResult
from service.bootstrap import Gateway
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend

HEIGHT, WIDTH = 120, 160
Values = NDArray[np.uint16]


@dataclass(frozen=True)
class Disc:
    x: float
    y: float
    radius: float = 16.0


def scene(*discs: Disc, tick: int = 0) -> Values:
    """uint16 `[120, 160]` centikelvin: a room, warmer below, and the discs. tick: no two frames of
    different ticks are the same."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    celsius = 22 + 2 * y / HEIGHT
    for disc in discs:
        celsius[(x - disc.x) ** 2 + (y - disc.y) ** 2 <= disc.radius**2] = 34
    values: Values = ((celsius + 273.15) * 100).astype(np.uint16)
    values[0, 0] += tick % 50
    return values


class FindingBackend(FakeBackend):
    """Finds every disc; landmarks are a grid over the disc nearest to the crop's middle, and of
    large expected error where there is none."""

    async def infer(
        self, model: str, version: int, inputs: Mapping[str, Array], **options: Any
    ) -> InferResult:
        answer = await super().infer(model, version, inputs, **options)
        views = inputs["image"][:, 0]
        if "detector" in model:
            boxes, scores = zip(*map(_detections, views), strict=True)
            return InferResult({"boxes": np.stack(boxes), "scores": np.stack(scores)}, "1")
        return InferResult({"keypoints": np.stack([*map(_keypoints, views)])}, answer.version)

    @property
    def looks(self) -> int:
        """How often the detector was called."""
        return sum("detector" in model for model, _ in self.calls)


class Camera:
    """One stream of scenes, 25 a second by the sender's clock; each is answered before the next."""

    def __init__(self, stream: rpc_clients.Stream, dtype: str = "<u2") -> None:
        self._stream = stream
        self._dtype = dtype
        self._time = 0
        self.sent = 0

    async def show(self, values: NDArray[Any], *, passed: float = 0.04) -> pb.FrameAnswer:
        """The answer to a frame that comes `passed` seconds after the last."""
        self.sent += 1
        self._time += round(passed * 1e9)
        data = values.astype(self._dtype).tobytes()
        frame = pb.Frame(id=self.sent, capture_time_ns=self._time, data=data)
        await self._stream.call.write(pb.StreamLandmarksRequest(frame=frame))
        return await self._stream.answer()

    async def faces(self, values: NDArray[Any], *, passed: float = 0.04) -> list[pb.Face]:
        """As `show`, the faces alone."""
        answer = await self.show(values, passed=passed)
        assert answer.HasField("result"), answer.error
        return list(answer.result.faces)

    async def end(self) -> None:
        await self._stream.end()
        assert await self._stream.message() is None


def config(**changes: Any) -> pb.StreamConfig:
    """Of scenes, tracked."""
    return rpc_clients.config(width=WIDTH, height=HEIGHT, **changes)


@asynccontextmanager
async def served(
    repository: Path, backend: FakeBackend, **settings: Any
) -> AsyncIterator[tuple[Gateway, Any]]:
    """A gateway, and a stub to it over a real connection."""
    async with (
        gateways.running(gateways.settings(repository, **settings), backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        yield gateway, stub


async def camera(stub: Any, opening: pb.StreamConfig | None = None) -> Camera:
    """A stream that is open."""
    opening = opening or config()
    dtype = "u1" if opening.pixel_format == pb.PIXEL_FORMAT_GRAY8 else "<u2"
    return Camera(await rpc_clients.Stream(stub, opening).open(), dtype)


def _discs(view: Array) -> list[tuple[int, int, int, int]]:
    """x, y, width, height of what is round and warm."""
    _, _, found, _ = cv2.connectedComponentsWithStats((view > 160).astype(np.uint8))
    return [
        (x, y, width, height)
        for x, y, width, height, area in found[1:].tolist()
        if area > 20 and 0.8 < width / height < 1.25 and 0.7 < area / (width * height) < 0.87
    ]


def _detections(view: Array) -> tuple[Array, Array]:
    boxes, scores = np.zeros((100, 4), np.float32), np.zeros(100, np.float32)
    for index, (x, y, width, height) in enumerate(_discs(view)):
        boxes[index], scores[index] = (x, y, x + width - 1, y + height - 1), 0.9
    return boxes, scores


def _keypoints(view: Array) -> Array:
    found = _discs(view)
    middle = view.shape[0] / 2
    if not found:
        x, y, width, height, sigma = 64, 64, 128, 128, 90.0
    else:
        x, y, width, height = min(
            found, key=lambda d: abs(d[0] + d[2] / 2 - middle) + abs(d[1] + d[3] / 2 - middle)
        )
        sigma = 0.02 * width
    index = np.arange(68)
    across, down = (index % 9) / 8, (index // 9) / 7
    # Eyes level and the mouth below: a disc has no tilt, and crops are turned by what is said.
    across[36:42], across[42:48], across[60:], down[36:48], down[60:] = 0.25, 0.75, 0.5, 0.4, 0.8
    down[54:60] = 1
    columns = (x + across * (width - 1), y + down * (height - 1), np.full(68, 0.8))
    return np.stack((*columns, np.full(68, sigma)), axis=1).astype(np.float32)
