"""Every knob by picture: the sheets of `docs/synthesis.md`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from service.entities import ByteArray, FloatArray
from training.synthesis.backgrounds import DRAW, background
from training.synthesis.camera import expose
from training.synthesis.compose import paste
from training.synthesis.config import DEFAULT
from training.synthesis.config.camera import CameraConfig
from training.synthesis.frames import compose_frame, detector_view
from training.synthesis.occluders import add_occluder
from training.synthesis.pictures import boxed, dotted, grey, sheet
from training.synthesis.pool import Layer, Pool
from training.synthesis.tiles import put
from training.synthesis.views import landmark_view, neighbour

FACE: Final = 66.0  # pixels of the face on the sensor of these sheets
SENSOR: Final = 112  # pixels of that sensor, both sides

# A camera that does nothing: each row of the sheet changes one thing.
QUIET: Final = CameraConfig(
    blur_px=(0.5, 0.5), defocus_chance=0, motion_chance=0, ghost_chance=0, netd_k=(0.03, 0.03),
    columns_netd=(0, 0), rows_netd=(0, 0), stripes_chance=0, shading_chance=0, vignette_chance=0,
    dead_chance=0, denoise_chance=0, radiometric_chance=0, gain_control={"linear": 1.0},
    tail_percent=(0.5, 0.5), gamma_chance=0, narrow_chance=0, detail_chance=0, ringing_chance=0,
    black_hot_chance=0, upscale_chance=0, palette_chance=0, overlay_chance=0, jpeg_chance=0,
    video_chance=0,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of a sheet: what it shows, and the settings of its pictures."""

    label: str
    settings: tuple[dict[str, Any], ...]


def _steps(name: str, *values: float, **always: Any) -> Row:
    """One range at several values."""
    label = f"{name}: " + ", ".join(f"{value:g}" for value in values)
    return Row(label, tuple({name: (value, value), **always} for value in values))


def _kinds(name: str, kinds: list[str], **always: Any) -> Row:
    """One table of alternatives, each alone."""
    return Row(f"{name}: " + ", ".join(kinds), tuple({name: {k: 1.0}, **always} for k in kinds))


