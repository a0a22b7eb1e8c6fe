"""`POST /landmarks`: what a good request gets, option by option."""

import base64
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from service.bootstrap import Gateway
from tests.fakes import FakeBackend
from tests.gateways import good_image, png16

IMAGE = good_image()
STAGES = {"decode", "detect", "crop", "landmarks", "postprocess"}


async def answer(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    response = await client.post("/landmarks", content=IMAGE, params=params)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def faces(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await answer(client, **params))["images"][0]["faces"]
    return found


async def test_raw_body(client: httpx.AsyncClient) -> None:
    made = await answer(client)
    assert set(made) == {"images", "models", "request_id"}
    (image,) = made["images"]
    assert (image["index"], image["width"], image["height"]) == (0, 120, 160)
    assert (image["unit"], image["normalisation"]) == ("celsius", "linear-v1")
    assert image["problem"] is None
    assert set(image["timings_ms"]) == STAGES
    (face,) = image["faces"]
    assert set(face) == {"box", "score", "landmarks", "verdict", "reasons"}
    assert face["verdict"] is None and face["reasons"] is None  # the network is not calibrated
    assert np.shape(face["landmarks"]) == (68, 3)
    assert face["score"] == 0.9
    # The letterbox doubles the image and centres it: 320 - 240 = 80 columns, 40 on each side.
    expected = FakeBackend.answered_box(19.75, 39.75, 99.75, 119.75)
    np.testing.assert_allclose(face["box"], expected, atol=0.01)
    xy = np.array(face["landmarks"])[:, :2]
    np.testing.assert_allclose(face["box"], [*xy.min(axis=0), *xy.max(axis=0)], atol=0.01)
    assert made["models"]["landmarks"] == {
        "name": "landmarks_t",
        "variant": "t",
        "precision": "fp32",
        "version": 1,
        "device": "cpu",
    }
    assert made["models"]["detector"]["name"] == "face_detector"


@pytest.mark.parametrize(
    "content_type", ["image/png", "application/octet-stream", "application/x-www-form-urlencoded"]
)
async def test_raw_body_of_any_type(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    response = await client.post("/landmarks", content=IMAGE, headers=headers)
    assert response.status_code == 200


async def test_multipart_with_options_in_the_form(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/landmarks",
        files={"image": ("a.png", IMAGE)},
        data={"variant": "s", "include": "sigma"},
        params={"precision": "int8"},
    )
    assert response.status_code == 200
    assert response.json()["models"]["landmarks"]["name"] == "landmarks_s_int8"
    assert len(response.json()["images"][0]["faces"][0]["sigma"]) == 68


async def test_several_images_with_one_bad(client: httpx.AsyncClient) -> None:
    files = [
        ("image", ("a.png", data)) for data in (IMAGE, b"not an image", IMAGE, b"", IMAGE[:99])
    ]
    response = await client.post("/landmarks", files=files)
    assert response.status_code == 200
    images = response.json()["images"]
    assert [image["index"] for image in images] == [0, 1, 2, 3, 4]
    assert [len(image["faces"]) for image in images] == [1, 0, 1, 0, 0]
    codes = [image["problem"] and image["problem"]["code"] for image in images]
    assert codes == [None, "unsupported_format", None, "empty_input", "broken_image"]
    assert images[1]["problem"]["status"] == 415
    assert set(images[0]) == set(images[1])


async def test_all_images_bad(client: httpx.AsyncClient) -> None:
    files = [("image", ("a.png", b"bad")), ("image", ("b.png", b"worse"))]
    response = await client.post("/landmarks", files=files)
    assert response.status_code == 200
    assert all(image["problem"]["status"] == 415 for image in response.json()["images"])


async def test_no_faces_sends_nothing_to_the_landmark_model(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.faces = []
    assert await faces(client) == []
    assert backend.calls == [("face_detector", 1)]


async def test_many_faces_are_split_into_batches(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.faces = [
        (80 + 32 * i, 8 + 60 * j, 108 + 32 * i, 36 + 60 * j) for i in range(5) for j in range(2)
    ]
    assert len(await faces(client)) == 10
    assert backend.calls[1:] == [("landmarks_t", 4), ("landmarks_t", 4), ("landmarks_t", 2)]
    backend.calls.clear()
    assert len(await faces(client, max_faces=3)) == 3
    assert backend.calls[1:] == [("landmarks_t", 3)]


async def test_a_box_that_the_landmarks_contradict_is_looked_at_again(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.faces = [(80, 80, 240, 240), (20, 80, 100, 240)]  # the second is too narrow
    whole, narrow = await faces(client)
    assert backend.calls == [("face_detector", 1), ("landmarks_t", 2), ("landmarks_t", 1)]
    expected = backend.answered_box(19.75, 39.75, 99.75, 119.75)
    assert whole["box"] == pytest.approx(expected, abs=0.01)
    _, *expected = backend.answered_box(*backend.answered_box(0, 39.75, 29.75, 119.75))
    # Cut to the image; the second crop is turned by the degree that the fake's eyes are askew.
    assert narrow["box"] == pytest.approx([0, *expected], abs=1)
    assert narrow["landmarks"][0][0] < 0
    backend.calls.clear()
    (own,) = await faces(client, boxes="[[0, 39.75, 29.75, 119.75]]")  # taken at its word
    assert backend.calls == [("landmarks_t", 1)]
    assert own["box"] == [0, 39.75, 29.75, 119.75]


async def test_two_boxes_whose_landmarks_agree_are_one_face(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.faces = [(120, 80, 200, 240), (80, 120, 240, 200)]  # crosswise: the same square crop
    assert len(await faces(client)) == 1
    assert len(await faces(client, boxes="[[40, 40, 80, 120], [20, 60, 100, 100]]")) == 2


async def test_min_score(client: httpx.AsyncClient) -> None:
    assert len(await faces(client, min_score=0.9)) == 1
    assert await faces(client, min_score=0.91) == []


async def test_given_boxes_skip_detection(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    made = await answer(client, boxes="[[10, 20, 60, 90], [30.5, 30, 80, 80]]")
    first, second = made["images"][0]["faces"]
    assert first["box"] == [10, 20, 60, 90]
    assert second["score"] == 1.0
    assert backend.calls == [("landmarks_t", 2)]
    assert made["models"]["detector"] is None
    # The crop is centred on the box, 1.25 times its longer side: grid point 0 is at crop (40, 40).
    scale = 70 * 1.25 / 256
    expected = [35 + (40 - 127.5) * scale, 55 + (40 - 127.5) * scale]
    np.testing.assert_allclose(first["landmarks"][0][:2], expected, atol=0.01)


async def test_empty_list_of_boxes(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    assert await faces(client, boxes="[]") == []
    assert backend.calls == []


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
async def test_rotate_answers_in_the_grid_sent(client: httpx.AsyncClient, rotate: int) -> None:
    box = [10, 20, 60, 90]
    (face,) = await faces(client, boxes=str([box]), rotate=rotate)
    np.testing.assert_allclose(face["box"], box, atol=0.01)
    # The grid's first point is at the top left of the upright crop; turning moves it about.
    offset = np.array([40 - 127.5, 40 - 127.5]) * 70 * 1.25 / 256
    turns = {0: offset, 90: offset * [1, -1], 180: -offset, 270: offset * [-1, 1]}
    expected = np.array([35, 55]) + turns[rotate]
    np.testing.assert_allclose(face["landmarks"][0][:2], expected, atol=0.01)


async def test_rotate_turns_what_the_networks_see(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    ramp = png16(np.tile(np.arange(160) * 10 + 30000, (120, 1)))  # hotter to the right
    for rotate in (0, 90):
        await client.post("/landmarks", content=ramp, params={"rotate": rotate})
    sent, turned = (backend.views[i][0, 0] for i in (0, 2))
    assert sent[160, 300] > sent[160, 20]
    assert turned[300, 160] > turned[20, 160]  # right became down


async def test_polarity(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    await faces(client)
    await faces(client, polarity="black-hot")
    hot, cold = backend.views[0][0, 0], backend.views[2][0, 0]
    assert int(hot[160, 160]) > 200
    assert int(cold[160, 160]) < 55


async def test_units(client: httpx.AsyncClient) -> None:
    made = await answer(client, units="counts", include="temperatures")
    assert made["images"][0]["unit"] == "counts"
    assert made["images"][0]["faces"][0]["temperatures"] is None


async def test_include_everything(client: httpx.AsyncClient) -> None:
    (face,) = await faces(client, include="temperatures,sigma,crops")
    assert len(face["sigma"]) == 68
    assert 20 < min(face["temperatures"].values()) <= max(face["temperatures"].values()) < 36
    crop = cv2.imdecode(
        np.frombuffer(base64.b64decode(face["crop"]), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert crop is not None
    assert crop.shape == (256, 256)
    # Sigma is 1.5 pixels of a crop that shows 80 * 1.25 frame pixels in 256.
    assert abs(face["sigma"][0] - 1.5 * 100 / 256) < 0.01


async def test_normalisation_is_echoed(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    made = await answer(client, normalisation="clahe-v1")
    assert made["images"][0]["normalisation"] == "clahe-v1"
    await answer(client)
    assert not np.array_equal(backend.views[0], backend.views[2])


@pytest.mark.parametrize(
    "accept", ["image/png", "image/png, application/json;q=0.5", "text/html, image/png;q=0.9"]
)
async def test_drawn(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.post("/landmarks", content=IMAGE, headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    # Drawings of small frames may be enlarged; the shape stays.
    assert picture.shape[0] * 120 == picture.shape[1] * 160


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, image/png", "x"])
async def test_json_otherwise(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.post("/landmarks", content=IMAGE, headers={"accept": accept})
    assert response.headers["content-type"] == "application/json"


async def test_metrics_count_what_happened(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await answer(client)
    value = gateway.telemetry.registry.get_sample_value
    labels = {"transport": "rest", "route": "/landmarks", "code": "200"}
    assert value("thermal_requests_total", labels) == 1
    assert value("thermal_faces_total") == 1
    for stage in (*STAGES, "encode"):
        assert value("thermal_stage_duration_seconds_count", {"stage": stage}) == 1
    model = {"model": "landmarks_t", "version": "1", "backend": "fake"}
    assert value("thermal_inference_duration_seconds_count", model) == 1
    assert value("thermal_inference_batch_size_count") == 2
