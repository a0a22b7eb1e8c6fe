"""The RTMCC head: landmarks as tokens, one gated attention unit, two SimCC classifiers.

Source: RTMPose, arXiv 2303.07399, section 3.3; the gated attention unit is arXiv 2202.10447, with
squared-ReLU attention in place of a softmax. Names follow the public implementation.
"""

import math

import torch
from torch import Tensor, nn

HIDDEN = 256  # width of a token
ATTENTION = 128  # width of queries and keys ("s")
EXPANSION = 2  # width of the gate and the values, in tokens


class ScaleNorm(nn.Module):
    """`g * x / (|x| / sqrt(d))` over the last axis, always in float32.

    In float16 the sum of squares overflows from |x| = 256 on, which costs RTMPose its accuracy.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.scale = dims**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * self.scale
        return x / norm.clamp(min=1e-5) * self.g


class Scale(nn.Module):
    """A learned factor per channel, on the residual path."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dims))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class GatedAttentionUnit(nn.Module):
    """float32 `[N, K, 256]` to the same shape: every landmark attends to all others."""

    def __init__(self) -> None:
        super().__init__()
        self.expanded = HIDDEN * EXPANSION
        self.gamma = nn.Parameter(torch.rand(2, ATTENTION))
        self.beta = nn.Parameter(torch.rand(2, ATTENTION))
        self.o = nn.Linear(self.expanded, HIDDEN, bias=False)
        self.uv = nn.Linear(HIDDEN, 2 * self.expanded + ATTENTION, bias=False)
        self.ln = ScaleNorm(HIDDEN)
        self.act_fn = nn.SiLU()
        self.res_scale = Scale(HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.res_scale(x) + self.attend(self.ln(x))

    def attend(self, x: Tensor) -> Tensor:
        """The unit without its residual and its norm."""
        mixed = self.act_fn(self.uv(x))
        gate, value, base = mixed.split([self.expanded, self.expanded, ATTENTION], dim=-1)
        query = base * self.gamma[0] + self.beta[0]
        key = base * self.gamma[1] + self.beta[1]
        # The scores are squared: dividing first keeps the square small.
        scores = torch.relu(query @ key.transpose(1, 2) / math.sqrt(ATTENTION))
        return self.o(gate * ((scores * scores) @ value))


class RTMCCHead(nn.Module):
    """float `[N, C, h, w]` of the backbone's last stage to SimCC logits.

    `forward` returns float32 `simcc_x [N, K, bins_x]` and `simcc_y [N, K, bins_y]`; bin b of an
    axis stands for `b / 2` pixels of the input.
    """

    def __init__(
        self, channels: int, keypoints: int, feature_size: tuple[int, int], bins: tuple[int, int]
    ) -> None:
        super().__init__()
        width, height = feature_size
        self.final_layer = nn.Conv2d(channels, keypoints, 7, padding=3)
        self.mlp = nn.Sequential(
            ScaleNorm(width * height), nn.Linear(width * height, HIDDEN, bias=False)
        )
        self.gau = GatedAttentionUnit()
        self.cls_x = nn.Linear(HIDDEN, bins[0], bias=False)
        self.cls_y = nn.Linear(HIDDEN, bins[1], bias=False)
        self._initialise()

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.final_layer(features)
        if not torch.is_autocast_enabled(maps.device.type):
            return self.classify(maps)
        # Logits need more than the 8 bits of bfloat16, and attention scores overflow float16.
        with torch.autocast(maps.device.type, enabled=False):
            return self.classify(maps.float())

    def classify(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """`[N, K, h, w]` landmark maps to the two axes' logits."""
        tokens = self.gau(self.mlp(maps.flatten(2)))
        return self.cls_x(tokens), self.cls_y(tokens)

    def _initialise(self) -> None:
        nn.init.normal_(self.final_layer.weight, std=0.001)
        if self.final_layer.bias is not None:
            nn.init.zeros_(self.final_layer.bias)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
