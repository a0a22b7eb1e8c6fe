"""What a landmark network's spread means in pixels, and which faces can be relied on.

    python -m training.calibrate runs/landmarks_t/best.pt --pool POOL [--out FILE]

On held-out persons (pool split `val`), by the steps that serve: a curve from the deviation of a
landmark's distribution to the expected distance to the truth, then limits for the verdict on a
face, then weights for the score of a detected face, behind the detector that `--models` publishes.
All are chosen on some pictures, told on others, and stored in the checkpoint, from where
`training.export` puts the curve into the graph and the others beside it.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from service.card import CardError
from service.entities import ByteArray, FloatArray
from training.checkpoint import CheckpointError, load_model, save
from training.held_out import views
from training.judged_boxes import face_score_figures, fit_face_score, judge_boxes
from training.judged_faces import (
    FAKES,
    PRECISION,
    Keypoints,
    Seen,
    choose_limits,
    reasons,
    see_faces,
    see_fakes,
    verdict_figures,
)
from training.metrics import FAILURE_LIMIT
from training.models.expected_error import ExpectedError
from training.models.graphs import LandmarkGraph
from training.models.rtmpose import RTMPose
from training.served import Network, published_detectors
from training.synthesis.pool import PoolMissing

VIEWS: Final = 1000  # crops; as many frames again, and half as many for the score of a face
SEEDS: Final = {"fit": 101, "check": 202}
QUANTILES: Final = (0.001, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 0.999)  # where the curve may bend
_LEAST_ERROR: Final = 0.05  # crop pixels; closer is chance, and a likelihood would chase it
_BATCH: Final = 16
_PROTOCOL: Final = (
    "mean distance to the truth in crop pixels, by the deviation of the landmark's distribution; "
    "curve of the highest gamma likelihood on held-out synthetic persons, told on other pictures"
)
_VERDICT_PROTOCOL: Final = (
    f"synthetic frames of held-out persons; good: mean error up to {FAILURE_LIMIT} of sqrt(w * h); "
    f"limits chosen for {PRECISION:.0%} good among the reliable and at most {FAKES:.0%} of the "
    "boxes without a face, told on other frames"
)
_SCORE_PROTOCOL: Final = (
    "synthetic frames of held-out persons, boxes of detector {detector}; being a face by the "
    "detector's score, the expected error and the size; as many found at the usual threshold as by "
    "the detector alone; told on other frames"
)

log = logging.getLogger(__name__)


def fit_curve(deviations: FloatArray, errors: FloatArray) -> ExpectedError:
    """The rising curve of the highest gamma likelihood. Both `[P]`, crop pixels.

    A gamma's mean has a likelihood of its own whatever the shape: mean of log m + error / m.
    """
    x = torch.from_numpy(deviations).double().clamp(min=1e-3).log()
    target = torch.from_numpy(errors).double().clamp(min=_LEAST_ERROR)
    knots = torch.unique(
        torch.quantile(x[:: len(x) // 100_000 + 1], torch.tensor(QUANTILES).double())
    )
    passed = ((x[:, None] - knots[:-1]) / knots.diff()).clamp(0, 1)
    base = target.mean().log().requires_grad_()
    steepness = torch.zeros(len(knots) - 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([base, steepness], max_iter=100, line_search_fn="strong_wolfe")

    def likelihood() -> Tensor:
        optimiser.zero_grad()
        log_mean = base + passed @ F.softplus(steepness)
        loss = (log_mean + target * (-log_mean).exp()).mean()
        loss.backward()
        return loss

    optimiser.step(likelihood)
    rises = F.softplus(steepness.detach()).cumsum(0)
    curve = (base.detach() + torch.cat((torch.zeros(1), rises))).exp()
    points = (np.round(values.numpy(), 4).tolist() for values in (knots.exp(), curve))
    return ExpectedError(*points)


def sigma_figures(expected: FloatArray, errors: FloatArray) -> dict[str, Any]:
    """Ten bins of equal count by what is expected, and the mean gap between that and what is."""
    parts = np.array_split(np.argsort(expected, kind="stable"), 10)
    said, measured = (np.array([v[part].mean() for part in parts]) for v in (expected, errors))
    return {
        "points": len(errors),
        "expected_px": [round(float(value), 2) for value in said],
        "measured_px": [round(float(value), 2) for value in measured],
        "calibration_error_px": round(float(np.abs(said - measured).mean()), 3),
        "rank_correlation": round(float(stats.spearmanr(expected, errors).statistic), 3),
    }


class HeldOut:
    """Landmark crops, faces in frames and fakes of one seed, and what the bare network says."""

    def __init__(self, pool: str, count: int, seed: int, network: Keypoints) -> None:
        crops = views("landmarks", pool, "val", count, seed)
        self.keypoints = network(crops["images"])
        away = np.linalg.norm(self.keypoints[..., :2] - crops["points"], axis=-1)
        self.away = np.where(crops["weight"] > 0, away, np.nan)
        self.faces = see_faces(pool, count, seed, network)
        self.fakes = see_fakes(count // 3, seed, network)

    def points(self) -> tuple[FloatArray, FloatArray]:
        """Keypoints `[P, 4]` and their errors `[P]`, of all that have a truth, in crop pixels."""
        scaled = [face.distances() * face.to_network.scale for face in self.faces]
        away = np.concatenate([self.away, np.stack(scaled)]).ravel()
        keypoints = np.concatenate([self.keypoints, np.stack([f.keypoints for f in self.faces])])
        known = ~np.isnan(away)
        return keypoints.reshape(-1, 4)[known], away[known]


def calibrate(
    network: RTMPose, pool: str, count: int = VIEWS, models: Path | None = None
) -> dict[str, Any]:
    """A checkpoint's `calibration`: `sigma` (the curve), `verdict` (limits or None), `face_score`
    (weights, None without `models`: the repository whose detector finds the faces), `figures`."""
    run = _bare(network)
    fit, check = (HeldOut(pool, count, SEEDS[name], run) for name in ("fit", "check"))
    keypoints, errors = fit.points()
    curve = fit_curve(keypoints[:, 3], errors)
    keypoints, errors = check.points()
    figures: dict[str, Any] = {
        "sigma": {
            "protocol": _PROTOCOL,
            **sigma_figures(_apply(curve, keypoints)[:, 3], errors),
            "uncalibrated_error_px": sigma_figures(keypoints[:, 3], errors)["calibration_error_px"],
        }
    }
    limits = choose_limits(_calibrated(fit.faces, curve), _calibrated(fit.fakes, curve))
    if limits is None:
        log.warning("no limit keeps a precision of %s: no verdict", PRECISION)
    else:
        faces, fakes = _calibrated(check.faces, curve), _calibrated(check.fakes, curve)
        told = verdict_figures(faces, fakes, limits)
        figures["verdict"] = {"protocol": _VERDICT_PROTOCOL, **told}
        log.info("reasons of faces: %s", reasons(faces, limits))
        log.info("reasons of fakes: %s", reasons(fakes, limits))
    weights = None
    if models is not None:
        detectors, version = published_detectors(models)
        said = _network(run, curve)
        fit_on, told_on = (
            judge_boxes(pool, count // 2, SEEDS[name], detectors, said) for name in ("fit", "check")
        )
        weights = fit_face_score(fit_on)
        if weights is None:
            log.warning("no faces, or nothing else, among the boxes: no score of detected faces")
        else:
            protocol = _SCORE_PROTOCOL.format(detector=version)
            told = face_score_figures(told_on, weights)
            figures["face_score"] = {"protocol": protocol, **told}
    return {
        "sigma": curve.as_plain(),
        "verdict": asdict(limits) if limits else None,
        "face_score": asdict(weights) if weights else None,
        "figures": figures,
    }


def _bare(network: RTMPose) -> Keypoints:
    """The network with the distribution's own deviation for sigma."""
    graph = LandmarkGraph(network).eval()

    def run(images: ByteArray) -> FloatArray:
        with torch.no_grad():
            parts = torch.from_numpy(images[:, None]).split(_BATCH)
            return np.concatenate([graph(part)[0].numpy() for part in parts])

    return run


