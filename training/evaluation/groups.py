"""The groups that figures are broken down by."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.facts import WORN, ViewFacts

Groups = dict[str, NDArray[np.bool_]]  # name -> which of the N faces, bool `[N]`

WITHIN = 45.0  # degrees of yaw; beyond, the outer eye corners close up and NME by them explodes
YAW_RANGES: Final = {"0-20": (0, 20), "20-45": (20, WITHIN), "45-70": (WITHIN, 70),
                     "70-90": (70, 180)}  # fmt: skip
TILT_RANGES: Final = {"0-15": (0, 15), "15-30": (15, 30), "30 and more": (30, 181)}
SIZE_RANGES: Final = {"<24 px": (0, 24), "24-48 px": (24, 48), "48-96 px": (48, 96),
                      ">96 px": (96, np.inf)}  # fmt: skip
MOST_GROUPS: Final = 12  # of one breakdown: a table of a hundred subjects is not read
BEFORE: Final = ("occluder", "cut")


def marks(facts: ViewFacts) -> tuple[str, ...]:
    """What hides parts of a face."""
    worn = [name for name in WORN if getattr(facts.person, name)]
    return (*worn, *(name for name in BEFORE if getattr(facts, name)))


def by_size(sizes: FloatArray) -> Groups:
    """sizes: pixels of sqrt(w * h), `[N]`."""
    return _in_ranges(sizes, SIZE_RANGES)


def by_fact(facts: Sequence[ViewFacts]) -> dict[str, Groups]:
    """Breakdown -> its groups; those of occlusion overlap. Groups of nobody are left out."""
    yaw, pitch, roll = np.abs(
        [(fact.person.yaw, fact.person.pitch, fact.person.roll) for fact in facts]
    ).T
    hidden = [marks(fact) for fact in facts]
    occlusion = {"nothing": np.array([not names for names in hidden], bool)}
    for mark in (*WORN, *BEFORE):
        occlusion[mark] = np.array([mark in names for names in hidden], bool)
    black_hot = np.array([fact.black_hot for fact in facts], bool)
    return {
        "|yaw|, degrees": _in_ranges(yaw, YAW_RANGES),
        "|pitch|, degrees": _in_ranges(pitch, TILT_RANGES),
        "|roll|, degrees": _in_ranges(roll, TILT_RANGES),
        "occlusion": {name: chosen for name, chosen in occlusion.items() if chosen.any()},
        "polarity": {
            name: chosen
            for name, chosen in (("white-hot", ~black_hot), ("black-hot", black_hot))
            if chosen.any()
        },
    }


def by_name(groups: Sequence[Mapping[str, str]]) -> dict[str, Groups]:
    """Breakdown -> its groups, as a data set names them: where there are 2 to 12 of them."""
    breakdowns = {}
    for breakdown in sorted({name for of_face in groups for name in of_face}):
        of_faces = np.array([of_face.get(breakdown, "-") for of_face in groups])
        names = np.unique(of_faces).tolist()
        if 2 <= len(names) <= MOST_GROUPS:
            breakdowns[breakdown] = {name: np.asarray(of_faces == name) for name in names}
    return breakdowns


def _in_ranges(values: FloatArray, ranges: Mapping[str, tuple[float, float]]) -> Groups:
    groups = {name: (values >= low) & (values < high) for name, (low, high) in ranges.items()}
    return {name: chosen for name, chosen in groups.items() if chosen.any()}
