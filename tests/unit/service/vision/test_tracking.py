"""Faces followed through simple scenes."""

from dataclasses import replace

import numpy as np
import pytest

from service.entities import Box, Face
from service.vision.crop import crop_map, rotation
from service.vision.faces import box_of, roll_of
from service.vision.tracking import GAP, LOOSE, MISSES, Tracker, TrackingConfig
from tests import data_sets
from tests.unit.service.vision.scenes import (
    FPS,
    HEIGHT,
    WIDTH,
    Camera,
    box,
    face,
    ids,
    landmarks,
    middle,
)


@pytest.fixture
def camera() -> Camera:
    return Camera()


def test_who_stands_is_looked_for_every_few_frames(camera: Camera) -> None:
    answers = camera.film(lambda _: [box(100), box(200)], 31)
    assert all(ids(answer) == [1, 2] for answer in answers)
    assert camera.looks == 4  # in frames 0, 10, 20 and 30


def test_the_answer_has_the_box_of_the_landmarks_and_the_score_of_the_detection(
    camera: Camera,
) -> None:
    (first,), (second,) = camera.film(lambda n: [box(100 + 2 * n, score=0.7)], 2)
    assert (first.box, second.box.score) == (box(100, score=0.7), 0.7)
    assert middle(second.box) == pytest.approx(102)


@pytest.mark.parametrize("roll", [-100.0, 3.0, 40.0])
def test_a_tilted_face_is_cropped_upright_from_then_on(roll: float) -> None:
    tracker = Tracker()
    points = data_sets.face((100.0, 90.0)) - (100.0, 90.0)
    turned = points @ rotation(-roll).T + (100.0, 90.0)
    rest = np.broadcast_to([0.5, 0.5], (68, 2))
    seen = np.concatenate([turned, rest], axis=1).astype(np.float32)
    detection = box_of(seen, 0.9)
    plan = tracker.join(tracker.plan(1.0, WIDTH, HEIGHT), [detection])
    assert plan.boxes[0].tilt is None  # nobody knows yet
    tracker.update(1.0, plan, [Face(plan.boxes[0], seen)])
    (expected,) = tracker.plan(1.1, WIDTH, HEIGHT).boxes
    shown = box_of(crop_map(expected).to_network(seen[:, :2]), 1.0)
    assert roll_of(crop_map(expected).to_network(seen[:, :2])) == pytest.approx(0.0, abs=0.1)
    assert shown.x1 + shown.x2 == pytest.approx(255, abs=3)  # in the middle
    assert shown.y1 + shown.y2 == pytest.approx(255, abs=3)
    assert max(shown.width, shown.height) == pytest.approx(256 / 1.25 / LOOSE, rel=1e-3)
    plan = tracker.join(tracker.plan(1.2, WIDTH, HEIGHT), [detection])
    assert plan.boxes[0].tilt == expected.tilt  # a detector does not say
    unsure = seen + (0, 0, 0, 10)
    tracker.update(1.2, plan, [Face(plan.boxes[0], unsure.astype(np.float32))])
    assert tracker.plan(1.3, WIDTH, HEIGHT).boxes[0].tilt is None


def test_while_nobody_is_there_the_detector_looks_in_every_frame(camera: Camera) -> None:
    assert camera.film(lambda _: [], 5) == [()] * 5
    assert camera.looks == 5
    assert ids(camera.show([box(100)])) == [1]


def test_a_newcomer_is_found_within_the_frames_between_two_looks(camera: Camera) -> None:
    answers = camera.film(lambda n: [box(100)] if n < 3 else [box(100), box(250)], 12)
    assert ids(answers[9]) == [1]
    assert ids(answers[10]) == [1, 2]


def test_crops_go_where_the_motion_leads(camera: Camera) -> None:
    answers = camera.film(lambda n: [box(40 + 12 * n)], 20)  # a third of a face each frame
    assert all(ids(answer) == [1] for answer in answers)
    assert camera.looks <= 3
    (ahead,) = camera.tracker.plan(100 + 20 / FPS, WIDTH, HEIGHT).boxes
    assert middle(ahead) == pytest.approx(40 + 12 * 20, abs=1)