CAMERA_ROWS: Final = (
    _steps("blur_px", 0.3, 0.8, 1.3),
    _steps("defocus_px", 1.3, 1.8, 2.4, defocus_chance=1),
    _steps("motion_px", 2.0, 4.0, 6.0, motion_chance=1, lag_share=0),
    _steps("motion_px", 2.0, 4.0, 6.0, motion_chance=1, lag_share=1),
    _steps("ghost_share", 0.05, 0.12, 0.2, ghost_chance=1),
    _steps("netd_k", 0.015, 0.08, 0.22),
    _steps("columns_netd", 0.3, 0.6, 0.9, netd_k=(0.15, 0.15)),
    _steps("rows_netd", 0.2, 0.4, 0.6, netd_k=(0.15, 0.15)),
    _steps("stripes_k", 0.2, 0.7, 1.2, stripes_chance=1),
    _steps("shading_k", 0.15, 0.3, 0.5, shading_chance=1),
    _steps("vignette_k", -1.0, -0.4, 0.6, vignette_chance=1),
    _steps("dead_pixels", 2, 5, 8, dead_chance=1),
    _kinds("denoise", ["median", "bilateral"], denoise_chance=1, netd_k=(0.2, 0.2)),
    _steps("denoise_k", 0.1, 0.4, 0.8, denoise_chance=1, denoise={"bilateral": 1.0},
           netd_k=(0.2, 0.2)),
    _kinds("radiometric_step_k", ["0.01", "0.04", "0.1"], radiometric_chance=1,
           radiometric_negated=0),
    _kinds("gain_control", ["linear", "window", "plateau", "clahe"]),
    _steps("tail_percent", 0.0, 1.5, 3.0),
    _steps("window_k", 4, 12, 22, gain_control={"window": 1.0}, window_percent=(70, 70)),
    _steps("window_percent", 40, 70, 95, gain_control={"window": 1.0}, window_k=(8, 8)),
    _steps("plateau", 1, 4, 12, gain_control={"plateau": 1.0}, linear_share=(0, 0)),
    _steps("linear_share", 0.0, 0.2, 0.4, gain_control={"plateau": 1.0}, plateau=(6, 6)),
    _steps("clahe_clip", 1, 2.5, 4, gain_control={"clahe": 1.0}, clahe_tiles=(4, 4)),
    _steps("clahe_tiles", 2, 4, 8, gain_control={"clahe": 1.0}, clahe_clip=(3, 3)),
    Row("gamma_spread: three draws", ({"gamma_chance": 1, "gamma_spread": 0.8},) * 3),
    _steps("narrow_floor", 0, 20, 40, narrow_chance=1),
    _steps("narrow_ceiling", 190, 220, 255, narrow_chance=1),
    _steps("detail_gain", -0.6, 0.6, 1.6, detail_chance=1, detail_px=(1.5, 1.5)),
    _steps("detail_px", 0.8, 1.6, 2.5, detail_chance=1, detail_gain=(1.6, 1.6)),
    _steps("ringing_gain", 1.5, 2.5, 3.5, ringing_chance=1, ringing_px=(1.2, 1.2)),
    _steps("ringing_px", 0.8, 1.2, 1.6, ringing_chance=1, ringing_gain=(3, 3)),
    Row("black_hot_chance: 0, 1", ({}, {"black_hot_chance": 1})),
    _steps("upscale", 1.5, 2.5, 4.0, upscale_chance=1),
    _steps("palette_levels", 0, 8, 15, palette_chance=1, jpeg_chance=1, jpeg_quality=(80, 80)),
    _kinds("overlay", ["text", "logo", "crosshair"], overlay_chance=1),
    _kinds("overlay", ["bar", "spot"], overlay_chance=1),
    _steps("jpeg_quality", 55, 75, 96, jpeg_chance=1),
    _steps("video_quality", 12, 25, 40, video_chance=1),
)  # fmt: skip


def camera_sheet(portraits: Pool, seed: int) -> ByteArray:
    """One person through one camera, one knob a row."""
    scene, _ = _scene(portraits.layer(seed % len(portraits)), seed)

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        rng = np.random.default_rng((seed, i))
        return grey(expose(scene, rng, replace(QUIET, **setting)).values)

    return draw_rows(CAMERA_ROWS, picture, SENSOR, 4)


def background_sheet(seed: int) -> ByteArray:
    """Every kind of scene, and every thing that may stand in it."""
    plain = replace(DEFAULT.background, hot_chance=0, things_chance=0, lamps_chance=0)
    rows = [_repeat(f"scenes: {kind}", scenes={kind: 1.0}) for kind in plain.scenes]
    rows.append(_repeat("lamps_chance: 1", lamps_chance=1))
    rows.append(_repeat("filling_chance: 1", things_chance=1, filling_chance=1))
    rows += [_repeat(f"things: {name}", thing=name) for name in plain.things]

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        rng = np.random.default_rng((seed, i))
        if "thing" not in setting:
            return grey(background(SENSOR, SENSOR, 20.0, rng, replace(plain, **setting)))
        scene = np.full((SENSOR, SENSOR), 20.0, np.float32)
        tile = DRAW[setting["thing"]](SENSOR, 20.0, rng)
        put(scene, tile, (SENSOR / 2, SENSOR / 2), 0.9 * SENSOR)
        return grey(expose(scene, rng, QUIET).values)

    return draw_rows(rows, picture, SENSOR, 3)


def occluder_sheet(portraits: Pool, seed: int) -> ByteArray:
    """Every kind of occluder before a few persons."""
    rows = [_repeat(f"kinds: {kind}", kind=kind) for kind in DEFAULT.occluder.kinds]

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        rng = np.random.default_rng((seed, i))
        layer = portraits.layer((seed + 7 * i) % len(portraits))
        scene, box = _scene(layer, seed)
        add_occluder(scene, box, layer.facts.ambient, rng, kind=setting["kind"])
        return grey(expose(scene, rng, QUIET).values)

    return draw_rows(rows, picture, SENSOR, 3)


