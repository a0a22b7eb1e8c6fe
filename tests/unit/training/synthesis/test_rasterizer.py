from collections.abc import Sequence

import numpy as np

from training.synthesis.rasterizer import Canvas, vertex_normals

TRIANGLE = np.array([[0, 1, 2]], np.int32)


def draw(canvas: Canvas, corners: Sequence[Sequence[float]], value: float, owner: int) -> None:
    vertices = np.array(corners, np.float32)
    canvas.draw(vertices, TRIANGLE, np.full((3, 1), value, np.float32), owner)


def test_attributes_are_interpolated_linearly() -> None:
    canvas = Canvas(11, 11, 1)
    vertices = np.array([[0, 0, 1], [10, 0, 1], [0, 10, 1]], np.float32)
    canvas.draw(vertices, TRIANGLE, np.array([[0], [10], [0]], np.float32), 0)
    assert canvas.values[2, 3, 0] == np.float32(3.0)
    assert canvas.owner[10, 10] == -1
    assert np.isinf(canvas.depth[10, 10])


def test_the_nearer_triangle_wins_in_any_order() -> None:
    for near_first in (True, False):
        canvas = Canvas(8, 8, 1)
        jobs = [
            ([[0, 0, 1], [9, 0, 1], [0, 9, 1]], 1.0, 1),
            ([[0, 0, 2], [9, 0, 2], [0, 9, 2]], 2.0, 2),
        ]
        for corners, value, owner in jobs if near_first else jobs[::-1]:
            draw(canvas, corners, value, owner)
        assert canvas.owner[1, 1] == 1
        assert canvas.values[1, 1, 0] == 1.0


def test_triangles_outside_or_degenerate_draw_nothing() -> None:
    canvas = Canvas(4, 4, 1)
    draw(canvas, [[-9, -9, 1], [-5, -9, 1], [-9, -5, 1]], 1.0, 0)
    draw(canvas, [[1, 1, 1], [2, 2, 1], [3, 3, 1]], 1.0, 0)
    assert (canvas.owner == -1).all()


def test_normals_of_a_counter_clockwise_triangle_point_at_the_viewer() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(vertex_normals(vertices, TRIANGLE), [[0, 0, 1]] * 3)