def test_a_sudden_move_is_found_in_the_same_frame(camera: Camera) -> None:
    answers = camera.film(lambda n: [box(100 if n < 4 else 140)], 5)
    assert [ids(answer) for answer in answers] == [[1]] * 5
    assert camera.looks == 2


@pytest.mark.parametrize("step", [6, 14, 25])
def test_those_who_cross_keep_their_numbers(camera: Camera, step: float) -> None:
    """The one behind is neither detected nor seen while the other is before it."""

    def scene(number: int) -> list[Box]:
        near = box(60 + step * number, size=48)
        far = box(260 - step * number, size=38)
        return [near] if abs(middle(near) - middle(far)) < 30 else [near, far]

    answers = camera.film(scene, int(200 / step) + 1)
    ends = {f.track_id: middle(f.box) for f in answers[-1]}
    assert ends[1] > 160 > ends[2]
    assert {i for answer in answers for i in ids(answer)} == {1, 2}


@pytest.mark.parametrize(("hidden", "number"), [(2.2, 1), (2.9, 2)])
def test_patience(camera: Camera, hidden: float, number: int) -> None:
    camera.film(lambda _: [box(100)], 3)
    answers = camera.film(lambda _: [], int(hidden * FPS))
    assert answers == [()] * len(answers)
    assert ids(camera.show([box(110)])) == [number]


def test_another_size_is_another_face(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 3)
    camera.show([])
    assert ids(camera.show([box(100, size=100)])) == [2]


def test_what_the_detector_denies_goes_after_a_while(camera: Camera) -> None:
    camera.show([box(100)])
    camera.blind = True
    answers = camera.film(lambda _: [box(100)], 60)
    assert ids(answers[9]) == [1] and answers[-1] == ()
    lost = answers.index(())
    assert camera.looks - (60 - lost - 1) == 1 + MISSES


def test_what_only_the_detector_takes_for_a_face_costs_no_look_in_every_frame(
    camera: Camera,
) -> None:
    """Its landmarks are bad in every frame; it is answered in every frame, as without tracking."""
    camera.hopeless = True
    answers = camera.film(lambda _: [box(100)], 30)
    assert all(ids(answer) == [1] for answer in answers)
    assert middle(answers[-1][0].box) == pytest.approx(100, abs=2)
    assert camera.looks <= 8


def test_two_tracks_on_one_face_become_the_older_one(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 2)
    now = 100 + 2 / FPS
    plan = camera.tracker.plan(now, WIDTH, HEIGHT)
    plan = camera.tracker.join(plan, [box(100), box(104, size=39)])
    assert plan.tracks == (1, 2)
    faces = landmarks(plan.boxes, [box(100)])
    assert ids(camera.tracker.update(now, plan, faces)) == [1]
    assert camera.tracker.plan(now, WIDTH, HEIGHT).tracks == (1,)


def test_who_has_left_the_frame_is_forgotten(camera: Camera) -> None:
    answers = camera.film(lambda n: [box(300 + 8 * n)] if n < 4 else [], 5)
    assert answers[-1] == ()
    assert ids(camera.show([box(300)])) == [2]


def test_in_frames_of_another_size_nobody_is_known(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 3)
    now = 100 + 3 / FPS
    plan = camera.tracker.plan(now, 2 * WIDTH, 2 * HEIGHT)
    assert (plan.boxes, plan.detect) == ((), True)
    assert camera.tracker.join(plan, [box(100)]).tracks == (2,)


def test_a_box_that_has_drifted_becomes_the_detections(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 2)
    plan = camera.tracker.plan(100 + 2 / FPS, WIDTH, HEIGHT)
    joined = camera.tracker.join(plan, [box(118)])
    assert joined.tracks == (1,) and middle(joined.boxes[0]) == 118
    near = camera.tracker.join(plan, [box(103, score=0.5)])
    assert near.boxes == (replace(plan.boxes[0], score=0.5),)


