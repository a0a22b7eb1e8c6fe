import numpy as np
import pytest
import torch

from service.entities import FloatArray
from service.vision.simcc import decode_simcc as decode_on_numpy
from tests.unit.training.models.reference import formula_weights
from training.models import rtmdet
from training.models.graphs import DetectorGraph, Normalise, decode_simcc

BINS = np.arange(512)


def gaussian(centre: float, deviation: float) -> FloatArray:
    return np.asarray(-0.5 * ((BINS - centre) / deviation) ** 2, np.float32)


def two_peaks(first: float, second: float) -> FloatArray:
    return np.logaddexp(gaussian(first, 2.0), gaussian(second, 2.0) - np.float32(0.1))


def spike(place: int) -> FloatArray:
    return np.where(place == BINS, np.float32(80), np.float32(0))


ROWS = {
    "sharp": gaussian(200.3, 0.5),
    "soft": gaussian(317.8, 12.0),
    "one bin": spike(77),
    "flat": np.zeros(512, np.float32),
    "first bin": spike(0),
    "last bin": spike(511),
    "off the first bin": gaussian(-3.0, 4.0),
    "off the last bin": gaussian(514.6, 4.0),
    "next to the first": gaussian(1.2, 1.0),
    "next to the last": gaussian(509.7, 1.0),
    "two peaks far apart": two_peaks(60.0, 430.0),
    "two peaks in one window": two_peaks(250.0, 253.0),
    "two equal bins": np.where(np.isin(BINS, (100, 101)), np.float32(5), np.float32(0)),
    "large logits": 3000 + 1000 * gaussian(123.4, 3.0),
    "noise": np.random.default_rng(0).standard_normal(512).astype(np.float32) * 3,
}


def test_the_graph_and_the_gateway_decode_alike() -> None:
    rows = np.stack(list(ROWS.values()))
    x = np.stack([rows, rows[::-1]])
    y = np.stack([rows[::-1], np.roll(rows, 4, axis=0)])
    graph = decode_simcc(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    gateway = decode_on_numpy(x, y)
    assert graph.dtype == gateway.dtype == np.float32
    np.testing.assert_allclose(graph[..., :2], gateway[..., :2], rtol=0, atol=1e-4)
    np.testing.assert_allclose(graph[..., 2], gateway[..., 2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(graph[..., 3], gateway[..., 3], rtol=1e-5, atol=1e-4)


def test_half_precision_logits_are_decoded_in_float32() -> None:
    logits = torch.from_numpy(ROWS["large logits"] / 8).half().reshape(1, 1, -1)
    keypoints = decode_simcc(logits, logits)
    assert keypoints.dtype == torch.float32
    assert keypoints.isfinite().all()


def test_a_public_detector_keeps_its_own_normalisation() -> None:
    channels = ((100.0, 50.0), (110.0, 55.0), (120.0, 60.0))
    given = Normalise(channels)(torch.full((2, 1, 1, 1), 220, dtype=torch.uint8))
    np.testing.assert_allclose(given[0, :, 0, 0], [2.4, 2.0, 100 / 60], rtol=1e-6)


def test_the_detector_answers_its_best_hundred_first() -> None:
    network = rtmdet.build("nano").eval()
    network.load_state_dict(formula_weights(network))
    image = torch.randint(0, 256, (2, 1, 320, 320), generator=torch.manual_seed(0)).byte()
    graph = DetectorGraph(network).eval()
    with torch.no_grad():
        boxes, scores = graph(image)
        logits, distances = network(graph.normalise(image))
    assert boxes.shape == (2, 100, 4) and boxes.dtype == torch.float32
    assert scores.shape == (2, 100) and scores.dtype == torch.float32
    everywhere = rtmdet.flatten_levels(logits).sigmoid().squeeze(-1)
    assert torch.equal(scores, everywhere.sort(dim=1, descending=True).values[:, :100])
    best = int(everywhere[0].argmax())
    own = rtmdet.flatten_levels(distances)[0, best]
    x, y = graph.select.points[best]
    wanted = torch.stack((x - own[0], y - own[1], x + own[2], y + own[3]))
    assert torch.equal(boxes[0, 0], wanted)


def test_the_detector_at_a_larger_input() -> None:
    network = rtmdet.build("nano").eval()
    network.load_state_dict(formula_weights(network))
    graph = DetectorGraph(network, input_size=384).eval()
    with torch.no_grad():
        boxes, scores = graph(torch.zeros(2, 1, 384, 384, dtype=torch.uint8))
    assert boxes.shape == (2, 100, 4) and scores.shape == (2, 100)
    assert float(graph.select.points.max()) == 384 - 8  # the last cell of the finest level
    with pytest.raises(ValueError, match="multiple of 32"):
        DetectorGraph(network, input_size=330)


def test_a_detector_of_several_classes_is_not_served() -> None:
    with pytest.raises(ValueError, match="one class"):
        DetectorGraph(rtmdet.build("nano", classes=80))
