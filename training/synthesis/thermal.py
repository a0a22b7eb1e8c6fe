"""Skin temperatures by region, on the vertices of the head.

Means, spreads and the response to the ambient follow the literature and measurements on Lepton
frames: forehead 33-35 C as the reference, nose tip coldest and most variable, inner canthi
warmest, ears and cheeks following the air. Every region varies by itself, so that no single cue
(a cold nose, say) can be trusted by the network.
"""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import pick
from training.synthesis.config.skin import PRIORS, SkinConfig
from training.synthesis.fields import vertex_noise
from training.synthesis.head import HeadModel
from training.synthesis.rasterizer import vertex_normals

REFLECTANCE = 0.02  # of skin at normal incidence (n = 1.33); Schlick's fifth power beyond
EDGE_CM = 0.08  # over which the temperature changes where nose and lips begin
# The nose, its right half from the root to the wings and the columella, as seen from the front: cm.
HALF_NOSE = np.array([[-0.5, 3.4], [-0.75, 2.2], [-1.0, 1.0], [-1.6, 0.4], [-1.88, -0.25],
                      [-1.85, -0.75], [-1.5, -1.05], [-0.6, -1.15], [0, -1.15]])  # fmt: skip
RIM_CM = 0.8  # so far from the head's outline a grazing ray may still pass the head
_CELLS = 4  # a cm, of the mask that tells how far the outline is
_GAPS = np.ones((7, 7), np.uint8)  # cells; between the vertices of the neck, which are the sparsest


