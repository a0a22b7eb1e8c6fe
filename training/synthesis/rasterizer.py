"""A z-buffer rasteriser for small images, compiled by numba. One call draws one mesh."""

import numba
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray


class Canvas:
    """depth float32 [H, W], inf where empty; values float32 [H, W, C]; owner int16 [H, W] or -1."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.depth = np.full((height, width), np.inf, np.float32)
        self.values = np.zeros((height, width, channels), np.float32)
        self.owner = np.full((height, width), -1, np.int16)

    def copy(self) -> "Canvas":
        """The canvas as it is now."""
        twin = Canvas(*self.owner.shape, self.values.shape[2])
        twin.depth, twin.values = self.depth.copy(), self.values.copy()
        twin.owner = self.owner.copy()
        return twin

    def draw(
        self,
        vertices: FloatArray,
        triangles: NDArray[np.int32],
        attributes: FloatArray,
        owner: int,
    ) -> None:
        """Draw `vertices` [V, 3] (x, y in pixels, depth) with `attributes` [V, C]."""
        _draw(
            self.depth,
            self.values,
            self.owner,
            np.ascontiguousarray(vertices, np.float32),
            np.ascontiguousarray(triangles, np.int32),
            np.ascontiguousarray(attributes, np.float32),
            owner,
        )

    def merge(self, over: "Canvas", where: NDArray[np.bool_]) -> None:
        """Take the pixels of `over` that are nearer, where the mask allows."""
        _merge(
            self.depth, self.values, self.owner, over.depth, over.values, over.owner,
            np.ascontiguousarray(where),
        )  # fmt: skip


@numba.njit(cache=True, fastmath=True, nogil=True)
def _draw(depth, values, owner, vertices, triangles, attributes, owner_id):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    channels = values.shape[2]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        x0 = max(0, int(np.ceil(min(ax, bx, cx))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0 = max(0, int(np.ceil(min(ay, by, cy))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy))))
        if x0 > x1 or y0 > y1:
            continue
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        inverse = 1.0 / area
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                w1 = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) * inverse
                w2 = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) * inverse
                w0 = 1.0 - w1 - w2
                if w0 < -1e-5 or w1 < -1e-5 or w2 < -1e-5:
                    continue
                z = w0 * az + w1 * bz + w2 * cz
                if z >= depth[y, x]:
                    continue
                depth[y, x] = z
                owner[y, x] = owner_id
                for k in range(channels):
                    values[y, x, k] = (
                        w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
                    )


@numba.njit(cache=True, nogil=True)
def _merge(depth, values, owner, over_depth, over_values, over_owner, where):  # type: ignore[no-untyped-def]
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            if where[y, x] and over_depth[y, x] < depth[y, x]:
                depth[y, x] = over_depth[y, x]
                owner[y, x] = over_owner[y, x]
                for k in range(values.shape[2]):
                    values[y, x, k] = over_values[y, x, k]


@numba.njit(cache=True, nogil=True)
def _accumulate_normals(normals, vertices, triangles):  # type: ignore[no-untyped-def]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz


def vertex_normals(vertices: FloatArray, triangles: NDArray[np.int32]) -> FloatArray:
    """Area-weighted unit normals [V, 3]; counter-clockwise triangles face outwards."""
    normals = np.zeros_like(vertices, dtype=np.float32)
    _accumulate_normals(normals, np.ascontiguousarray(vertices, np.float32), triangles)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-9), np.float32)


def grid_triangles(rows: int, columns: int) -> NDArray[np.int32]:
    """Two triangles for each cell of a grid of vertices, row by row: int32 [F, 3]."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    pairs = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    return np.concatenate(pairs).astype(np.int32)
