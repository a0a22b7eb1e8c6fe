"""SimCC logits to keypoints, on numpy: what the exported graph does in its last nodes.

Source: SimCC, arXiv 2107.03332: each coordinate is a classification over sub-pixel bins. Where the
public decoding takes the highest bin alone, this one adds a step below the bin, a score with a
meaning, and an expected error.
"""

from typing import Final

import numpy as np

from service.entities import FloatArray

SPLIT_RATIO: Final = 2.0  # bins per crop pixel
REACH: Final = 2  # bins on each side of the maximum that make up the peak
# Logits of public checkpoints are a tenth of a log-probability: their loss multiplies by 10 before
# its softmax (`KLDiscretLoss(beta=10)`). Without it their peaks drown in 500 background bins.
PUBLIC_BETA: Final = 10.0


def decode_simcc(
    simcc_x: FloatArray,
    simcc_y: FloatArray,
    *,
    split_ratio: float = SPLIT_RATIO,
    beta: float = 1.0,
) -> FloatArray:
    """Keypoints float32 `[N, K, 4]` (x, y, score, sigma) of finite logits `[N, K, bins]` per axis.

    Probabilities are `softmax(beta * logits)` over an axis' bins; beta is 1 for networks trained
    here and `PUBLIC_BETA` for public RTMPose checkpoints.

    x, y: crop pixels, bin / split_ratio, 0 to (bins - 1) / split_ratio. The sub-bin step is the
      probability-weighted mean of the five bins around the highest logit (the first one if tied).
      Where the peak touches the end of the axis, the bins that would lie beyond it hold nothing,
      so the mean is over the three or four that exist.
    score: 0 to 1, the smaller of the two axes' probability mass in those bins.
    sigma: crop pixels, at least 0: root of the sum of both axes' variances over all bins, which is
      the root mean square distance, in the plane, of a point drawn from the two distributions from
      their mean. Not calibrated.

    Raises ValueError unless both arrays are `[N, K, bins]` with the same N and K, at least one bin.
    """
    _check(simcc_x, simcc_y, split_ratio, beta)
    x, mass_x, variance_x = _decode_axis(simcc_x, beta)
    y, mass_y, variance_y = _decode_axis(simcc_y, beta)
    sigma = np.sqrt(variance_x + variance_y)
    keypoints = np.stack(
        (x / split_ratio, y / split_ratio, np.minimum(mass_x, mass_y), sigma / split_ratio), axis=-1
    )
    return keypoints.astype(np.float32, copy=False)


def _decode_axis(logits: FloatArray, beta: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Position (bins), mass of the peak and variance (bins squared), each float32 `[N, K]`."""
    logits = logits.astype(np.float32, copy=False)
    # Of the logits, not the probabilities: rounding in the softmax could tie two neighbours.
    peak = logits.argmax(axis=-1, keepdims=True)
    highest = np.take_along_axis(logits, peak, axis=-1)
    probabilities = np.exp(np.float32(beta) * (logits - highest))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    # Offsets from the peak instead of bin numbers: small numbers keep float32's digits.
    offsets = (np.arange(logits.shape[-1]) - peak).astype(np.float32)
    inside = np.where(np.abs(offsets) <= REACH, probabilities, np.float32(0))
    mass = inside.sum(axis=-1)
    step = (inside * offsets).sum(axis=-1) / mass
    centred = offsets - (probabilities * offsets).sum(axis=-1, keepdims=True)
    variance = (probabilities * centred * centred).sum(axis=-1)
    # A mass of all bins can round to a shade above one.
    return peak[..., 0] + step, np.minimum(mass, np.float32(1)), variance


def _check(simcc_x: FloatArray, simcc_y: FloatArray, split_ratio: float, beta: float) -> None:
    if simcc_x.ndim != 3 or simcc_y.ndim != 3 or simcc_x.shape[:2] != simcc_y.shape[:2]:
        raise ValueError(
            "SimCC logits must be [N, K, bins] with the same N and K, "
            f"got {list(simcc_x.shape)} and {list(simcc_y.shape)}"
        )
    if not simcc_x.shape[2] or not simcc_y.shape[2]:
        raise ValueError("SimCC logits need at least one bin per axis")
    if split_ratio <= 0 or beta <= 0:
        raise ValueError(f"split_ratio and beta must be positive, got {split_ratio} and {beta}")
