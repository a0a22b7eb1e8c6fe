"""What the two networks do for one image: find the faces, then the landmarks of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from service.admission import Deadline
from service.entities import Box, Face, FloatArray, ThermalFrame
from service.entries import Model
from service.errors import InferenceFailed, InvalidOption
from service.imaging.rotation import rotate_box, rotate_frame
from service.inference import Inference
from service.networks import DetectorNetwork
from service.options import PredictOptions
from service.telemetry import Telemetry
from service.vision.crop import letterbox
from service.vision.detection import Look, merge_looks, select_faces
from service.vision.face_score import candidate_count, candidate_score
from service.vision.faces import Crop, crop_faces, to_faces
from service.vision.refine import faces_to_answer, keep_better, second_looks
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


@dataclass(frozen=True)
class Job:
    """One image at work: on what, as asked how, until when; `timings` are milliseconds by stage."""

    models: Models
    options: PredictOptions
    deadline: Deadline
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A frame as it was sent, and the same one upright."""

    sent: ThermalFrame
    upright: ThermalFrame


class Steps:
    """Each call of a network, with what comes before and after it off the event loop."""

    def __init__(self, inference: Inference, workers: Workers, telemetry: Telemetry) -> None:
        self._inference = inference
        self._workers = workers
        self._telemetry = telemetry

    async def read(self, job: Job, decode: Callable[[], ThermalFrame]) -> Picture:
        """The picture that `decode` gives, as it was sent."""
        with self._telemetry.stage("decode", job.timings):
            return await self._workers.run(_read, decode, job.options.rotate)

    async def find_all(self, job: Job, picture: Picture) -> tuple[Face, ...]:
        """Every face, in the grid that was sent. Of detected ones each face once, the best score
        first, in the box of its landmarks as far as the image shows it; a caller's boxes stay as
        they are."""
        faces = await self.find_landmarks(job, picture, await self.find_faces(job, picture))
        if job.options.boxes is not None:
            return faces
        weights, sent = job.models.landmarks.card.face_score, picture.sent
        likely = faces_to_answer(faces, weights, job.options.min_score, sent.width, sent.height)
        return likely[: job.options.max_faces]

    async def find_faces(self, job: Job, picture: Picture) -> tuple[Box, ...]:
        """Boxes in the upright frame: the caller's, or else what all of the detectors find.

        If landmarks have a say in the scores, also boxes that they may yet raise to `min_score`.
        """
        with self._telemetry.stage("detect", job.timings):
            given = job.options.given_boxes()
            if given is not None:
                return _turned(given, picture.sent, job.options.rotate)
            return await self._detect(job, picture.upright)

    async def find_landmarks(
        self, job: Job, picture: Picture, boxes: Sequence[Box]
    ) -> tuple[Face, ...]:
        """The face in each box, in the grid that was sent. boxes: in the upright frame."""
        models, upright, timings = job.models, picture.upright, job.timings
        with self._telemetry.stage("crop", timings):
            crops = await self._workers.run(crop_faces, upright, boxes, models.normalisation)
        with self._telemetry.stage("landmarks", timings):
            crops, keypoints = await self._two_looks(job, upright, boxes, crops)
        with self._telemetry.stage("postprocess", timings):
            return await self._workers.run(
                to_faces,
                upright,
                boxes,
                crops,
                keypoints,
                rotate=job.options.rotate,
                include=job.options.include,
                limits=models.landmarks.card.verdict,
            )

    async def _detect(self, job: Job, upright: ThermalFrame) -> tuple[Box, ...]:
        models, options = job.models.looking_at(upright), job.options
        weights = models.landmarks.card.face_score
        look = merge_looks(
            [
                await self._look(model, models.normalisation, upright, job.deadline)
                for model in models.detectors
            ]
        )
        return select_faces(
            look.boxes,
            look.scores,
            look.to_network,
            width=upright.width,
            height=upright.height,
            min_score=candidate_score(options.min_score, weights),
            max_faces=candidate_count(options.max_faces, weights),
        )

    async def _two_looks(
        self, job: Job, upright: ThermalFrame, boxes: Sequence[Box], crops: list[Crop]
    ) -> tuple[list[Crop], FloatArray]:
        """Keypoints `[N, 68, 4]`, and the crops that they lie in: of faces whose landmarks
        contradict their box, and of tilted ones, the better of two looks."""
        models, deadline = job.models, job.deadline
        keypoints = await self._infer_landmarks(models.landmarks, crops, deadline)
        looks = await self._workers.run(
            second_looks, boxes, crops, keypoints, detected=bool(models.detectors)
        )
        if not looks:
            return crops, keypoints
        again = await self._workers.run(crop_faces, upright, looks.values(), models.normalisation)
        answers = await self._infer_landmarks(models.landmarks, again, deadline)
        second = dict(zip(looks, zip(again, answers, strict=True), strict=True))
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


def _read(decode: Callable[[], ThermalFrame], rotate: int) -> Picture:
    sent = decode()
    return Picture(sent, rotate_frame(sent, rotate))


def _turned(boxes: Sequence[Box], sent: ThermalFrame, rotate: int) -> tuple[Box, ...]:
    """A caller's boxes in the upright frame."""
    for index, box in enumerate(boxes):
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= sent.width - 1 or box.y1 >= sent.height - 1:
            raise InvalidOption(f"boxes: box {index} lies outside the image")
    return tuple(rotate_box(box, sent.width, sent.height, rotate) for box in boxes)