def frame_sheet(portraits: Pool, figures: Pool, seed: int) -> ByteArray:
    """Every layout of a detector frame, with its boxes: green to find, red to ignore."""
    rows = [_repeat(f"layouts: {kind}", layouts={kind: 1.0}) for kind in DEFAULT.frame.layouts]
    rows.append(_repeat("edge_chance: 1", edge_chance=1, layouts={"one": 1.0}))
    rows += [_repeat(f"sensors: {size}", sensors={size: 1.0}) for size in ("80x60", "1024x768")]

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        config = replace(DEFAULT, frame=replace(DEFAULT.frame, **setting))
        frame = compose_frame(portraits, figures, np.random.default_rng((seed, i)), config)
        return boxed(*detector_view(frame), frame.ignore)

    return draw_rows(rows, picture, 200, 2)


def view_sheet(portraits: Pool, seed: int) -> ByteArray:
    """Landmark crops of one person: size on the sensor, crop, frame edge."""
    rows = (
        _steps("face_px", 20, 45, 90, 200),
        _steps("crop_scale", 1.05, 1.25, 1.45, 1.65),
        _steps("cut", -0.25, 0.0, 0.12, 0.25, cut_chance=1),
        _repeat("shift: 0.06", shift=0.06),
        _repeat("shift_px: 1.6, face of 12 pixels", shift_px=1.6, face_px=(12, 12)),
        _repeat("upright_chance: 1, upright_deg: 5", upright_chance=1, upright_deg=5),
        _repeat("beside_chance: 1", beside_chance=1),
        _repeat("beside_size: 1.8", beside_chance=1, beside_size=(1.8, 1.8)),
    )
    steady = replace(DEFAULT.view, shift=0, shift_px=0, cut_chance=0, face_px=(90, 90),
                     crop_scale=(1.25, 1.25), beside_chance=0)  # fmt: skip
    quiet = replace(DEFAULT, camera=QUIET, occluder=replace(DEFAULT.occluder, view_chance=0))

    def picture(setting: dict[str, Any], i: int) -> ByteArray:
        config = replace(quiet, view=replace(steady, **setting))
        layer, rng = portraits.layer(seed % len(portraits)), np.random.default_rng((seed, i))
        beside = neighbour(portraits, np.random.default_rng((seed, i)), config.view)
        view = landmark_view(layer, rng, config, beside=beside)
        return dotted(view.image, view.points, view.weight)

    return draw_rows(rows, picture, 180, 2)


def _repeat(label: str, **setting: Any) -> Row:
    return Row(label, (setting,) * 4)


def draw_rows(
    rows: Sequence[Row],
    picture: Callable[[dict[str, Any], int], ByteArray],
    tile: int,
    columns: int,
) -> ByteArray:
    """picture: of a setting, and its number in the row."""
    drawn = [(row.label, [picture(s, i) for i, s in enumerate(row.settings)]) for row in rows]
    return sheet(drawn, tile, columns)


def _scene(layer: Layer, seed: int) -> tuple[FloatArray, FloatArray]:
    """A person in a room, in Celsius, and the box of the face (x1, y1, x2, y2)."""
    rng = np.random.default_rng(seed)
    room = replace(DEFAULT.background, scenes={"room": 1.0}, hot_chance=0, things_chance=0)
    scene = background(SENSOR, SENSOR, layer.facts.ambient, rng, room)
    scale = FACE / layer.face_size
    origin = (layer.box[:2] + layer.box[2:]) / 2 - SENSOR / 2 / scale
    paste(scene, layer, scale, origin, rng, DEFAULT.frame.body_uneven_k)
    return scene, (layer.box - np.tile(origin, 2)) * scale
