"""The morphable head: a linear model of identity and expression, its 68 landmarks and jaw strips.

Vertex = neutral + sum(w_i * identity_i) + sum(e_j * expression_j), in centimetres; +x is the
subject's left, +y up, +z out of the face. The file is made by `training.synthesis.importer` from
a checkout of ICT-FaceKit (MIT).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray

IntArray = NDArray[np.int32]

IDENTITY_MODES = 50  # the rms of mode 50 is 0.014 cm: later ones do not show
KEPT_REGIONS = ("face", "head_neck", "mouth_socket", "gums_tongue", "teeth", "eyeball_left",
                "eyeball_right", "lacrimal_left", "lacrimal_right")  # fmt: skip
SCLERA_VERTICES = 770  # the first of each eyeball; the iris disc behind the cornea is not needed
FRONT_TEETH_Z = 8.0  # cm; molars never show

# Annotators click lower than where the mesh has its landmarks (cm along -y): the brow's centre
# line rather than its upper rim, the nose's lower end, the upper jaw by the ear lobe. Brows and
# nose by comparison with the mean shape of the iBUG annotations, aligned at the eyes: the mesh's
# nose tip lies 0.64 cm higher, the bridge's lower points 0.5 to 0.7 cm.
LOWERED = {
    **dict.fromkeys((17, 26), 0.40),
    **dict.fromkeys((18, 25), 0.60),
    **dict.fromkeys((19, 24), 0.65),
    **dict.fromkeys((20, 23), 0.70),
    **dict.fromkeys((21, 22), 0.80),
    **dict.fromkeys((0, 1, 2, 14, 15, 16), 0.25),
    27: 0.20,
    28: 0.45,
    29: 0.58,
    30: 0.55,
    32: 0.12,
    33: 0.20,
    34: 0.12,
}
# ... and a mouth's corners where the line between the lips ends, 0.2 cm inside the mesh's (cm along
# x towards the middle).
INWARD = {48: 0.22, 54: 0.22}
STRIP_VERTICES = 14
STRIP_BACK = 1.6  # cm towards ear, neck or throat
STRIP_FRONT = 2.6  # cm towards the cheek


class HeadModelMissing(RuntimeError):
    """No head model where the caller said; training cannot do without one."""


@dataclass(frozen=True)
class HeadModel:
    """neutral float32 [V, 3]; identity [M, V, 3] one sigma each; expression [E, V, 3] at weight 1;
    triangles int32 [F, 3]; region int8 [V] into `region_names`; landmarks int32 [68] vertices;
    strips int32 [17, S]: candidates of each jaw point, ear or throat side first."""

    neutral: FloatArray
    identity: FloatArray
    expression: FloatArray
    expression_names: tuple[str, ...]
    triangles: IntArray
    region: NDArray[np.int8]
    region_names: tuple[str, ...]
    landmarks: IntArray
    strips: IntArray

    def vertices(self, identity: FloatArray, expression: FloatArray) -> FloatArray:
        """Weights [M] and [E] to vertices float32 [V, 3]."""
        count = self.neutral.size
        shape = identity @ self.identity.reshape(len(identity), count)
        shape = shape + expression @ self.expression.reshape(len(expression), count)
        return self.neutral + shape.reshape(-1, 3)

    def of_region(self, *names: str) -> NDArray[np.bool_]:
        """Mask [V] of the vertices in any of the named regions."""
        ids = [self.region_names.index(name) for name in names if name in self.region_names]
        return np.isin(self.region, ids)


def load_head(path: str | Path) -> HeadModel:
    """Read the compact head model and keep what a camera can see.

    Raises HeadModelMissing, with what to do about it, when the file is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise HeadModelMissing(
            f"no head model at {path}; make one with `python -m training.synthesis import-head "
            "ICT-FACEKIT-CHECKOUT OUT.npz` and name it with --head"
        )
    with np.load(path, allow_pickle=False) as file:
        names = tuple(str(name) for name in file["region_names"])
        region, neutral = file["region"], file["neutral"].astype(np.float32)
        keep = _kept_vertices(region, names, neutral)
        new_index = np.cumsum(keep) - 1
        triangles = file["triangles"].astype(np.int64)
        triangles = new_index[triangles[keep[triangles].all(axis=1)]].astype(np.int32)
        landmarks = new_index[file["landmarks_68"].astype(np.int64)].astype(np.int32)
        trimmed = neutral[keep]
        landmarks = as_annotated(trimmed, region[keep] == names.index("face"), landmarks)
        surface = np.isin(region[keep], [names.index("face"), names.index("head_neck")])
        return HeadModel(
            neutral=trimmed,
            # Boolean indexing leaves another memory order: made plain here, once, since every
            # person multiplies with these.
            identity=np.ascontiguousarray(file["identity"][:IDENTITY_MODES, keep], np.float32),
            expression=np.ascontiguousarray(file["expression"][:, keep], np.float32),
            expression_names=tuple(str(name) for name in file["expression_names"]),
            triangles=triangles,
            region=region[keep],
            region_names=names,
            landmarks=landmarks,
            strips=jaw_strips(trimmed, surface, landmarks[:17]),
        )


