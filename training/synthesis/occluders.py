"""What gets between a face and the camera: hands, what they hold, cloth, bars, passers-by."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.config import DEFAULT
from training.synthesis.config.knobs import pick
from training.synthesis.config.scene import OccluderConfig
from training.synthesis.creatures import draw_hand
from training.synthesis.rgb_scene import ColourScene
from training.synthesis.tiles import Tile, put

Mask = NDArray[np.bool_]


def add_occluder(
    temperature: FloatArray, box: FloatArray, ambient: float, rng: np.random.Generator,
    config: OccluderConfig = DEFAULT.occluder, kind: str | None = None,
    colours: ColourScene | None = None,
) -> Mask:  # fmt: skip
    """Cover part of the face in `box` (x1, y1, x2, y2 pixels) of a scene [H, W] in Celsius.

    kind: of `config.kinds`, at random where not said. colours: the same scene in colour, which gets
    it too. Returns the covered pixels [H, W].
    """
    kind = kind or pick(config.kinds, rng)
    scene = _Face(temperature, np.asarray(box, np.float64), ambient, rng, config, colours)
    if kind in _HANDS:
        _hand(scene, kind)
    else:
        {"phone": _phone, "cup": _cup, "scarf": _scarf, "microphone": _microphone, "bar": _bar,
         "passer_by": _passer_by}[kind](scene)  # fmt: skip
    return scene.covered


class _Face:
    """The face to cover: places in its box, 0 to 1 (left, top to right, bottom), and its size."""

    def __init__(
        self, temperature: FloatArray, box: FloatArray, ambient: float,
        rng: np.random.Generator, config: OccluderConfig, colours: ColourScene | None,
    ) -> None:  # fmt: skip
        self.temperature, self.ambient, self.rng, self.config = temperature, ambient, rng, config
        self.colours = colours
        self.corner, self.extent = box[:2], np.maximum(box[2:] - box[:2], 1.0)
        self.size = float(np.sqrt(np.prod(self.extent)))
        self.covered: Mask = np.zeros(temperature.shape, bool)
        self.skin = float(rng.uniform(*config.skin_c))

    def at(self, x: float, y: float) -> tuple[float, float]:
        place = self.corner + np.array([x, y]) * self.extent
        return float(place[0]), float(place[1])

    def put(self, tile: Tile, centre: tuple[float, float], size: float, angle: float) -> None:
        """size: of the tile's longer side, in sizes of the face."""
        patch = put(self.temperature, tile, centre, size * self.size, angle)
        self.covered[patch.rows, patch.columns] |= patch.cover > 0.5
        if self.colours:
            self.colours.put(tile, centre, size * self.size, angle)

    def tile(self, size: float, aspect: float, material: str) -> Tile:
        """A tile as fine as the scene shows it; see `ColourScene.colour` for materials."""
        side = int(np.clip(size * self.size, 12, 160))
        tile = Tile(side, aspect, coloured=self.colours is not None)
        self.dip(tile, material)
        return tile

    def dip(self, tile: Tile, material: str) -> None:
        """What is drawn on the tile from now on is of that material."""
        if self.colours:
            tile.brush = self.colours.colour(material)


# Where the palm's middle lies in the box and which way the fingers point (radians, 0 = up).
_HANDS = {
    "hand": ((0.5, 0.6), 0.45, np.pi),
    "hand_over_mouth": ((0.5, 0.78), 0.10, 0.0),
    "hand_over_eyes": ((0.5, 0.15), 0.10, 0.0),
    "chin_in_hand": ((0.5, 1.12), 0.12, 0.5),
    "phone_in_hand": ((0.0, 0.6), 0.15, 0.5),
}


def _hand(face: _Face, kind: str) -> None:
    """An open or clenched hand; over mouth and eyes it lies across, under the chin it holds up."""
    rng = face.rng
    (x, y), spread, turn = _HANDS[kind]
    fist = rng.random() if rng.random() < 0.4 else 0.0
    angle = rng.uniform(-turn, turn) if turn else rng.choice((-1, 1)) * rng.uniform(1.0, 1.9)
    if kind == "chin_in_hand":
        fist, x = rng.uniform(0.2, 1.0), x + rng.uniform(-0.4, 0.4)
    length = rng.uniform(1.1, 1.5)  # wrist to fingertips / face
    tile = face.tile(length, rng.uniform(0.6, 0.8), "skin")
    if kind == "phone_in_hand":
        x = float(rng.choice((-0.02, 1.02)))
        _phone(face, face.at(x, rng.uniform(0.4, 0.9)))
        fist = rng.uniform(0.1, 0.5)
    tips = face.skin - rng.uniform(*face.config.cool_tips_k)
    draw_hand(tile, face.skin, tips, rng, fist)
    tile.soften(0.02)
    tile.mottle(rng.uniform(0.1, 0.6), rng.uniform(3, 8), rng)
    place = face.at(x + rng.uniform(-spread, spread), y + rng.uniform(-spread, spread))
    face.put(tile, place, length, angle)


def _phone(face: _Face, centre: tuple[float, float] | None = None) -> None:
    """A telephone seen from its back or its warm screen."""
    rng = face.rng
    length = rng.uniform(0.8, 1.15)
    tile = face.tile(length, rng.uniform(0.45, 0.55), "thing")
    w, h = tile.half
    tile.box(-w, -h, w, h, rng.uniform(face.ambient - 1, 38))
    tile.mottle(rng.uniform(0.2, 1.5), rng.uniform(1.5, 4), rng)
    place = centre or face.at(rng.uniform(0, 1), rng.uniform(0.3, 1.1))
    face.put(tile, place, length, rng.normal(0, 0.5))


