"""The 68-landmark scheme (iBUG order): names, mirror pairs, regions, and what other schemes have of
it. Data only.

"left" and "right" are the subject's own; landmark 0 is by the subject's right ear, so on the left
of an unmirrored picture.
"""

from typing import Final

KEYPOINTS: Final = 68

# Consecutive index ranges, first and last included.
REGIONS: Final[dict[str, tuple[int, int]]] = {
    "jaw": (0, 16),
    "right_brow": (17, 21),
    "left_brow": (22, 26),
    "nose_bridge": (27, 30),
    "nostrils": (31, 35),
    "right_eye": (36, 41),
    "left_eye": (42, 47),
    "outer_lips": (48, 59),
    "inner_lips": (60, 67),
}

NAMES: Final[tuple[str, ...]] = tuple(
    f"{region}_{index - first}"
    for region, (first, last) in REGIONS.items()
    for index in range(first, last + 1)
)

_MIRROR_PAIRS: Final[tuple[tuple[int, int], ...]] = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31, 35), (32, 34)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
    *((60, 64), (61, 63), (65, 67)),
)


def _flip_indices() -> tuple[int, ...]:
    order = list(range(KEYPOINTS))
    for a, b in _MIRROR_PAIRS:
        order[a], order[b] = b, a
    return tuple(order)


# FLIP[i] is the landmark that takes the place of landmark i when the picture is mirrored.
FLIP: Final[tuple[int, ...]] = _flip_indices()

OUTER_EYE_CORNERS: Final[tuple[int, int]] = (36, 45)  # their distance normalises NME-IO

# Schemes of data sets: their slot -> the landmark it is. Slots that are not named are no landmark
# of the 68, landmarks that are not named are not annotated there.
FROM_70: Final[dict[int, int]] = {i: i for i in range(68)}  # FaceSynthetics; 68, 69: pupils
FROM_73: Final[dict[int, int]] = {i: i for i in range(68)}  # Charlotte's front; 68-72: forehead
FROM_54: Final[dict[int, int]] = {  # SF-TL54: 14 lip points are missing
    **{i: i for i in range(49)},
    **dict(zip(range(49, 54), (51, 54, 57, 62, 66), strict=True)),
}
