"""Faces followed through the frames of one stream: the next crop comes from the last landmarks.

    plan = tracker.plan(now, width, height)
    if plan.detect:
        plan = tracker.join(plan, detect())
    faces = landmarks(plan.boxes)
    if not plan.detect and tracker.doubts(plan, faces):
        plan = tracker.join(plan, detect())
        faces = landmarks(plan.boxes)
    faces = tracker.update(now, plan, faces)

The detector looks every few frames, at once where landmarks say that a face is not where its motion
led, soon while one is unseen, uncertain or close to another, and in every frame while no face is
there, which costs no landmarks. Pixels are those of the frame as it was sent, times (`now`) seconds
of one clock, of the frames. Pure numpy and scipy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from service.entities import Box, Face
from service.vision.detection import corners, pairwise_iou
from service.vision.faces import upright_box, with_own_box
from service.vision.refine import SAME
from service.vision.tracks import Track, assign, inside, overlapping, scaled
from service.vision.verdict import relative_errors

# Mean expected error of the landmarks, in shares of the face's size. Faces in sight have .02 to
# .05, crops that are half a face off .2. Above the first the detector is asked, above the second
# there is no face unless the detector says so in this very frame.
DOUBT_ERROR: Final = 0.08
LOST_ERROR: Final = 0.15
# Looks of the detector in a row that do not show a face: it was none. Single ones miss many a face
# that is turned away.
MISSES: Final = 4
# Seconds from look to look while a face is unseen, or close to another: who passes behind somebody
# is hidden for 0.2 to 0.5, and all frames of a 9 Hz camera count then.
RETRY: Final = 0.1
RETRY_UNSURE: Final = 0.5  # the same while one is uncertain: it may well be so for minutes
AGREE: Final = 0.6  # IoU of a predicted box and its detection; below, the detection's is taken
ASIDE: Final = 0.2  # IoU of two faces above which the landmarks of one may be the other's
# Crop / the last landmarks' box: those lie a little too far inside. Error against crops by the
# detector, on seven clips of people who stay in place: 1.0 +2.7 %, 1.04 +1.2 %, 1.08 +0.4 %. More
# costs pixels of the face.
LOOSE: Final = 1.05
GAP: Final = 0.5  # seconds without a frame, after which the detector looks: motion says little


@dataclass(frozen=True)
class TrackingConfig:
    """detect_every: frames from one look of the detector to the next at most. patience: seconds
    that an unseen face stays known. max_faces: that are followed at once. min_score: of a face's
    score over the detector's looks, each judged once its landmarks are known."""

    detect_every: int = 10
    patience: float = 2.5
    max_faces: int = 32
    min_score: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What to do with one frame.

    boxes: where faces should be, to be cropped; each with the score of its last detection.
    tracks: their ids, in the same order. detect: whether the detector should look.
    """

    boxes: tuple[Box, ...]
    tracks: tuple[int, ...]
    detect: bool


class Tracker:
    """The faces of one stream. Not safe for concurrent use: a stream's frames come one by one."""

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._config = config or TrackingConfig()
        self._tracks: dict[int, Track] = {}
        self._last_id = 0
        self._size = (0, 0)  # of the last frame
        self._now = float("-inf")
        self._looked_at = float("-inf")
        self._since_look = 0  # frames
        self._alarm = True  # the detector is wanted at once
        self._detected: frozenset[int] | None = None  # in this frame; None: it has not looked

    def plan(self, now: float, width: int, height: int) -> Plan:
        """For a frame of `width` by `height` pixels; where that is not the last one's size, nobody
        is known any more."""
        if (width, height) != self._size:
            self._size = width, height
            self._tracks.clear()
        self._alarm |= now - self._now > GAP
        self._now = max(now, self._now)
        self._detected = None
        self._since_look += 1
        self._forget(width, height)
        shown = {i: track for i, track in self._tracks.items() if track.visible}
        places = (track.predicted(self._now) for track in shown.values())
        boxes = tuple(inside(scaled(box, LOOSE), width, height) for box in places)
        return Plan(boxes, tuple(shown), self._wants_look(boxes))

    def join(self, plan: Plan, detections: Sequence[Box]) -> Plan:
        """The plan with what the detector found: boxes corrected, faces found again, newcomers.

        detections: the best first.
        """
        self._since_look, self._looked_at, self._alarm = 0, self._now, False
        known = list(self._tracks.values())
        matched = assign(known, detections, self._now)
        boxes = dict(zip(plan.tracks, plan.boxes, strict=True))
        for index, track in enumerate(known):
            if index not in matched:
                track.misses += track.visible
            elif track.id in boxes or len(boxes) < self._config.max_faces:
                boxes[track.id] = _agreed(boxes.get(track.id), detections[matched[index]])
                track.misses = 0
        detected = {known[index].id for index in matched} & set(boxes)
        for index, detection in enumerate(detections):
            if index not in matched.values() and len(boxes) < self._config.max_faces:
                boxes[self._begin(detection)] = detection
        self._detected = frozenset(detected | (set(boxes) - {track.id for track in known}))
        return Plan(tuple(boxes.values()), tuple(boxes), detect=True)

    def doubts(self, plan: Plan, faces: Sequence[Face]) -> bool:
        """Whether a face is not where its motion led, so that the detector should look now.

        faces: with landmarks, in the order of the plan's boxes, which the detector has not seen.
        """
        return any(
            not self._holds(self._tracks[i], face)
            or (_error(face) > DOUBT_ERROR >= self._tracks[i].error)
            for i, face in zip(plan.tracks, map(with_own_box, faces), strict=True)
        )

    def update(self, now: float, plan: Plan, faces: Sequence[Face]) -> tuple[Face, ...]:
        """The faces that hold, each with its `track_id` and the box of its landmarks.

        faces: with landmarks, in the order of the plan's boxes.
        """
        self._now = max(now, self._now)
        found = {
            track_id: replace(with_own_box(face), track_id=track_id)
            for track_id, face in zip(plan.tracks, faces, strict=True)
        }
        self._weigh(found)
        there = {i: face for i, face in found.items() if self._holds(self._tracks[i], face)}
        there = self._settle(there)
        planned = dict(zip(plan.tracks, plan.boxes, strict=True))
        close = overlapping([face.box for face in there.values()], ASIDE).any(axis=1)
        aside = {i for i, near in zip(there, np.asarray(close), strict=True) if near}
        for track_id in found:
            track = self._tracks[track_id]
            if track_id in there:
                face, error = there[track_id], _error(there[track_id])
                box, unsure = face.box, error > DOUBT_ERROR
                if error > LOST_ERROR:
                    box = replace(scaled(planned[track_id], 1 / LOOSE), tilt=None)
                elif not unsure:  # the next crop shows it upright
                    box = upright_box(face.landmarks, box.score)
                track.see(self._now, box, error, unsure=unsure, aside=track_id in aside)
                track.expires = self._now + self._config.patience
            else:
                self._lose(track)
        return tuple(there.values())

    def hold(self, now: float) -> None:
        """A frame that shows nothing: nobody is judged by it, and patience does not run."""
        passed = max(0.0, now - self._now) if self._tracks else 0.0
        for track in self._tracks.values():
            track.expires += passed
        self._now = max(now, self._now)
        self._alarm = True  # whoever moved meanwhile

    def _wants_look(self, shown: Sequence[Box]) -> bool:
        if self._alarm or not shown or self._since_look >= self._config.detect_every:
            return True
        tracks, passed = self._tracks.values(), self._now - self._looked_at
        if passed >= RETRY and (len(shown) < len(tracks) or overlapping(shown, ASIDE).any()):
            return True
        return passed >= RETRY_UNSURE and any(t.error > DOUBT_ERROR or t.misses for t in tracks)

    def _forget(self, width: int, height: int) -> None:
        """Whom patience has run out for, and who has left the frame."""
        for track in list(self._tracks.values()):
            left = track.visible and inside(track.box, width, height) != track.box
            if self._now > track.expires or left:
                del self._tracks[track.id]

    def _begin(self, detection: Box) -> int:
        self._last_id += 1
        expires = self._now + self._config.patience
        self._tracks[self._last_id] = Track(self._last_id, detection, self._now, expires)
        return self._last_id

    def _holds(self, track: Track, face: Face) -> bool:
        """Whether there is a face, as far as its own landmarks and the detector tell."""
        if not np.isfinite(face.landmarks).all() or face.box.size < 1:
            return False
        if track.score < self._config.min_score:
            return False
        if self._detected is not None and track.id in self._detected:
            return True
        # Whom the detector saw against the landmarks, it is asked about again, not they.
        hopeless = self._detected is None and track.error > LOST_ERROR
        return track.misses < MISSES and (hopeless or _error(face) <= LOST_ERROR)

    def _weigh(self, found: dict[int, Face]) -> None:
        if self._detected is not None:
            for track_id, face in found.items():
                shown = track_id in self._detected
                self._tracks[track_id].weigh(face.box.score if shown else 0.0)

    def _settle(self, there: dict[int, Face]) -> dict[int, Face]:
        """Without those who are on another's face: the one whose motion fits has it. If the
        detector has looked and not seen somebody, a part of another's face is enough."""
        order = sorted(there, key=lambda i: self._rank(i, there[i]))
        limits = np.array([ASIDE if self._is_denied(i) else SAME for i in order])
        claimed = pairwise_iou(corners([there[i].box for i in order])) > limits[:, None]
        kept = np.zeros(len(order), bool)
        for row in range(len(order)):
            kept[row] = not (claimed[row] & kept).any()
        settled = {i for i, stays in zip(order, kept, strict=True) if stays}
        return {i: face for i, face in there.items() if i in settled}

    def _rank(self, track_id: int, face: Face) -> tuple[bool, bool, float]:
        """Who has a face that two claim, the smallest first: who was detected, newcomers last."""
        track = self._tracks[track_id]
        return self._is_denied(track_id), track.seen == 0, track.strained(self._now, face.box)

    def _is_denied(self, track_id: int) -> bool:
        """Whether the detector has looked, and not seen it."""
        return self._detected is not None and track_id not in self._detected

    def _lose(self, track: Track) -> None:
        """Not there in this frame: it waits unseen, unless it never was."""
        if track.seen == 0:
            del self._tracks[track.id]
        track.visible, track.misses, track.strain = False, 0, 0.0
        self._alarm |= self._detected is None


def _error(face: Face) -> float:
    """The landmarks' mean expected error, as a share of the face's size."""
    return float(relative_errors(face.landmarks, face.box).mean())


def _agreed(predicted: Box | None, detection: Box) -> Box:
    """The predicted box if the detection agrees, for landmarks are finer than detections; with the
    detection's score."""
    if predicted is None:
        return detection
    agree = float(pairwise_iou(corners([predicted]), corners([detection]))[0, 0]) >= AGREE
    return replace(predicted if agree else detection, score=detection.score)
