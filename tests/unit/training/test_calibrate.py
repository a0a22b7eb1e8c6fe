"""Calibration: the curve and the figures on made numbers, then the whole job on a tiny pool."""

from pathlib import Path

import numpy as np
import pytest
import torch

from service.vision.verdict import VerdictLimits
from training import calibrate
from training.calibrate import fit_curve, sigma_figures
from training.checkpoint import load
from training.export import seeded_detector, seeded_landmarks
from training.models.expected_error import ExpectedError
from training.synthesis.pool import write_shard

GENERATOR = np.random.default_rng(0)


def test_the_curve_finds_the_mean_error() -> None:
    deviations = np.exp(GENERATOR.uniform(np.log(3), np.log(60), 40_000)).astype(np.float32)
    mean = np.where(deviations < 6, 2.0, deviations / 3)  # a floor, then a slope
    curve = fit_curve(deviations, GENERATOR.gamma(2.0, mean / 2))
    keypoints = torch.zeros(4, 4)
    keypoints[:, 3] = torch.tensor([3.5, 5.0, 15.0, 45.0])
    np.testing.assert_allclose(curve(keypoints)[:, 3], [2, 2, 5, 15], rtol=0.1)


def test_figures_of_what_is_right_and_of_what_is_twice_too_long() -> None:
    expected = GENERATOR.uniform(1, 10, 20_000)
    errors = GENERATOR.gamma(4.0, expected / 4)
    right, twice = sigma_figures(expected, errors), sigma_figures(2 * expected, errors)
    assert right["points"] == 20_000
    assert right["calibration_error_px"] < 0.15
    assert twice["calibration_error_px"] == pytest.approx(expected.mean(), rel=0.05)
    assert right["rank_correlation"] == twice["rank_correlation"] > 0.5
    assert right["expected_px"] == sorted(right["expected_px"])


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        write_shard(folder, None, kind, 0, 0, persons=4)
    return folder


def write_checkpoint(path: Path) -> Path:
    network = seeded_landmarks("t").state_dict()
    torch.save({"task": "landmarks", "variant": "t", "model": network, "step": 7}, path)
    return path


def test_the_checkpoint_keeps_what_it_had_and_gets_a_curve(pool: Path, tmp_path: Path) -> None:
    path, out = write_checkpoint(tmp_path / "last.pt"), tmp_path / "calibrated.pt"
    calibrate.main([str(path), "--pool", str(pool), "--out", str(out), "--views", "9"])
    before, after = load(path), load(out)
    assert "calibration" not in before
    assert after["step"] == 7
    calibration = after["calibration"]
    ExpectedError.of(calibration["sigma"])
    figures = calibration["figures"]["sigma"]
    assert figures["points"] > 9 * 68
    assert figures["calibration_error_px"] < figures["uncalibrated_error_px"]
    # Weights by seed find no faces: nothing is reliable, so there are no limits to state.
    assert calibration["verdict"] is None or VerdictLimits(**calibration["verdict"])


def test_what_cannot_be_calibrated(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such checkpoint"):
        calibrate.main([str(tmp_path / "none.pt"), "--pool", str(pool)])
    network = seeded_detector().state_dict()
    torch.save({"task": "detector", "variant": "nano", "model": network}, tmp_path / "d.pt")
    with pytest.raises(SystemExit, match="not a landmark network"):
        calibrate.main([str(tmp_path / "d.pt"), "--pool", str(pool)])
    path = write_checkpoint(tmp_path / "last.pt")
    with pytest.raises(SystemExit, match="no portrait persons"):
        calibrate.main([str(path), "--pool", str(tmp_path / "nowhere")])
