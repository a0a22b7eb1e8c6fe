"""The picture for `Accept: image/png`: normalised grey with boxes, landmarks and scores."""

from collections.abc import Sequence

from service.entities import ByteArray, Face, ThermalFrame


def draw_faces(frame: ThermalFrame, faces: Sequence[Face], normalisation: str = "auto") -> bytes:
    """PNG bytes of the frame with its faces drawn."""
    raise NotImplementedError


def encode_png(image: ByteArray) -> bytes:
    """PNG bytes of a uint8 picture, `[H, W]` grey or `[H, W, 3]` BGR."""
    raise NotImplementedError
