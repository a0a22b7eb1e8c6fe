"""How far a landmark is likely to be off, from the width of its distribution.

The width itself is no error in pixels: training gives every target a width of its own, so it has a
floor. `training.calibrate` fits this curve on held-out pictures; the export puts it behind the
decoding.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

_NARROWEST = 1e-3  # crop pixels; the logarithm of 0 would be no number


class ExpectedError(nn.Module):
    """Keypoints float32 `[N, K, 4]` with the distribution's deviation in the last place to the same
    with the expected distance to the truth there, in crop pixels.

    deviations, errors: the curve's points in crop pixels, both positive; `deviations` ascending,
    `errors` never falling. Between two points it is straight in logarithms; beyond the outermost
    ones it is level, so nothing is extrapolated.
    """

    starts: Tensor
    widths: Tensor
    rises: Tensor
    base: Tensor

    def __init__(self, deviations: Sequence[float], errors: Sequence[float]) -> None:
        super().__init__()
        x = torch.tensor(deviations, dtype=torch.float64).log()
        y = torch.tensor(errors, dtype=torch.float64).log()
        if x.shape != y.shape or len(x) < 2 or not (x.isfinite() & y.isfinite()).all():
            raise ValueError("a calibration needs two points or more, of positive numbers")
        if (x.diff() <= 0).any() or (y.diff() < 0).any():
            raise ValueError("a calibration's deviations must ascend, its errors may not fall")
        self.deviations, self.errors = tuple(deviations), tuple(errors)
        for name, value in (
            ("starts", x[:-1]), ("widths", x.diff()), ("rises", y.diff()), ("base", y[0])
        ):  # fmt: skip
            self.register_buffer(name, value.float(), persistent=False)

    def as_plain(self) -> dict[str, list[float]]:
        """The curve's points, as `of` takes them."""
        return {"deviations": list(self.deviations), "errors": list(self.errors)}

    @classmethod
    def of(cls, calibration: Mapping[str, Sequence[float]]) -> "ExpectedError":
        """From the `sigma` part of a checkpoint's calibration."""
        return cls(calibration["deviations"], calibration["errors"])

    def forward(self, keypoints: Tensor) -> Tensor:
        width = keypoints[..., 3:].clamp(min=_NARROWEST).log()
        passed = ((width - self.starts) / self.widths).clamp(0.0, 1.0)  # share of each segment
        error = (self.base + (passed * self.rises).sum(dim=-1, keepdim=True)).exp()
        return torch.cat((keypoints[..., :3], error), dim=-1)
