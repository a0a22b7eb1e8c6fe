"""RTMPose: CSPNeXt backbone and RTMCC head, in five sizes (arXiv 2303.07399, Table I)."""

from typing import Final

from torch import Tensor, nn

from training.models.cspnext import STRIDE, CSPNeXt
from training.models.rtmcc import RTMCCHead

SPLIT_RATIO: Final = 2  # SimCC bins per pixel of the input

# Depth and width of the backbone per variant.
VARIANTS: Final[dict[str, tuple[float, float]]] = {
    "t": (0.167, 0.375),
    "s": (0.33, 0.5),
    "m": (0.67, 0.75),
    "l": (1.0, 1.0),
    "x": (1.33, 1.25),
}


class RTMPose(nn.Module):
    """float `[N, 3, H, W]`, normalised, to SimCC logits.

    `backbone(images)` gives the four stages' features, `head(stages[-1])` the logits: the two
    halves distillation works on.
    """

    def __init__(
        self, deepen: float, widen: float, keypoints: int, input_size: tuple[int, int]
    ) -> None:
        super().__init__()
        width, height = input_size
        self.backbone = CSPNeXt(deepen, widen)
        self.head = RTMCCHead(
            self.backbone.channels[-1],
            keypoints,
            feature_size=(width // STRIDE, height // STRIDE),
            bins=(width * SPLIT_RATIO, height * SPLIT_RATIO),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """float32 `simcc_x [N, K, 2 W]` and `simcc_y [N, K, 2 H]`, unnormalised logits."""
        return self.head(self.backbone(images)[-1])


def build(variant: str, keypoints: int = 68, input_size: tuple[int, int] = (256, 256)) -> RTMPose:
    """A new network, initialised for training from scratch (draws from torch's global generator).

    variant: t, s, m, l or x. input_size: width and height in pixels, multiples of 32.
    Raises ValueError for anything else.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown RTMPose variant {variant!r}: choose from {', '.join(VARIANTS)}")
    if keypoints < 1:
        raise ValueError(f"a head needs at least one keypoint, got {keypoints}")
    if any(side < STRIDE or side % STRIDE for side in input_size):
        raise ValueError(f"input sides must be multiples of {STRIDE}, got {input_size}")
    deepen, widen = VARIANTS[variant]
    return RTMPose(deepen, widen, keypoints, input_size)
