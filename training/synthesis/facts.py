"""What is known of a rendered person and of a view, for evaluation by group and for ablations."""

from dataclasses import astuple, dataclass, fields

import numpy as np

from service.entities import FloatArray


@dataclass(frozen=True)
class PersonFacts:
    """yaw, pitch, roll in degrees; ambient in Celsius; away: seen from behind, no face to find;
    then what the person wears. fringe: hair down to the brows; beard: any hair below the nose."""

    yaw: float
    pitch: float
    roll: float
    ambient: float
    away: bool = False
    glasses: bool = False
    mask: bool = False
    headwear: bool = False
    beard: bool = False
    fringe: bool = False

    def as_row(self) -> FloatArray:
        """One row of a shard's `facts.npy`: float32 `[len(COLUMNS)]`."""
        return np.array(astuple(self), np.float32)

    @classmethod
    def from_row(cls, row: FloatArray) -> "PersonFacts":
        yaw, pitch, roll, ambient, *flags = (float(value) for value in row)
        return cls(yaw, pitch, roll, ambient, *(flag > 0 for flag in flags))


COLUMNS = tuple(item.name for item in fields(PersonFacts))
WORN = COLUMNS[5:]  # what a person wears, true or false


@dataclass(frozen=True)
class ViewFacts:
    """person: mirrored as the view is. size: of the face on the sensor, pixels, sqrt(w * h) of the
    landmarks' box. occluder: a hand or thing before the face; cut: the frame ends in the face;
    black_hot: the picture is negated."""

    person: PersonFacts
    size: float
    occluder: bool
    cut: bool
    black_hot: bool
