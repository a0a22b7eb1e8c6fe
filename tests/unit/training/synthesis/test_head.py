import json
from pathlib import Path

import numpy as np
import pytest

from training.synthesis.head import (
    HeadModel,
    HeadModelMissing,
    as_annotated,
    jaw_outward,
    load_head,
)
from training.synthesis.importer import import_head, read_obj


def test_a_missing_head_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HeadModelMissing, match="import-head"):
        load_head(tmp_path / "none.npz")


def test_vertices_are_neutral_plus_weighted_modes(head: HeadModel) -> None:
    identity = np.array([1, 0, 0, 0], np.float32)
    expression = np.array([0.5, 0], np.float32)
    wanted = head.neutral + head.identity[0] + 0.5 * head.expression[0]
    np.testing.assert_allclose(head.vertices(identity, expression), wanted, atol=1e-5)


def test_landmarks_move_to_where_annotators_click() -> None:
    steps = np.arange(-80, 81, dtype=np.float32) / 10
    x, y = (grid.ravel() for grid in np.meshgrid(steps, steps))
    neutral = np.stack([x, y, np.zeros_like(x)], axis=1)
    places = np.zeros((68, 2), np.float32)
    places[[48, 54, 30, 36]] = [-2.5, -3.5], [2.5, -3.5], [0, 0.4], [-4.5, 3.4]
    landmarks = np.array(
        [np.abs(neutral[:, :2] - place).sum(axis=1).argmin() for place in places], np.int32
    )
    moved = neutral[as_annotated(neutral, np.ones(len(neutral), bool), landmarks)]
    assert moved[48] == pytest.approx([-2.3, -3.5, 0], abs=0.06)  # the corners: inwards
    assert moved[54] == pytest.approx([2.3, -3.5, 0], abs=0.06)
    assert moved[30] == pytest.approx([0, -0.15, 0], abs=0.06)  # the tip of the nose: down
    assert moved[36] == pytest.approx([-4.5, 3.4, 0], abs=0.06)  # the eyes: not at all


def test_jaw_strips_run_from_the_ear_to_the_cheek(head: HeadModel) -> None:
    assert head.strips.shape == (17, 14)
    depth = head.neutral[head.strips, 2]
    assert (depth[:, -1] >= depth[:, 0] - 0.5).all()


def test_outward_goes_from_the_right_ear_round_the_chin() -> None:
    assert jaw_outward(0) == pytest.approx((-1, 0), abs=1e-9)
    assert jaw_outward(8) == pytest.approx((0, -1), abs=1e-9)
    assert jaw_outward(16) == pytest.approx((1, 0), abs=1e-9)


def test_obj_quads_become_two_triangles_each(tmp_path: Path) -> None:
    file = tmp_path / "a.obj"
    file.write_text("# quad\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n")
    vertices, triangles = read_obj(file)
    assert vertices.shape == (4, 3)
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_the_importer_makes_a_model_that_loads(tmp_path: Path, head: HeadModel) -> None:
    count = 26_719  # the importer names regions by vertex number, so the mesh has the real size
    rng = np.random.default_rng(0)
    vertices = rng.uniform(-8, 8, (count, 3))
    vertices[:, 2] = np.abs(vertices[:, 2])
    lines = "".join(f"v {x:.3f} {y:.3f} {z:.3f}\n" for x, y, z in vertices) + "f 1 2 3 4\n"
    folder = tmp_path / "ICT-FaceKit" / "FaceXModel"
    folder.mkdir(parents=True)
    names = ["generic_neutral_mesh", "jawOpen", *(f"identity{i:03d}" for i in range(100))]
    for name in names:
        (folder / f"{name}.obj").write_text(lines)
    index = {"idx_to_landmark_verts": list(range(0, 6800, 100))}
    (folder / "vertex_indices.json").write_text(json.dumps(index))
    import_head(tmp_path / "ICT-FaceKit", tmp_path / "head.npz")
    model = load_head(tmp_path / "head.npz")
    assert model.expression_names == ("jawOpen",)
    assert model.identity.shape[0] == 50
    assert model.landmarks.shape == (68,)


def test_the_importer_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(HeadModelMissing, match="generic_neutral_mesh"):
        import_head(tmp_path, tmp_path / "head.npz")
