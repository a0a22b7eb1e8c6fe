import numpy as np
import pytest

from training.synthesis.actors import Actor
from training.synthesis.config import PERSON
from training.synthesis.head import HeadModel
from training.synthesis.motion import Motion, Stage
from training.synthesis.shots import Role, shoot
from training.synthesis.thermal import Anatomy

STAGE = Stage(96, 72, 130.0)


@pytest.fixture
def roles(head: HeadModel, anatomy: Anatomy) -> list[Role]:
    """Two people, the second 15 cm behind the first, who is in the middle, at the edge, and gone;
    the second in the middle, always."""

    def role(seed: int, x: list[float], distance: float) -> Role:
        actor = Actor.cast(head, anatomy, (seed,), 22.0, PERSON)
        neck = np.array([[a, -12.0, distance] for a in x])
        motion = Motion(neck, np.zeros((len(x), 3)), {})
        return Role(actor, motion, STAGE.place(neck), STAGE)

    return [role(1, [0.0, 31.0, 90.0], 80.0), role(2, [0.0, 0.0, 0.0], 95.0)]


def _scene() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((72, 96), 20.0, np.float32)


def test_the_nearer_hides_the_other(roles: list[Role]) -> None:
    together, apart, _ = (shoot(_scene(), roles, frame) for frame in range(3))
    assert together.visible[0] == 1.0 and together.visible[1] < 0.1
    assert apart.visible[1] == 1.0
    swapped = shoot(_scene(), roles[::-1], 0)
    np.testing.assert_array_equal(swapped.scene, together.scene)
    np.testing.assert_array_equal(swapped.visible, together.visible[::-1])


def test_a_face_at_the_edge_is_seen_in_part_and_one_outside_is_not_there(
    roles: list[Role],
) -> None:
    edge, gone = (shoot(_scene(), roles, frame) for frame in (1, 2))
    assert 0.1 < edge.visible[0] < 0.9 and np.isfinite(edge.landmarks[0]).all()
    assert edge.landmarks[0, :, 0].max() > 96
    assert gone.visible[0] == 0.0 and np.isnan(gone.landmarks[0]).all()
    alone = shoot(_scene(), roles[1:], 2)
    np.testing.assert_array_equal(gone.scene, alone.scene)


def test_landmarks_lie_where_the_face_is(roles: list[Role]) -> None:
    shot = shoot(_scene(), roles[:1], 0)
    face, cold = shot.landmarks[0], _scene() == shot.scene
    x, y = face.mean(axis=0)
    assert abs(x - 47.5) < 2 and 20 < y < 50
    for x, y in np.round(face[17:]).astype(int):
        assert not cold[y, x]
    # The size that the camera's focal length and the distance make.
    sides = face.max(axis=0) - face.min(axis=0)
    assert np.sqrt(np.prod(sides)) == pytest.approx(130.0 * 14.2 / 80.0, rel=0.25)


def test_a_layer_holds_all_that_the_frame_shows(roles: list[Role]) -> None:
    for role in roles:
        window = role.window
        x, y = window.neck
        assert x >= 30 and window.width - x >= 30 and y >= 30
        below = (window.height - y) / window.scale
        assert below >= min((72 - role.place[0, 1]) / role.zoom[0], 160)