def _cup(face: _Face) -> None:
    """A cup or glass at the mouth, hot, cold or as the air, with the fingers round it."""
    rng = face.rng
    length = rng.uniform(0.6, 0.9)
    tile = face.tile(length, rng.uniform(0.75, 1.0), "thing")
    w, h = tile.half
    value = rng.choice((face.ambient, rng.uniform(2, 15), rng.uniform(36, 60)))
    tile.polygon([[-0.8 * w, -h], [0.8 * w, -h], [0.6 * w, h], [-0.6 * w, h]], value)
    tile.add(rng.normal(0, 2) * tile.grid()[1])
    if rng.random() < 0.7:
        face.dip(tile, "skin")
        for finger in range(4):
            y = (-0.5 + 0.32 * finger) * h
            tile.limb((w, y), (-0.3 * w, y + rng.normal(0, 0.04)), 0.13 * h, 0.11 * h, face.skin)
    face.put(
        tile, face.at(rng.uniform(0.3, 0.7), rng.uniform(0.85, 1.05)), length, rng.normal(0, 0.3)
    )


def _scarf(face: _Face) -> None:
    """A collar or scarf up over the chin or the mouth, its edge in folds."""
    rng = face.rng
    tile = face.tile(1.9, 1.6, "cloth")
    w, h = tile.half
    x = np.linspace(-w, w, 12)
    sag = rng.normal(0, 0.25) * x + rng.uniform(-0.25, 0.15) * (1 - (x / w) ** 2)
    edge = -0.9 * h + sag - sag.min() + rng.normal(0, 0.02, 12)
    outline = np.concatenate([np.stack([x, edge], 1), [[0.9 * w, h], [-0.9 * w, h]]])
    warm = face.ambient + rng.uniform(0.1, 0.8) * (face.skin - face.ambient)
    tile.polygon(outline, warm)
    tile.mottle(rng.uniform(0.2, 1.2), rng.uniform(3, 8), rng)
    tile.add(rng.uniform(-1.5, 1.5) * np.sin(rng.uniform(6, 25) * tile.grid()[1]
                                             + rng.uniform(0, 6)))  # fmt: skip
    top = rng.uniform(0.55, 0.95)  # of the face's height
    centre = face.at(0.5 + rng.normal(0, 0.05), top)
    face.put(tile, (centre[0], centre[1] + 0.9 * h * 0.95 * face.size), 1.9, rng.normal(0, 0.08))


def _microphone(face: _Face) -> None:
    """A ball on a stick before the mouth."""
    rng = face.rng
    tile = face.tile(1.4, 0.5, "thing")
    value = face.ambient + rng.uniform(-1, 6)
    tile.limb((0.0, -0.6), (0.0, 1.0), 0.10, 0.08, value)
    tile.ellipse(0, -0.75, rng.uniform(0.16, 0.24), 0.24, value + rng.normal(0, 1.5))
    angle = rng.normal(0, 0.6)
    reach = 0.7 * 0.75 * face.size  # the ball's distance to the tile's middle
    x, y = face.at(rng.uniform(0.3, 0.7), rng.uniform(0.75, 1.0))
    face.put(tile, (x - reach * np.sin(angle), y + reach * np.cos(angle)), 1.4, angle)


def _bar(face: _Face) -> None:
    """A rail, a pole, a strap, a branch."""
    rng = face.rng
    centre = np.array(face.at(rng.uniform(0, 1), rng.uniform(0, 1)))
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * face.size * 2
    thick = max(1, int(face.size * rng.uniform(0.03, 0.18)))
    cover = np.zeros(face.temperature.shape, np.uint8)
    start, end = ((int(p[0]), int(p[1])) for p in (centre - reach, centre + reach))
    cv2.line(cover, start, end, 1, thick)
    inside = cover > 0
    face.temperature[inside] = face.ambient + rng.normal(0, 3)
    face.covered |= inside
    if face.colours:
        face.colours.bar(start, end, thick, face.colours.colour("thing"))


def _passer_by(face: _Face) -> None:
    """The back of another's head and shoulder, close to the camera."""
    rng = face.rng
    size = rng.uniform(2.2, 3.6)
    tile = face.tile(size, rng.uniform(0.8, 1.1), "cloth")
    w, h = tile.half
    cloth = face.ambient + rng.uniform(0.1, 0.7) * (face.skin - face.ambient)
    tile.polygon([[-w, h], [-0.9 * w, 0.25 * h], [-0.25 * w, 0.05 * h], [0.25 * w, 0.05 * h],
                  [0.9 * w, 0.25 * h], [w, h]], cloth)  # fmt: skip
    face.dip(tile, "skin")
    tile.box(-0.2 * w, -0.1 * h, 0.2 * w, 0.15 * h, face.skin)
    hair = face.ambient + rng.uniform(0.3, 0.9) * (face.skin - face.ambient)
    face.dip(tile, "hair")
    tile.ellipse(0, -0.45 * h, 0.33 * w, 0.42 * h, hair)
    tile.mottle(rng.uniform(0.2, 1.0), rng.uniform(4, 12), rng)
    # Beside and below the face, or nobody would have drawn it.
    x = rng.choice((rng.uniform(-0.7, -0.1), rng.uniform(1.1, 1.7)))
    face.put(tile, face.at(float(x), rng.uniform(0.8, 1.5)), size, rng.normal(0, 0.1))