def test_no_more_than_were_asked_for() -> None:
    camera = Camera(Tracker(TrackingConfig(max_faces=2)))
    three = [box(60), box(160), box(260)]
    assert ids(camera.show(three)) == [1, 2]
    assert ids(camera.film(lambda _: three[1:], 3)[-1]) == [2, 3]


def test_newcomers_need_their_score_and_the_known_keep_theirs_for_a_while() -> None:
    camera = Camera(Tracker(TrackingConfig(detect_every=1, min_score=0.5)))
    assert camera.show([box(100, score=0.4)]) == ()
    assert ids(camera.show([box(100, score=0.6)])) != []
    assert ids(camera.show([box(100, score=0.4)])) != []  # .54
    assert ids(camera.show([box(100, score=0.4)])) == []  # .498


@pytest.mark.parametrize(("score", "shown"), [(0.6, 0), (0.9, 1), (1.0, 1)])
def test_a_look_that_misses_a_face_counts_against_it(score: float, shown: int) -> None:
    camera = Camera(Tracker(TrackingConfig(detect_every=1, min_score=0.5)))
    camera.film(lambda _: [box(100, score=score)], 3)
    camera.blind = True
    assert len(camera.show([box(100)])) == shown


def test_a_thing_that_the_detector_takes_for_a_face_now_and_then_is_not_followed() -> None:
    camera = Camera(Tracker(TrackingConfig(detect_every=1, min_score=0.3)))
    answers = 0
    for number in range(40):
        camera.blind = number % 2 > 0
        answers += len(camera.show([box(100, score=0.35)]))
    assert answers <= 10  # of 40


def test_landmarks_that_are_not_finite_are_no_face(camera: Camera) -> None:
    now = 100.0
    plan = camera.tracker.join(camera.tracker.plan(now, WIDTH, HEIGHT), [box(100)])
    (wrong,) = landmarks(plan.boxes, [box(100)])
    wrong.landmarks[3, 0] = np.nan
    assert camera.tracker.update(now, plan, [wrong]) == ()


def test_patience_does_not_run_while_the_camera_shows_nothing(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 3)
    for _ in range(int(20 * FPS)):
        camera.tracker.hold(100 + camera.number / FPS)
        camera.number += 1
    looks = camera.looks
    assert ids(camera.show([box(120)])) == [1]
    assert camera.looks == looks + 1  # at once


def test_after_a_pause_the_detector_looks(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 3)
    camera.number += int(GAP * FPS) + 1
    assert ids(camera.show([box(130)])) == [1]
    assert camera.looks == 2


def test_times_that_stand_still_or_run_backwards_do_no_harm(camera: Camera) -> None:
    for now in (5.0, 5.0, 4.0, 5.1):
        plan = camera.tracker.plan(now, WIDTH, HEIGHT)
        if plan.detect:
            plan = camera.tracker.join(plan, [box(100)])
        (found,) = camera.tracker.update(now, plan, landmarks(plan.boxes, [box(100)]))
        assert found.track_id == 1 and np.isfinite(found.landmarks).all()


def test_a_frame_that_failed_leaves_the_tracks_as_they_were(camera: Camera) -> None:
    camera.film(lambda _: [box(100)], 10)
    plan = camera.tracker.plan(100 + 10 / FPS, WIDTH, HEIGHT)
    camera.tracker.join(plan, [box(100), box(200)])  # and no update
    camera.number += 1
    assert ids(camera.show([box(100), box(200)]))[0] == 1


def test_many_faces() -> None:
    camera = Camera(Tracker(TrackingConfig(max_faces=256)))
    crowd = [box(10 + 20 * (i % 16), 8 + 15 * (i // 16), 12) for i in range(256)]
    now = 0.0
    plan = camera.tracker.join(camera.tracker.plan(now, WIDTH, HEIGHT), crowd)
    assert len(camera.tracker.update(now, plan, [face(b, b) for b in plan.boxes])) == 256
