"""From the served uint8 image to what the first convolution reads.

One function, used by training and by the exported graph. The steps stay outside the first
convolution's weights: its zero padding means "mean grey" only after the normalisation.
"""

from typing import Final

import torch
from torch import Tensor

# Middle and spread of a crop after gain control, which fills 0 to 255 around a middle grey. One
# pair for all three channels, since they are one and the same thermal image.
MEAN: Final = 127.5
DEVIATION: Final = 64.0


def normalise_input(
    images: Tensor, mean: float | Tensor = MEAN, deviation: float | Tensor = DEVIATION
) -> Tensor:
    """uint8 `[N, 1, H, W]` or `[N, 3, H, W]` (R, G, B), 0 to 255, to float32 `[N, 3, H, W]`,
    about -2 to 2.

    mean, deviation: grey levels, one number, or float32 `[3, 1, 1]` for networks that were trained
      on coloured pictures. Of one channel and with one number the three are a view that shares
      memory until a convolution copies it.
    Raises ValueError for another dtype or channel count: normalising twice would pass unnoticed.
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] not in (1, 3):
        shape = list(images.shape)
        raise ValueError(f"want uint8 [N, 1 or 3, H, W], got {images.dtype} {shape}")
    return ((images.to(torch.float32) - mean) / deviation).expand(-1, 3, -1, -1)