def _network(run: Keypoints, curve: ExpectedError) -> Network:
    return lambda images: {"keypoints": _apply(curve, run(images[:, 0]))}


def _apply(curve: ExpectedError, keypoints: FloatArray) -> FloatArray:
    return np.asarray(curve(torch.from_numpy(keypoints)).numpy())


def _calibrated(seen: Sequence[Seen], curve: ExpectedError) -> list[Seen]:
    return [replace(one, keypoints=_apply(curve, one.keypoints)) for one in seen]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="training.calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="of a landmark network")
    parser.add_argument("--pool", required=True, help="folder of rendered persons")
    parser.add_argument("--out", type=Path, help="where to write; default: the checkpoint itself")
    parser.add_argument(
        "--models", type=Path, help="repository whose detector the score of a face goes with"
    )
    parser.add_argument("--views", type=int, default=VIEWS, help="crops, and frames, of each half")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        network, checkpoint = load_model(options.checkpoint)
        if not isinstance(network, RTMPose):
            raise CheckpointError(f"{options.checkpoint}: not a landmark network")
        checkpoint["calibration"] = calibrate(network, options.pool, options.views, options.models)
    except (CheckpointError, PoolMissing, CardError, OSError) as error:
        raise SystemExit(f"not calibrated: {error}") from None
    save(checkpoint, options.out or options.checkpoint)
    print(json.dumps(checkpoint["calibration"], indent=2))


if __name__ == "__main__":
    main()