def _near(points: FloatArray, centres: FloatArray, sigma: float) -> FloatArray:
    """Largest of Gaussians about `centres` [C, 3], at each point: [V]."""
    squared = ((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
    return np.asarray(np.exp(-squared / (2 * sigma**2)), np.float32)


def _polyline(points: FloatArray, pieces: int = 6) -> FloatArray:
    """The line through `points` [P, 3], both ends included, as close points [Q, 3]."""
    steps = np.linspace(0, 1, pieces, endpoint=False)[:, None, None]
    dense = points[None, :-1] * (1 - steps) + points[None, 1:] * steps
    return np.concatenate([dense.reshape(-1, 3), points[-1:]]).astype(np.float32)


def _within(points: FloatArray, outline: FloatArray) -> FloatArray:
    """1 within `outline` [C, 2] as seen from the front, 0 outside, across `EDGE_CM`: [V]."""
    polygon = outline.astype(np.float32)
    depth = [cv2.pointPolygonTest(polygon, (float(x), float(y)), True) for x, y, _ in points]
    share = 1 / (1 + np.exp(-np.clip(np.array(depth) / EDGE_CM, -30, 30)))
    return np.asarray(np.where(points[:, 2] > 0, share, 0), np.float32)


def _concavity(head: HeadModel, rounds: int) -> FloatArray:
    """Displacement by Laplacian smoothing along the normal, unit deviation: > 0 in hollows."""
    edges = np.concatenate([head.triangles[:, [0, 1]], head.triangles[:, [1, 2]],
                            head.triangles[:, [2, 0]]])  # fmt: skip
    degree = np.maximum(np.bincount(edges[:, 0], minlength=len(head.neutral)), 1)[:, None]
    smooth = head.neutral.astype(np.float64)
    for _ in range(rounds):
        total = np.zeros_like(smooth)
        np.add.at(total, edges[:, 0], smooth[edges[:, 1]])
        smooth = total / degree
    normals = vertex_normals(head.neutral, head.triangles)
    moved = ((smooth - head.neutral) * normals).sum(axis=1)
    return np.asarray(np.clip(moved / (moved.std() + 1e-9), -2.5, 2.5), np.float32)


class Anatomy:
    """Region maps and banks of noise on one head's vertices, made once and shared by all scenes."""

    def __init__(self, head: HeadModel) -> None:
        rng = np.random.default_rng(20_240_601)
        self.names = tuple(PRIORS)
        maps = self._region_maps(head)
        self.maps = np.stack([maps[name] for name in self.names])
        points = head.neutral
        self.coarse = vertex_noise(points, 3.5, 40, rng)
        self.middle = vertex_noise(points, 1.3, 40, rng)
        self.fine = vertex_noise(points, 0.5, 24, rng)
        veins = vertex_noise(points, 1.8, 24, rng)
        self.vessels = np.exp(-((veins / 0.12) ** 2)).astype(np.float32)

    @staticmethod
    def _region_maps(head: HeadModel) -> dict[str, FloatArray]:
        v, lm = head.neutral, head.neutral[head.landmarks]
        mirror = np.array([[1, 1, 1], [-1, 1, 1]], np.float32)

        def pair(x: float, y: float, z: float) -> FloatArray:
            return np.array([x, y, z], np.float32) * mirror

        eyes = np.concatenate([_polyline(lm[[36, 37, 38, 39, 40, 41, 36]]),
                               _polyline(lm[[42, 43, 44, 45, 46, 47, 42]])])  # fmt: skip
        brows = np.concatenate([_polyline(lm[17:22]), _polyline(lm[22:27])])
        inner_lips = _polyline(lm[[60, 61, 62, 63, 64, 65, 66, 67, 60]])
        # Between the lip's outer and inner edge.
        lower_lip = _polyline(
            (lm[[48, 59, 58, 57, 56, 55, 54]] + lm[[60, 67, 67, 66, 65, 65, 64]]) / 2
        )
        lips = np.concatenate([_polyline(lm[[*range(48, 60), 48]]), inner_lips])
        nose = _within(v, np.concatenate([HALF_NOSE, HALF_NOSE[::-1] * [-1, 1]]))
        skin = head.of_region("face", "head_neck")
        inside = head.of_region("mouth_socket", "gums_tongue")
        maps = {
            "nose": nose,
            "nose_lower": nose / (1 + np.exp(np.clip((v[:, 1] - 1.0) / 0.3, -30, 30))),
            "nose_tip": _near(v, lm[30:31], 1.3),
            "nose_wings": _near(v, lm[[31, 35]], 0.8),
            "nose_bridge": _near(v, _polyline(lm[27:30]), 0.9),
            "nostrils": _near(v, lm[[32, 34]], 0.4),
            "cheeks": _near(v, pair(4.4, -0.6, 8.8), 1.9),
            "cheekbones": _near(v, pair(5.0, 1.8, 8.3), 1.4),
            "cheek_right": _near(v, pair(4.4, -0.6, 8.8)[1:], 2.5),
            "inner_canthi": _near(v, lm[[39, 42]], 0.6),
            "orbits": _near(v, eyes, 0.8),
            "lid_line": _near(v, eyes, 0.2),
            "eyeballs": head.of_region("eyeball_left", "eyeball_right").astype(np.float32),
            "brows": _near(v, brows, 0.38),
            "lips": _near(v, lips, 0.35),
            "vermilion": _within(v, lm[48:60, :2]),
            "lower_lip": _near(v, lower_lip, 0.35),
            "lip_line": _near(v, inner_lips, 0.15),
            "lip_middle": _near(v, _polyline(lm[[61, 62, 63]]), 0.4),
            "upper_lip": _near(v, _polyline(lm[[48, 33, 54]]), 0.6),
            "chin": _near(v, (lm[8] + np.array([0, 1.2, 0.5], np.float32))[None], 1.5),
            "jaw": _near(v, _polyline(lm[2:15]), 1.2),
            "neck": ((v[:, 1] < -9) & skin).astype(np.float32),
            "carotids": _near(v, pair(4.0, -11, 3.0), 1.5),
            "ears": (skin & (np.abs(v[:, 0]) > 7.6) & (v[:, 1] > -3)).astype(np.float32),
            "temples": _near(v, pair(6.8, 6.0, 4.5), 1.6),
            "glabella": _near(v, (lm[27] + np.array([0, 1.6, 0], np.float32))[None], 0.8),
            "nasolabial": _near(v, _polyline(lm[[31, 48]]), 0.5)
            + _near(v, _polyline(lm[[35, 54]]), 0.5),
            "scalp": (head.of_region("head_neck") & (v[:, 1] > 6)).astype(np.float32),
            "mouth_inside": inside.astype(np.float32),
            "teeth": head.of_region("teeth").astype(np.float32),
        }
        for name, rounds in (("fine", 6), ("middle", 40), ("coarse", 200)):
            maps[f"concave_{name}"] = np.where(skin, _concavity(head, rounds), 0).astype(np.float32)
        return maps

    def skin(self, ambient: float, rng: np.random.Generator, config: SkinConfig) -> FloatArray:
        """One person's skin temperatures in degrees Celsius on the vertices: [V]."""
        gain = float(pick(config.contrast, rng))
        weights = np.array(
            [p.mean + p.ambient * (ambient - 24.0) for p in PRIORS.values()], np.float32
        )
        weights = gain * (weights + rng.normal(0, 1, len(weights))
                          * np.array([p.spread for p in PRIORS.values()]))  # fmt: skip
        weights = np.where(rng.random(len(weights)) < config.odd_chance, -weights, weights)
        if rng.random() < config.faint_brows_chance:
            weights[self.names.index("brows")] *= rng.uniform(*config.faint_brows)
        base = config.forehead_c + config.forehead_per_k * (ambient - 24.0)
        base += rng.normal(0, config.person_k)
        if rng.random() < config.cold_chance:  # in from the cold, or after a wet towel
            base -= rng.uniform(*config.cold_k)
        temperature = base + weights.astype(np.float32) @ self.maps
        banks = (self.coarse, self.middle, self.fine)
        spreads = (config.coarse_k, config.middle_k, config.fine_k)
        for bank, spread in zip(banks, spreads, strict=True):
            chosen = rng.choice(len(bank), 6, replace=False)
            amount = rng.normal(0, spread * rng.uniform(0.3, 1.8) / 6**0.5, 6).astype(np.float32)
            temperature += amount @ bank[chosen]
        chosen = rng.choice(len(self.vessels), 4, replace=False)
        temperature += rng.uniform(*config.vessels_k, 4).astype(np.float32) @ self.vessels[chosen]
        if rng.random() < config.blotch_chance:  # sweat or flush
            blotch = self.middle[rng.integers(len(self.middle))] > rng.uniform(0.3, 1.2)
            temperature += blotch * np.float32(rng.uniform(*config.blotch_k))
        return np.asarray(temperature, np.float32)


def passing(image: FloatArray, scale: float) -> FloatArray:
    """Share [V] of grazing rays that pass the head: 1 at its outline, 0 from `RIM_CM` inside it.

    A ray that grazes the side of the nose goes on to the cheek, one that grazes the jaw to the
    neck: it brings back warm skin, and no dark line surrounds nose and chin in a thermal picture.
    image: vertices [V, 3] as in `PosedHead`, scale pixels a cm.
    """
    cells = np.rint((image[:, :2] - image[:, :2].min(axis=0)) * (_CELLS / scale)).astype(np.intp)
    columns, rows = (cells + len(_GAPS)).T
    mask = np.zeros((rows.max() + len(_GAPS) + 1, columns.max() + len(_GAPS) + 1), np.uint8)
    mask[rows, columns] = 1
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _GAPS)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)[rows, columns] / _CELLS
    return np.asarray(np.clip(1.0 - inside / RIM_CM, 0.0, 1.0), np.float32)


def apparent(
    temperature: FloatArray,
    cosine: FloatArray,
    reflected: float,
    emissivity: float,
    passing: FloatArray,
) -> FloatArray:
    """What a camera reads: L = e(theta) T + (1 - e(theta)) T_reflected, linear in T.

    Reflectance rises towards grazing angles by Schlick's formula: a dark rim 1-3 pixels wide where
    rays pass the head, by their share `passing` [V]; elsewhere what they meet is as warm as T.
    """
    grazing = (1 - REFLECTANCE) * (1 - np.clip(cosine, 0, 1)) ** 5 * passing
    e = emissivity * (1 - np.minimum(REFLECTANCE + grazing, 0.6)) / (1 - REFLECTANCE)
    return np.asarray(e * temperature + (1 - e) * reflected, np.float32)