def _kept_vertices(
    region: NDArray[np.int8], names: tuple[str, ...], neutral: FloatArray
) -> NDArray[np.bool_]:
    keep = np.isin(region, [names.index(name) for name in KEPT_REGIONS])
    for side in ("eyeball_left", "eyeball_right"):
        keep[np.flatnonzero(region == names.index(side))[SCLERA_VERTICES:]] = False
    keep[(region == names.index("teeth")) & (neutral[:, 2] < FRONT_TEETH_Z)] = False
    return keep


def as_annotated(neutral: FloatArray, face: NDArray[np.bool_], landmarks: IntArray) -> IntArray:
    """Move landmarks along the surface by `LOWERED` and `INWARD`: to the nearest face vertex."""
    moved = landmarks.copy()
    candidates = np.flatnonzero(face)
    for index in {*LOWERED, *INWARD}:
        target = neutral[landmarks[index]].copy()
        target[0] -= np.sign(target[0]) * INWARD.get(index, 0.0)
        target[1] -= LOWERED.get(index, 0.0)
        distance = np.linalg.norm(neutral[candidates] - target, axis=1)
        moved[index] = candidates[distance.argmin()]
    return moved


def jaw_strips(neutral: FloatArray, surface: NDArray[np.bool_], jaw: IntArray) -> IntArray:
    """For each of the 17 jaw points, `STRIP_VERTICES` vertices across the jaw line.

    The visible jaw contour slides over the cheek as the head turns; each strip is where it can go.
    """
    points = neutral[jaw]
    tangents = np.gradient(points, axis=0)
    candidates = np.flatnonzero(surface)
    strips = np.empty((len(jaw), STRIP_VERTICES), np.int32)
    for index, (point, tangent) in enumerate(zip(points, tangents, strict=True)):
        tangent = tangent / np.linalg.norm(tangent)
        offset = neutral[candidates] - point
        outward = jaw_outward(index)
        # Across the jaw line, pointing from the ear or throat to the cheek or chin.
        across = np.cross(tangent, np.array([outward[0], outward[1], 0.0]))
        across = across if across[2] > 0 else -across
        along = offset @ across
        radial = np.linalg.norm(offset, axis=1)
        near = (np.abs(offset @ tangent) < 0.45) & (radial < 4.0)
        near &= (along > -STRIP_BACK) & (along < STRIP_FRONT)
        chosen = candidates[near]
        wanted = np.linspace(-STRIP_BACK, STRIP_FRONT, STRIP_VERTICES)
        nearest = np.abs(along[near][None] - wanted[:, None]).argmin(axis=1)
        strips[index] = chosen[nearest]
    return strips


