"""What a calibrated network's answers say of each face, and which detector looks for them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from tests import gateways
from tests.fakes import FakeBackend
from tests.gateways import good_image
from tests.repositories import add_model, make_repository

# The fake network expects errors of 1.5 of 256 crop pixels, so 0.0073 of the size of its face.
LIMITS = {
    "strict": {"max_error": 0.005, "fine_error": 0.001, "small_size": 10},
    "lax": {"max_error": 0.01, "fine_error": 0.001, "small_size": 10},
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = make_repository(tmp_path / "models")
    for variant, name in (("m", "strict"), ("l", "lax")):
        weights = f"landmarks_{variant}"
        add_model(folder, weights, b"weights", variant=variant, verdict=LIMITS[name])
    name, size = "face_detector_640", [640, 640]
    add_model(folder, name, b"weights", task="detector", variant="nano", input_size=size)
    return folder


@pytest.fixture
async def client(repository: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with gateways.running(gateways.settings(repository), FakeBackend()) as gateway:
        async with gateways.client(gateway.rest_app()) as made:
            yield made


async def answer(
    client: httpx.AsyncClient, image: bytes | None = None, **params: Any
) -> dict[str, Any]:
    response = await client.post("/landmarks", content=image or good_image(), params=params)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def verdict(client: httpx.AsyncClient, **params: Any) -> tuple[Any, Any]:
    (face,) = (await answer(client, **params))["images"][0]["faces"]
    return face["verdict"], face["reasons"]


async def test_by_the_limits_of_the_network_that_answers(client: httpx.AsyncClient) -> None:
    assert await verdict(client, variant="l") == ("reliable", [])
    assert await verdict(client, variant="m") == ("uncertain", ["not_thermal_like"])
    assert await verdict(client, variant="t") == (None, None)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
async def test_a_cut_face_in_any_turn(client: httpx.AsyncClient, rotate: int) -> None:
    whole, cut = "[[30, 40, 80, 90]]", "[[-40, 40, 10, 90]]"
    assert await verdict(client, variant="l", boxes=whole, rotate=rotate) == ("reliable", [])
    assert await verdict(client, variant="l", boxes=cut, rotate=rotate) == ("uncertain", ["cut"])


async def test_a_small_face(client: httpx.AsyncClient) -> None:
    found = await verdict(client, variant="m", boxes="[[50, 60, 58, 68]]")
    assert found == ("uncertain", ["too_small"])


async def test_uncertain_faces_are_drawn_in_red(client: httpx.AsyncClient) -> None:
    reds = {}
    for variant in ("l", "m"):
        response = await client.post(
            "/landmarks",
            content=good_image(),
            params={"variant": variant},
            headers={"accept": "image/png"},
        )
        picture = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        left = round(8 * (FakeBackend.answered_box(19.75, 39.75, 99.75, 119.75)[0] + 0.5))
        edge = picture[:, left - 4 : left + 5].astype(int)  # the box, enlarged
        reds[variant] = int((edge[..., 2] - edge[..., 1] > 100).any(axis=1).sum())
    assert reds["l"] < 0.2 * reds["m"]  # a few landmarks on the line
    assert reds["m"] > 100


@pytest.mark.parametrize(
    ("width", "size", "name"),
    [
        (320, None, "face_detector"),
        (321, None, "face_detector_640"),
        (1024, "auto", "face_detector_640"),
        (120, "640", "face_detector_640"),
        (1024, "320", "face_detector"),
    ],
)
async def test_larger_frames_get_the_larger_detector(
    client: httpx.AsyncClient, width: int, size: str | None, name: str
) -> None:
    params = {} if size is None else {"detector": size}
    made = await answer(client, good_image(90, width), **params)
    assert made["models"]["detector"]["name"] == name


async def test_both_inputs_look_at_a_frame_that_the_smaller_one_shrinks(repository: Path) -> None:
    backend = FakeBackend()
    async with gateways.running(gateways.settings(repository), backend) as gateway:
        async with gateways.client(gateway.rest_app()) as client:
            backend.calls.clear()
            await answer(client, good_image(90, 400))
            looks = [name for name, _ in backend.calls if "detector" in name]
            assert looks == ["face_detector", "face_detector_640"]
            backend.calls.clear()
            await answer(client, good_image(90, 320))
            assert [name for name, _ in backend.calls if "detector" in name] == ["face_detector"]


async def test_boxes_come_back_from_the_larger_input(client: httpx.AsyncClient) -> None:
    made = await answer(client, good_image(320, 640), detector="640")
    # The 640 pixels of the input show the frame as it is, with 160 rows above it.
    (face,) = made["images"][0]["faces"]
    # The landmarks are not as wide as the box, so they are looked for again.
    x1, _, x2, y2 = FakeBackend.answered_box(*FakeBackend.answered_box(80, 0, 240, 80))
    # Cut to the image; the second crop is turned by the degree that the fake's eyes are askew.
    np.testing.assert_allclose(face["box"], [x1, 0, x2, y2], atol=1)


async def test_a_detector_that_is_not_published(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "models")
    async with gateways.running(gateways.settings(folder), FakeBackend()) as gateway:
        async with gateways.client(gateway.rest_app()) as client:
            made = await answer(client, good_image(90, 1024))
            assert made["models"]["detector"]["name"] == "face_detector"
            response = await client.post(
                "/landmarks", content=good_image(), params={"detector": "640"}
            )
    assert response.status_code == 422
    assert response.json()["code"] == "variant_unavailable"
    assert response.json()["available"] == [320]
