"""What the two networks do for one image: find the faces, then the landmarks of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.admission import Deadline
from service.entities import Box, FloatArray, ThermalFrame
from service.entries import Model
from service.errors import InferenceFailed, InvalidOption
from service.imaging.rotation import rotate_box
from service.inference import Inference
from service.networks import DetectorNetwork
from service.options import PredictOptions
from service.vision.crop import letterbox
from service.vision.detection import Look, merge_looks, select_faces
from service.vision.faces import Crop, crop_faces
from service.vision.refine import boxes_to_try, keep_better
from service.workers import Workers


@dataclass(frozen=True)
class Models:
    """What one request may run on. No detector when the boxes came with the request, else one an
    input size, the smallest first."""

    detectors: tuple[Model, ...]
    landmarks: Model
    normalisation: str

    def looking_at(self, frame: ThermalFrame) -> "Models":
        """With the detectors that look at the frame: up to the first that does not shrink it, since
        what the frame loses in pixels, small faces lose too."""
        longer = max(frame.width, frame.height)
        too_small = sum(model.card.input_size[0] < longer for model in self.detectors)
        return replace(self, detectors=self.detectors[: too_small + 1])


class Steps:
    """Each call of a network, with what comes before and after it off the event loop."""

    def __init__(self, inference: Inference, workers: Workers) -> None:
        self._inference = inference
        self._workers = workers

    async def find_faces(
        self,
        models: Models,
        sent: ThermalFrame,
        upright: ThermalFrame,
        options: PredictOptions,
        deadline: Deadline,
    ) -> tuple[Box, ...]:
        """Boxes in the upright frame: the caller's, or else what all of the detectors find."""
        given = options.given_boxes()
        if given is not None:
            _check_inside(given, sent)
            return tuple(rotate_box(b, sent.width, sent.height, options.rotate) for b in given)
        look = merge_looks(
            [
                await self._look(model, models.normalisation, upright, deadline)
                for model in models.detectors
            ]
        )
        return select_faces(
            look.boxes,
            look.scores,
            look.to_network,
            width=upright.width,
            height=upright.height,
            min_score=options.min_score,
            max_faces=options.max_faces,
        )

    async def find_landmarks(
        self,
        models: Models,
        upright: ThermalFrame,
        boxes: Sequence[Box],
        crops: list[Crop],
        deadline: Deadline,
    ) -> tuple[list[Crop], FloatArray]:
        """Keypoints `[N, 68, 4]`, and the crops that they lie in: of faces whose landmarks
        contradict the detector, the better of two looks."""
        keypoints = await self._infer_landmarks(models.landmarks, crops, deadline)
        if not models.detectors:  # a caller's own boxes are taken at their word
            return crops, keypoints
        retried = await self._workers.run(boxes_to_try, boxes, crops, keypoints)
        if not retried:
            return crops, keypoints
        again = await self._workers.run(
            crop_faces, upright, tuple(retried.values()), models.normalisation
        )
        answers = await self._infer_landmarks(models.landmarks, again, deadline)
        second = dict(zip(retried, zip(again, answers, strict=True), strict=True))
        return await self._workers.run(keep_better, crops, keypoints, second)

    async def _look(
        self, model: Model, normalisation: str, upright: ThermalFrame, deadline: Deadline
    ) -> Look:
        assert isinstance(model.network, DetectorNetwork)
        view, to_network = await self._workers.run(
            letterbox,
            upright.values,
            normalisation,
            black_hot=upright.black_hot,
            size=model.network.input_size,
        )
        outputs = await self._inference.run(model, view[None], deadline)
        boxes, scores = (outputs[name] for name in model.network.outputs)
        if boxes.shape[1:] != (*scores.shape[1:], 4) or scores.ndim != 2:
            raise InferenceFailed("the detector returned other shapes than [N, K, 4] and [N, K]")
        return Look(boxes[0], scores[0], to_network)

    async def _infer_landmarks(
        self, model: Model, crops: Sequence[Crop], deadline: Deadline
    ) -> FloatArray:
        """Keypoints `[N, 68, 4]` in crop pixels; N may be 0, and then nothing is sent."""
        if not crops:
            return np.zeros((0, 0, 4), np.float32)
        assert not isinstance(model.network, DetectorNetwork)
        views = np.stack([view for view, _ in crops])
        outputs = await self._inference.run(model, views, deadline)
        keypoints = await self._workers.run(model.network.decode, outputs)
        if len(keypoints) != len(crops):
            raise InferenceFailed("the landmark network returned another number of faces")
        return keypoints


def _check_inside(boxes: Sequence[Box], frame: ThermalFrame) -> None:
    for index, box in enumerate(boxes):
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= frame.width - 1 or box.y1 >= frame.height - 1:
            raise InvalidOption(f"boxes: box {index} lies outside the image")