def jaw_outward(index: int) -> tuple[float, float]:
    """Unit vector (x, y up) away from the face at jaw point 0-16, seen from the front."""
    angle = np.pi * (1.0 + index / 16.0)  # right ear (-x), round by the chin (-y), left ear (+x)
    return float(np.cos(angle)), float(np.sin(angle))


def procedural_head() -> HeadModel:
    """A crude ellipsoid head with landmarks, for tests without the real model; not for training."""
    rows, columns = 61, 96
    u = np.linspace(-np.pi, np.pi, columns, endpoint=False)
    v = np.linspace(-np.pi / 2, np.pi / 2, rows)
    uu, vv = np.meshgrid(u, v)
    radii = np.array([7.6, 11.0, 9.5])
    ball = np.stack([np.sin(uu) * np.cos(vv), np.sin(vv), np.cos(uu) * np.cos(vv)], axis=2)
    neutral = (ball * radii + [0, 3.0, 1.0]).reshape(-1, 3).astype(np.float32)
    nose = np.exp(-((neutral[:, 0] / 1.2) ** 2 + ((neutral[:, 1] - 0.8) / 1.6) ** 2))
    neutral[:, 2] += np.where(neutral[:, 2] > 0, 2.0 * nose, 0.0).astype(np.float32)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b = index[:-1], np.roll(index, -1, axis=1)[:-1]
    c, d = np.roll(index, -1, axis=1)[1:], index[1:]
    faces = [np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))]
    wanted = _template_landmarks()
    front = np.flatnonzero(neutral[:, 2] > 0)
    distance = np.linalg.norm(neutral[front, None, :2] - wanted[None], axis=2)
    landmarks = front[distance.argmin(axis=0)].astype(np.int32)
    rng = np.random.default_rng(0)
    modes = rng.normal(0, 0.05, (4, 1, 3)) * neutral[None]
    jaw = np.where((neutral[:, 1] < -3)[:, None], [0, -1.5, 0], 0.0)
    return HeadModel(
        neutral=neutral,
        identity=modes.astype(np.float32),
        expression=np.stack([jaw, 0 * jaw]).astype(np.float32),
        expression_names=("jawOpen", "mouthClose"),
        triangles=np.concatenate(faces).astype(np.int32),
        region=np.zeros(len(neutral), np.int8),
        region_names=("face", "head_neck"),
        landmarks=landmarks,
        strips=jaw_strips(neutral, np.ones(len(neutral), bool), landmarks[:17]),
    )


def _template_landmarks() -> FloatArray:
    """Frontal positions [68, 2] (x, y in cm) of an average face in iBUG order."""
    angle = np.pi + np.pi * np.arange(17) / 16
    jaw = np.stack([7.2 * np.cos(angle), 3.0 + 10.5 * np.sin(angle)], 1)
    brow = np.stack([np.linspace(1.2, 5.6, 5), [5.2, 5.8, 6.0, 5.8, 5.2]], 1)
    bridge = np.stack([np.zeros(4), [3.7, 2.6, 1.5, 0.4]], 1)
    wings = np.stack([np.linspace(-1.3, 1.3, 5), [-0.9, -1.1, -1.2, -1.1, -0.9]], 1)
    ring = np.array([[-1.3, 0], [-0.5, 0.4], [0.5, 0.4], [1.3, 0], [0.5, -0.4], [-0.5, -0.4]])
    outer = np.deg2rad(180 - 30 * np.arange(12))
    inner = np.deg2rad(180 - 45 * np.arange(8))
    lips = np.stack([2.5 * np.cos(outer), -3.5 + 0.9 * np.sin(outer)], 1)
    mouth = np.stack([2.0 * np.cos(inner), -3.5 + 0.25 * np.sin(inner)], 1)
    right_brow = brow[::-1] * [-1, 1]
    parts = [
        jaw,
        right_brow,
        brow,
        bridge,
        wings,
        ring + [-3.2, 3.4],
        ring + [3.2, 3.4],
        lips,
        mouth,
    ]
    return np.asarray(np.concatenate(parts), np.float32)
