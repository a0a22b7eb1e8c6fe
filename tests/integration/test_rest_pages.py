"""Everything beside `POST /landmarks`."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.bootstrap import Gateway
from service.errors import BackendUnavailable
from tests import gateways
from tests.fakes import FakeBackend
from tests.repositories import add_model


async def test_models(client: httpx.AsyncClient) -> None:
    models = (await client.get("/models")).json()["models"]
    assert [model["name"] for model in models] == [
        "face_detector", "landmarks_s", "landmarks_s_int8", "landmarks_t",
    ]  # fmt: skip
    assert {model["state"] for model in models} == {"ready"}
    assert models[3]["card"]["input_size"] == [256, 256]
    assert re.fullmatch("[0-9a-f]{64}", models[3]["card"]["files"]["1/model.onnx"])


async def test_refused_models_say_why(repository: Path, backend: FakeBackend) -> None:
    folder = add_model(repository, "landmarks_x", b"weights", variant="x")
    (folder / "1" / "model.onnx").write_bytes(b"other weights")
    async with (
        gateways.running(gateways.settings(repository), backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        models = {model["name"]: model for model in (await client.get("/models")).json()["models"]}
        assert models["landmarks_x"]["state"] == "refused"
        assert "SHA-256" in models["landmarks_x"]["reason"]
        assert (await client.get("/readyz")).status_code == 200


async def test_schemas(client: httpx.AsyncClient) -> None:
    (schema,) = (await client.get("/schemas")).json()["schemas"]
    assert (schema["name"], schema["keypoints"], len(schema["names"])) == ("ibug68", 68, 68)
    assert sorted(schema["flip"]) == list(range(68))


async def test_live_touches_nothing(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    backend.closed = True
    assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_ready_asks_the_backend(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    told = (await client.get("/readyz")).json()
    assert (told["status"], told["backend"]) == ("ready", "fake")
    backend.is_ready = False
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["face_detector: not ready", "landmarks_t: not ready"]


async def test_ready_says_what_auto_takes(
    client: httpx.AsyncClient, gateway: Gateway, backend: FakeBackend
) -> None:
    async def told() -> list[dict[str, object]]:
        auto: list[dict[str, object]] = (await client.get("/readyz")).json()["auto"]
        return auto

    detector, small, tiny = await told()
    assert detector == {
        "name": "face_detector", "variant": "nano", "precision": "fp32", "version": 1,
        "device": "cpu",
    }  # fmt: skip
    assert (small["name"], tiny["name"]) == ("landmarks_s_int8", "landmarks_t")
    backend.on_gpu = {"landmarks_s"}
    backend.models = {("face_detector", 1)}  # it starts anew, and finds a GPU
    await gateway.catalogue.load(backend)
    small = (await told())[1]
    assert (small["name"], small["device"]) == ("landmarks_s", "gpu")
    answer = await client.post("/landmarks", content=gateways.good_image(), params={"variant": "s"})
    assert answer.json()["models"]["landmarks"] == small
    info = next(
        line
        for line in (await client.get("/metrics")).text.splitlines()
        if line.startswith("thermal_model_info") and 'model="landmarks_s",' in line
    )
    assert 'device="gpu"' in info and 'backend="fake"' in info


async def test_not_ready_while_draining(client: httpx.AsyncClient, gateway: Gateway) -> None:
    gateway.readiness.draining = True
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["the service is stopping"]


async def test_metrics(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert set(families) == {
        "thermal_requests", "thermal_request_duration_seconds", "thermal_stage_duration_seconds",
        "thermal_inference_duration_seconds", "thermal_inference_batch_size",
        "thermal_inflight_requests", "thermal_queued_requests", "thermal_rejected",
        "thermal_faces", "thermal_model_info", "thermal_ready", "thermal_stream_open",
        "thermal_stream_frames_received", "thermal_stream_frames_answered",
        "thermal_stream_frames_dropped", "thermal_stream_frame_latency_seconds",
        "thermal_stream_frames_uninferred", "thermal_stream_detections",
        "thermal_stream_tracks", "thermal_stream_tracked_faces",
        "thermal_stream_sensor_events", "thermal_stream_disturbed",
    }  # fmt: skip
    assert len(families["thermal_model_info"].samples) == 4


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2_X", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False)],
)
async def test_request_id(client: httpx.AsyncClient, given: str, kept: bool) -> None:
    response = await client.get("/livez", headers={"x-request-id": given})
    answered = response.headers["x-request-id"]
    assert (answered == given) == kept
    assert re.fullmatch("[A-Za-z0-9._-]{1,64}", answered)


async def test_docs_need_no_network(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    start = await client.get("/docs/start.js")
    for text in (page.text, start.text):
        assert not re.search(r"https?:|//[a-z]", text)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        response = await client.get("/" + link)
        assert response.status_code == 200, link
        assert len(response.content) > 50


async def test_description(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"] == "3.0.3"
    operation = document["paths"]["/landmarks"]["post"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert {"variant", "boxes", "include", "deadline_ms", "X-Deadline-Ms"} <= names
    assert set(operation["responses"]) == {
        "200", "400", "401", "413", "415", "422", "429", "500", "502", "503", "504",
    }  # fmt: skip
    assert "://" not in str(document)


async def test_the_page_sends_no_option_twice(client: httpx.AsyncClient) -> None:
    """It fills in every field with a default: one in both places would be refused."""
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/landmarks"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"image"}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/models", "/docs", "/openapi.json"])
async def test_head(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.head(path)).status_code == 200


async def test_head_of_what_is_posted(client: httpx.AsyncClient) -> None:
    response = await client.head("/landmarks")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_description_is_openapi_3_0(client: httpx.AsyncClient) -> None:
    """Nothing that only later versions know, and no dangling reference."""
    document = (await client.get("/openapi.json")).json()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            assert node.get("type") != "null"
            assert not {"const", "prefixItems", "examples", "$defs"} & set(node)
            assert not isinstance(node.get("exclusiveMinimum", True), float)
            if reference := node.get("$ref"):
                target = document
                for part in reference.removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


async def test_ready_answers_when_the_backend_does_not(
    client: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.ready_error = BackendUnavailable("gone")
    response = await client.get("/readyz")
    assert response.json()["missing"] == ["backend fake: no answer"]
