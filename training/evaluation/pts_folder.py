"""Images with a `.pts` file of the same stem beside each: the layout of 300W.

version: 1
n_points: 68
{
x y        (68 lines; pixels counted from 1, as Matlab does)
}
"""

from pathlib import Path

import numpy as np

from service.entities import Box, FloatArray
from service.errors import ServiceError
from service.imaging.decode import decode_image
from service.landmark_schema import KEYPOINTS
from training.evaluation.faces import DataSetError, LabelledFace
from training.real_faces import SUFFIXES


class PtsFolder:
    """All faces below a folder, in the order of their names; the box is that of the points."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, sorted(folder.rglob("*.pts"))
        if not self._files:
            raise DataSetError(f"{folder}: no .pts files")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> LabelledFace:
        """DataSetError for a missing or broken image, or points that are no 68 pairs."""
        file = self._files[index]
        points = read_pts(file)
        image = _image_beside(file)
        try:
            frame = decode_image(image.read_bytes())
        except ServiceError as error:
            raise DataSetError(f"{image}: {error}") from None
        return LabelledFace(
            name=image.relative_to(self._folder).as_posix(),
            frame=frame,
            points=points,
            weight=np.ones(KEYPOINTS, np.float32),
            box=Box(*map(float, (*points.min(axis=0), *points.max(axis=0)))),
        )


def read_pts(file: Path) -> FloatArray:
    """Points float32 `[68, 2]`, pixels from 0. DataSetError if the file holds anything else."""
    text = file.read_text(encoding="utf-8", errors="replace")
    body = text.partition("{")[2].partition("}")[0]
    try:
        points = np.array(body.split(), np.float32).reshape(-1, 2)
    except ValueError:
        raise DataSetError(f"{file}: not a list of x y between braces") from None
    if len(points) != KEYPOINTS or not np.isfinite(points).all():
        raise DataSetError(f"{file}: {len(points)} points; {KEYPOINTS} finite ones are needed")
    return points - np.float32(1)


def _image_beside(file: Path) -> Path:
    found = [path for path in file.parent.glob(f"{file.stem}.*") if path.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise DataSetError(f"{file}: {len(found)} images of that name; one is needed")
    return found[0]
