"""Lights: where they come from, and their colours."""

import numpy as np

from training.synthesis.rgb_light import black_body, cast_shadows, surface_normals


def test_light_comes_from_where_it_stands() -> None:
    yy, xx = np.mgrid[:100, :100].astype(np.float32)
    ball = 40**2 - (xx - 50) ** 2 - (yy - 50) ** 2
    depth = np.where(ball > 0, 200 - np.sqrt(np.maximum(ball, 0)) / 10, np.inf).astype(np.float32)
    normals = surface_normals(depth, 10.0)
    assert normals[50, 50, 2] > 0.95
    assert normals[50, 75, 0] > 0.4 and normals[50, 25, 0] < -0.4
    assert normals[25, 50, 1] > 0.4 and normals[75, 50, 1] < -0.4
    wall = np.full((100, 100), 200.0, np.float32)
    wall[:, 40:44] = 197.0  # a bar that stands 3 cm before it
    right = np.array([0.8, 0.0, 0.6], np.float32)
    lit = cast_shadows(wall, 5.0, right)
    assert lit[50, 35] < 0.5 < lit[50, 60]  # the light stands at the right


def test_cold_light_is_bluer() -> None:
    assert black_body(3000)[0] > 2 * black_body(3000)[2]
    assert black_body(9000)[2] > black_body(9000)[0]
