"""Tiny data sets in the layouts that their makers hand out."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from service.landmark_schema import FROM_54

Points = NDArray[np.floating[Any]]

_ANGLES = np.linspace(0.05, np.pi - 0.05, 17)


def face(centre: tuple[float, float] = (80.0, 60.0), size: float = 40.0) -> Points:
    """68 points `[68, 2]` in the order of iBUG, upright and symmetric, `size` pixels wide."""
    jaw = np.stack([-np.cos(_ANGLES), 1.2 * np.sin(_ANGLES) - 0.2], 1)
    brow = np.stack([np.linspace(-0.8, -0.25, 5), np.full(5, -0.6)], 1)
    bridge = np.stack([np.zeros(4), np.linspace(-0.4, 0.05, 4)], 1)
    nostrils = np.stack([np.linspace(-0.2, 0.2, 5), np.full(5, 0.15)], 1)
    eye = np.array([[-0.65, -0.4], [-0.52, -0.46], [-0.4, -0.46], [-0.28, -0.4], [-0.4, -0.35],
                    [-0.52, -0.35]])  # fmt: skip
    mouth = np.array([  # twelve points around, eight within
        [-0.35, 0.5], [-0.2, 0.42], [-0.08, 0.4], [0, 0.42], [0.08, 0.4], [0.2, 0.42],
        [0.35, 0.5], [0.2, 0.6], [0.08, 0.63], [0, 0.64], [-0.08, 0.63], [-0.2, 0.6],
        [-0.3, 0.5], [-0.1, 0.48], [0, 0.48], [0.1, 0.48], [0.3, 0.5],
        [0.1, 0.53], [0, 0.54], [-0.1, 0.53],
    ])  # fmt: skip
    mirrored_brow = (brow * [-1, 1])[::-1]
    other_eye = (eye * [-1, 1])[[3, 2, 1, 0, 5, 4]]
    parts: list[Points] = [jaw, brow, mirrored_brow, bridge, nostrils, eye, other_eye, mouth]
    return np.asarray(np.concatenate(parts) * size / 2 + np.array(centre))


def warm_picture(height: int, width: int, low: float, high: float) -> Points:
    """float64 `[H, W]`, rising from the upper left to the lower right corner."""
    rows, columns = np.mgrid[:height, :width]
    rise = rows / (height - 1) + columns / (width - 1)
    return np.asarray(low + (high - low) * rise / 2)


def colour_picture(height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[H, W, 3]` as OpenCV writes it: blue falls with the row, red rises by column."""
    rows, columns = np.mgrid[:height, :width]
    red, blue = 255 * columns / (width - 1), 255 - 255 * rows / (height - 1)
    return np.stack([blue, np.full((height, width), 90.0), red], 2).astype(np.uint8)


def write_picture(file: Path, pixels: NDArray[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), pixels)


def write_tfake(folder: Path, numbers: tuple[int, ...] = (0, 1), side: int = 512) -> None:
    """Numbers `000000_thermal.png` in warm and cold, from 20 + 20 * 0.5 to 20 + 20 * 0.9 C."""
    points = np.concatenate([face((256, 256), 200), [[230, 240], [282, 240]]])
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points)
    for number in numbers:
        write_picture(folder / "fake" / f"{number:06d}.png", colour_picture(side, side))
        (folder / "fake" / f"{number:06d}_ldmks.txt").write_text(lines + "\n")
        for season, low in (("warm", 0.5), ("cold", 0.3)):
            values = warm_picture(side, side, low * 65535, 0.9 * 65535).astype(np.uint16)
            write_picture(folder / season / f"{number:06d}_thermal.png", values)


def slots_73(points: Points) -> Points:
    """A front view: 68 landmarks and five points of the forehead."""
    top = points.min(axis=0)
    return np.concatenate([points, [[top[0] + 4 * i, top[1] - 10] for i in range(5)]])


def side_slots() -> Points:
    """A view of 43 slots, looking to the right: slot 0 on the jaw, slot 15 on the nose."""
    slots = np.full((73, 2), np.nan)
    slots[:43, 0] = np.linspace(60, 100, 43)
    slots[:43, 1] = np.linspace(40, 90, 43)
    return slots


