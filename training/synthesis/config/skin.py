"""The knobs of skin temperatures."""

from dataclasses import dataclass
from typing import Final

from training.synthesis.config.knobs import Range, Room, Weights, knob


@dataclass(frozen=True)
class RegionPrior:
    """Offset to the forehead in kelvin: mean, spread, and its share of (ambient - 24 C)."""

    mean: float
    spread: float
    ambient: float


# Means: [P], [V] and [L]; spreads as [L] found between six people, widened; shares: [P] for nose
# and cheeks, [E] for ears, lips and chin.
PRIORS: Final[dict[str, RegionPrior]] = {
    # Cold up to an edge, at the wings and the upper lip; coldest at the tip.
    "nose": RegionPrior(-0.4, 0.7, 0.07),
    "nose_lower": RegionPrior(-0.4, 0.8, 0.07),
    "nose_tip": RegionPrior(-0.8, 0.9, 0.15),
    "nose_wings": RegionPrior(-0.2, 0.5, 0.10),
    "nose_bridge": RegionPrior(-0.3, 0.5, 0.08),
    "nostrils": RegionPrior(0.1, 0.7, 0.0),
    "cheeks": RegionPrior(-0.8, 0.8, 0.21),
    "cheekbones": RegionPrior(-0.3, 0.6, 0.15),
    "cheek_right": RegionPrior(0.0, 0.15, 0.0),
    "inner_canthi": RegionPrior(0.8, 0.5, 0.0),
    "orbits": RegionPrior(0.3, 0.4, 0.05),
    "lid_line": RegionPrior(-0.4, 0.6, 0.0),
    "eyeballs": RegionPrior(-0.5, 0.7, 0.05),
    "brows": RegionPrior(-1.1, 0.8, 0.05),
    "lips": RegionPrior(-0.2, 0.7, 0.12),
    "vermilion": RegionPrior(0.1, 0.6, 0.03),
    "lower_lip": RegionPrior(0.2, 0.6, 0.0),
    "lip_line": RegionPrior(-0.5, 0.7, 0.0),
    "lip_middle": RegionPrior(-0.3, 0.6, 0.0),
    "upper_lip": RegionPrior(-0.3, 0.7, 0.12),
    "chin": RegionPrior(0.0, 0.5, 0.12),
    "jaw": RegionPrior(-0.3, 0.5, 0.08),
    "neck": RegionPrior(0.0, 0.6, 0.05),
    "carotids": RegionPrior(0.4, 0.4, 0.0),
    "ears": RegionPrior(-0.9, 1.3, 0.25),
    "temples": RegionPrior(0.2, 0.5, 0.0),
    "glabella": RegionPrior(0.3, 0.3, 0.0),
    "nasolabial": RegionPrior(0.2, 0.3, 0.0),
    "scalp": RegionPrior(-0.6, 0.7, 0.08),
    "mouth_inside": RegionPrior(0.7, 0.8, 0.0),
    "teeth": RegionPrior(-1.2, 1.0, 0.05),
    "concave_fine": RegionPrior(0.15, 0.25, 0.0),
    "concave_middle": RegionPrior(0.20, 0.25, 0.0),
    "concave_coarse": RegionPrior(0.20, 0.30, 0.0),
}


@dataclass(frozen=True)
class SkinConfig(Room):
    """Temperatures of the skin as it is, before the camera sees it under an angle."""

    forehead_c: float = knob(34.0, "forehead at 24 C air, Celsius", "[P] 34.7, [V] 33.4")
    forehead_per_k: float = knob(0.07, "its change with the air, K/K", "[P] 0.89 K over 18-30 C")
    person_k: float = knob(0.7, "spread between people in kelvin", "[P][V] 0.4-0.8 K")
    contrast: Weights = knob(
        {"0.5": 0.25, "1.0": 0.5, "1.6": 0.25}, "factor on all regions' offsets", "[E]"
    )
    odd_chance: float = knob(0.06, "chance that a region is off the other way", "[L] one nose was")
    faint_brows_chance: float = knob(
        0.35, "chance of brows that hardly show", "[E] seen in most low-resolution pictures"
    )
    faint_brows: Range = knob((0.0, 0.4), "what is left of their offset", "[E]")
    cold_chance: float = knob(0.12, "chance of coming in from the cold", "[E]")
    cold_k: Range = knob((1.0, 6.0), "how much colder in kelvin", "[W] 2.8 K after a wet towel")
    coarse_k: float = knob(0.30, "unevenness of 3.5 cm in kelvin", "[E] looks right")
    middle_k: float = knob(0.22, "unevenness of 1.3 cm", "[E] looks right")
    fine_k: float = knob(0.10, "unevenness of 0.5 cm", "[E] looks right")
    vessels_k: Range = knob((-0.1, 0.45), "vessels' ridges in kelvin", "[E] .2-.8 K")
    blotch_chance: float = knob(0.15, "chance of sweat or flush in blotches", "[E]")
    blotch_k: Range = knob((-1.0, 0.8), "their offset in kelvin", "[E]")
    emissivity: float = knob(0.975, "mean emissivity", "[Y] .972, .96-.99 over 65 people")
    emissivity_spread: float = knob(0.006, "its spread", "[Y]")
    reflected_k: float = knob(1.5, "spread of the reflected temperature about the air's", "[E]")
