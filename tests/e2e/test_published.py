"""The models that the project ships, by the steps and the wiring that serve."""

from pathlib import Path

import numpy as np
import pytest
from httpx import ASGITransport, AsyncClient

from service.bootstrap import bootstrap
from service.card import parse_card
from service.settings import Settings
from training.gate import gate_figures
from training.served import onnx_network

ROOT = Path(__file__).parents[2]
REPOSITORY = ROOT / "model_repository"


@pytest.mark.parametrize("name", ["face_detector", "landmarks_t"])
def test_the_card_tells_the_truth(name: str) -> None:
    card = parse_card((REPOSITORY / name / "card.json").read_text())
    weights = REPOSITORY / name / str(card.version) / "model.onnx"
    figures = gate_figures(card.task, onnx_network(weights))
    assert figures["error"] == pytest.approx(card.metrics["gate"]["error"], abs=1e-3)


async def test_the_sample_gets_its_face() -> None:
    settings = Settings(model_repository=REPOSITORY, backend="embedded", deadline_ms=60_000)
    async with bootstrap(settings) as gateway:
        await gateway.loaded()
        transport = ASGITransport(app=gateway.rest_app())
        async with AsyncClient(transport=transport, base_url="http://gateway") as client:
            content = (ROOT / "docs" / "sample.png").read_bytes()
            response = await client.post("/landmarks?include=temperatures", content=content)
    assert response.status_code == 200
    (image,) = response.json()["images"]
    (face,) = image["faces"]
    points = np.array(face["landmarks"])
    assert image["unit"] == "celsius"
    assert 30 < face["temperatures"]["lips"] < 37
    # Eyes over nose over mouth over chin; the subject's right on the left of the picture.
    heights = [points[part, 1].mean() for part in (slice(36, 48), 30, slice(48, 68), 8)]
    assert heights == sorted(heights)
    assert points[36:42, 0].mean() < points[30, 0] < points[42:48, 0].mean()