def write_charlotte(folder: Path, rows: dict[str, Points]) -> None:
    """`R11185` -> its 73 slots; frames of 160 x 120 in centikelvin, 20 to 36 C."""
    names = [f"{axis}{slot}" for slot in range(73) for axis in "xy"]
    kelvin = (warm_picture(120, 160, 20, 36) + 273.15) * 100
    for identity, slots in rows.items():
        subject = f"S{identity[1:-4]}"
        (folder / subject).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / subject / f"{identity}.tiff", kelvin.round().astype(np.uint16))
        table = folder / f"{subject}.csv"
        new = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["ID", "Distance", *names, "Sensation"])
            writer.writerow([identity, 1.5, *slots.reshape(-1), 0])


def write_sf_tl54(folder: Path, names: dict[str, list[str]], size: tuple[int, int]) -> None:
    """split -> stems; size: width, height. Both palettes, colour partners and the list."""
    width, height = size
    points = face((width / 2, height / 2), width / 4)
    slots = [points[landmark].tolist() for landmark in FROM_54.values()]
    box = [points.min(axis=0).tolist(), points.max(axis=0).tolist()]
    shapes = [
        {"label": "jaw", "points": slots[:17]},
        {"label": "face", "points": box},
        {"label": "rest", "points": slots[17:]},
    ]
    grey = warm_picture(height, width, 0, 255).astype(np.uint8)
    for split, stems in names.items():
        for stem in stems:
            for palette in ("gray", "iron"):
                part = folder / palette / split
                write_picture(part / "images" / f"{stem}.png", grey)
                (part / "json").mkdir(exist_ok=True)
                (part / "json" / f"{stem}.json").write_text(json.dumps({"shapes": shapes}))
            write_picture(folder / "rgb" / split / f"{stem}.png", colour_picture(height, width))
    (folder / "challenging_images.csv").write_text("sub_id,trial_id,pos_id\n7,1,3\n")


def coco_person(points: Points, number: int = 1, **changes: Any) -> dict[str, Any]:
    low, high = points.min(axis=0), points.max(axis=0)
    keypoints = np.concatenate([points, np.ones((68, 1))], 1)
    return {
        "id": number,
        "image_id": 139,
        "face_box": [*low.tolist(), *(high - low).tolist()],
        "face_kpts": keypoints.reshape(-1).tolist(),
        "face_valid": True,
        **changes,
    }


def write_coco(folder: Path, persons: list[dict[str, Any]], split: str = "val") -> Path:
    picture = folder / f"{split}2017" / "000000000139.jpg"
    write_picture(picture, colour_picture(120, 160))
    table = {"images": [{"id": 139, "file_name": picture.name}], "annotations": persons}
    file = folder / "annotations" / f"coco_wholebody_{split}_v1.0.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(table))
    return file


def write_tfw(folder: Path, rows: list[list[Any]], part: str = "train") -> Path:
    """Rows of `indoor.csv`; a frame of 464 x 348 for each name, in colour and in grey."""
    file = folder / part / "indoor.csv"
    for name in {row[0] for row in rows}:
        grey = warm_picture(348, 464, 0, 255).astype(np.uint8)
        write_picture(
            folder / part / "indoor" / name, cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
        )
        write_picture(folder / part / "indoor_gray" / name, grey)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return file


def tfw_row(name: str, x: float, y: float, side: float = 60) -> list[Any]:
    points = [0.3, 0.4, 0.7, 0.4, 0.5, 0.6, 0.35, 0.8, 0.65, 0.8]
    placed = [(x if i % 2 == 0 else y) + side * part for i, part in enumerate(points)]
    return [name, x, y, x + side, y + side, *placed]


def write_aachen(folder: Path, stems: list[str], points: Points) -> None:
    for stem in stems:
        write_picture(folder / f"{stem}.png", warm_picture(120, 160, 0, 255).astype(np.uint8))
        pairs = [[y, x] for x, y in points.tolist()]
        text = json.dumps({"landmarks": {"points": pairs}})
        (folder / f"{stem}.ljson").write_text(text)


def write_pts(folder: Path, stem: str, points: Points) -> None:
    write_picture(folder / f"{stem}.jpg", colour_picture(120, 160))
    lines = "\n".join(f"{x + 1:.4f} {y + 1:.4f}" for x, y in points)
    (folder / f"{stem}.pts").write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")
