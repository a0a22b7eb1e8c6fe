"""A clip to look at: frames in order, enlarged, with the true landmarks."""

import cv2
import numpy as np

from service.entities import ByteArray
from training.synthesis.clip import Clip
from training.synthesis.pictures import GREEN, grey

COLUMNS, ROWS = 6, 4
TILE = 320  # pixels
YELLOW, ORANGE = (0, 255, 255), (0, 140, 255)


def clip_sheet(clip: Clip) -> ByteArray:
    """Up to 24 frames, evenly spread over the clip, as one picture uint8 BGR. Green points are
    seen, orange ones belong to a face that is more than half hidden."""
    count = min(COLUMNS * ROWS, len(clip.frames))
    chosen = np.linspace(0, len(clip.frames) - 1, count).round().astype(int)
    tiles = [_tile(clip, int(index)) for index in chosen]
    tiles += [np.full_like(tiles[0], 255)] * (-count % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _tile(clip: Clip, index: int) -> ByteArray:
    picture = grey(clip.frames[index].astype(np.float32))
    factor = max(1, TILE // max(picture.shape))
    large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    canvas = np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)
    when = f"{clip.kind} {clip.times[index]:.2f} s"
    cv2.putText(canvas, when, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, YELLOW, 1, cv2.LINE_AA)
    canvas[:, -1] = canvas[-1] = 255
    for points, visible in zip(clip.landmarks[index], clip.visible[index], strict=True):
        if np.isnan(points).any():
            continue
        colour = GREEN if visible > 0.5 else ORANGE
        for x, y in np.round((points + 0.5) * factor - 0.5).astype(int):
            cv2.circle(canvas, (int(x), int(y)), 1, colour, -1)
    return canvas
