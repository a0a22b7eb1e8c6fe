"""Every knob of the synthesis: its range, what it is and where its figures come from.

Frozen dataclasses, one a room. A training changes them in its TOML or by
`--set data.synthesis.camera.blur_px=[0.3,0.3]`; a table given replaces the default one
(`gain_control.linear=1` is linear alone). `docs/synthesis.md` shows them with pictures; its tables
are made from here. How a thing is drawn (where a mug has its handle) stays with the drawing.

Pairs are the ends of a range, uniform unless said otherwise; tables are relative weights of
alternatives. Letters in brackets are sources, see `SOURCES`.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.knobs import differences
from training.synthesis.config.motion import MotionConfig
from training.synthesis.config.person import PersonConfig
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.config.scene import (
    BackgroundConfig,
    FrameConfig,
    OccluderConfig,
    ViewConfig,
)

SOURCES: Final = {
    "D": "J. D'Agostino, C. Webb: 3-D analysis framework and measurement methodology for imaging"
    " system noise (SPIE 1488, 1991), the usual vocabulary of infrared camera noise",
    "F": "FLIR application note 102-PS242-100-01: gain control and detail enhancement",
    "L": "measured on Lepton 3.5 recordings (160 x 120 pixels, 8-14 um, 8.7 frames a second)",
    "S": "data sheets and manuals of the cameras named",
    "I": "ICT-FaceKit: its modes are deviations of one, with a normal prior",
    "P": "PMC8955831: facial skin temperatures and their response to air of 18-30 C",
    "V": "TVST 2785241: temperatures of forehead and eyes",
    "W": "wet-towel measurement: forehead 2.8 K and canthi 0.6 K colder after 20 C",
    "Y": "emissivity of skin .98 +- .01, independent of pigmentation; 65 people",
    "M": "the Monk skin tone scale (E. Monk, 2019), ten tones, interpolated",
    "A": "anatomy: irises are 11-12 mm wide, pupils 2-6 mm",
    "Z": "Z. Zhuang, B. Bradtmiller: Head-and-face anthropometric survey of U.S. respirator users"
    " (J Occup Environ Hyg 2, 2005)",
    "B": "black bodies in sRGB, M. Charity's table",
    "N": "EMVA standard 1288: shot and read noise of image sensors",
    "T": "D. Winter: Human balance and posture control during standing and walking (Gait & Posture"
    " 3, 1995)",
    "K": "A. Bentivoglio et al.: Analysis of blink rate patterns (Movement Disorders 12, 1997); F."
    " VanderWerf et al.: Eyelid movements (J Neurophysiol 89, 2003)",
    "C": "C. Chandrasekaran et al.: The natural statistics of audiovisual speech (PLoS Comput Biol"
    " 5, 2009)",
    "H": "U. Hadar et al.: Kinematics of head movements accompanying speech during conversation"
    " (Human Movement Science 2, 1983)",
    "G": "D. Guitton, M. Volle: Gaze control in humans (J Neurophysiol 58, 1987)",
    "O": "R. Bohannon: Comfortable and maximum walking speed (Age and Ageing 26, 1997)",
    "R": "E. Hirasaki et al.: Effects of walking velocity on vertical head and body movements"
    " during locomotion (Exp Brain Res 127, 1999)",
    "E": "estimate: what published pictures look like; not measured",
}


@dataclass(frozen=True)
class SynthesisConfig:
    """All rooms together."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    occluder: OccluderConfig = field(default_factory=OccluderConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    frame: FrameConfig = field(default_factory=FrameConfig)
    rgb: RgbConfig = field(default_factory=RgbConfig)

    def changed(self) -> dict[str, Any]:
        """The knobs that differ from the defaults, as nested plain values."""
        return differences(self, DEFAULT)


DEFAULT: Final = SynthesisConfig()
PERSON: Final = PersonConfig()
MOTION: Final = MotionConfig()
