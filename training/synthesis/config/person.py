"""The knobs of a person: pose, expression, hair, what is worn. Heads are in centimetres."""

from dataclasses import dataclass, field

from training.synthesis.config.knobs import Range, Room, Weights, knob
from training.synthesis.config.rgb import ColourConfig
from training.synthesis.config.skin import SkinConfig


@dataclass(frozen=True)
class PoseConfig(Room):
    """Angles in degrees: 0 looks into the camera. Each has a usual part and a wide one."""

    frontal_chance: float = knob(0.55, "chance of a usual yaw", "[E]")
    frontal_deg: float = knob(22.0, "its spread", "[E]")
    yaw_deg: Range = knob((-92.0, 92.0), "other yaws", "[E] up to the profile")
    away_deg: Range = knob((120.0, 240.0), "yaw of who is seen from behind", "[E]")
    upright_chance: float = knob(0.82, "chance of a usual roll", "[E]")
    upright_deg: float = knob(12.0, "its spread", "[E]")
    roll_deg: Range = knob((-60.0, 60.0), "other rolls", "[E]")
    level_chance: float = knob(0.85, "chance of a usual pitch", "[E]")
    level_mean_deg: float = knob(2.0, "its mean; above 0 looks down", "[E]")
    level_deg: float = knob(13.0, "its spread", "[E]")
    pitch_deg: Range = knob((-45.0, 45.0), "other pitches, and the limit of all", "[E]")
    distance_cm: Range = knob((45.0, 600.0), "from the camera, log-uniform", "[E] perspective")
    body_follow: Range = knob((0.0, 0.8), "share of the yaw that the body turns too", "[E]")
    body_pitch_deg: float = knob(5.0, "spread of the body's pitch", "[E]")
    body_roll: Range = knob((0.0, 0.4), "share of the roll that the body leans too", "[E]")


@dataclass(frozen=True)
class ShapeConfig(Room):
    """Identity and expression. Weights of expressions are 0 to 1."""

    identity: Range = knob((0.7, 1.25), "deviations of the head model, times a normal draw", "[I]")
    axes: float = knob(0.03, "spread of width, height and depth", "[E]")
    mouth_width: Range = knob(
        (0.78, 1.20), "of the head model's, .71 of the pupils' distance", "[E] its corners fade"
    )
    nose: Range = knob(
        (1.0, 1.5), "protrusion in those of the head model, 15.6 mm", "[Z] 20 +- 2.7 mm"
    )
    strength: Weights = knob(
        {"0.0": 0.25, "0.25": 0.45, "0.6": 0.30}, "largest weight of odd mixtures", "[E]"
    )
    mixed_chance: float = knob(0.15, "chance of each expression in a mixture", "[E]")
    symmetric_chance: float = knob(0.8, "chance that its twin does the same", "[E]")
    open_chance: float = knob(0.30, "chance of an open mouth", "[E]")
    open_jaw: Range = knob((0.05, 0.9), "how far, to the power 1.3", "[E] talking to yawning")
    smile_chance: float = knob(0.22, "chance of a smile", "[E]")
    smile: Range = knob((0.2, 1.0), "how broad", "[E]")
    blink_chance: float = knob(0.15, "chance of closed eyes", "[E]")
    wink_chance: float = knob(0.1, "chance that one of them stays open", "[E]")
    gaze_across: float = knob(
        0.35, "spread of the look to the side, 1 as far as eyes go; lids follow it", "[E]"
    )
    gaze_up_down: Range = knob((0.0, 0.7), "how far up or down eyes look", "[E]")
    squint_chance: float = knob(0.3, "chance of narrowed ones else", "[E]")


@dataclass(frozen=True)
class HairConfig(Room):
    """Hair and beards. Shares are of the way from air to skin temperature."""

    styles: Weights = knob(
        {
            "short": 0.32,
            "receding": 0.10,
            "crown_bald": 0.06,
            "fringe": 0.09,
            "low_fringe": 0.07,
            "parted": 0.10,
            "long": 0.11,
            "long_fringe": 0.06,
            "none": 0.09,
        },
        "hairlines",
        "[E]",
    )
    short_cm: Range = knob((0.15, 1.6), "thickness of short hair, log-uniform", "[E]")
    long_cm: Range = knob((0.6, 2.4), "thickness of long hair", "[E]")
    locks_chance: float = knob(0.4, "chance of locks that hang deeper", "[E]")
    bun_chance: float = knob(0.06, "chance of a bun", "[E]")
    share: Range = knob((0.25, 0.85), "temperature", "[L] 2.1-4.3 K below the forehead")
    sun_chance: float = knob(0.06, "chance of hair in the sun", "[E]")
    sun_share: Range = knob((0.9, 1.4), "its temperature", "[E]")
    beards: Weights = knob(
        {"none": 0.50, "full": 0.16, "goatee": 0.12, "moustache": 0.15, "stubble": 0.07},
        "beards",
        "[E]",
    )
    beard_drop: Range = knob(
        (0.2, 0.8), "how far hair takes skin to the air", "[L] 1.5-2.3 K below skin"
    )
    stubble_drop: Range = knob((0.1, 0.35), "the same for stubble", "[E]")
    moustache_chance: float = knob(0.8, "chance that a beard has one", "[E]")
    hairs_chance: float = knob(0.5, "chance that single hairs show", "[E] seen from near")


@dataclass(frozen=True)
class WornConfig(Room):
    """Headwear, masks, glasses. Shares are of the way from air to skin temperature."""

    headwear: Weights = knob(
        {
            "none": 0.69,
            "cap": 0.11,
            "beanie": 0.06,
            "headband": 0.03,
            "hood": 0.06,
            "headscarf": 0.05,
        },
        "kinds",
        "[E]",
    )
    brim_cm: Range = knob((5.2, 9.0), "height of the edge in front; the eyes are at 3.4", "[E]")
    headwear_share: Range = knob((0.05, 0.65), "temperature", "[L] 1.7-5.4 K below skin")
    visor_chance: float = knob(0.85, "chance that a cap has a visor", "[E]")
    backwards_chance: float = knob(0.08, "chance that it is worn backwards", "[E]")
    mask_chance: float = knob(0.09, "chance of a mask or scarf over the mouth", "[E]")
    low_mask_chance: float = knob(0.2, "chance that it leaves the nose free", "[E]")
    mask_scarf_chance: float = knob(0.3, "chance that it is a scarf", "[E]")
    mask_share: Range = knob((0.2, 0.9), "temperature", "[E]")
    breath_k: float = knob(1.5, "spread of the breath's patch in kelvin", "[E]")
    glasses_chance: float = knob(0.28, "chance of glasses", "[E]")
    glasses_share: Range = knob(
        (-0.05, 0.35), "temperature", "[L] 4.0-4.6 K below skin, about air + 0.3"
    )
    raised_chance: float = knob(0.08, "chance that they are pushed up", "[E]")
    mirror_share: Range = knob(
        (0.05, 0.2), "share of the room that lenses mirror", "emissivity of glass, .8 to .95"
    )
    mirrored_k: Range = knob(
        (-25.0, 40.0), "windows, lamps and people in them, against the air", "[E]"
    )
    mirrored_things: float = knob(1.2, "how many there are, on average", "[E]")
    lens_width_cm: Range = knob((2.1, 3.3), "half width of a lens", "[E]")
    lens_height_cm: Range = knob((1.3, 2.6), "half height of a lens", "[E]")


@dataclass(frozen=True)
class BodyConfig(Room):
    """Torso and clothes. Shares are of the way from air to skin temperature."""

    build: Range = knob((0.85, 1.25), "width / that of an average body", "[E]")
    height: Range = knob((0.92, 1.08), "height / that of an average body", "[E]")
    bare_shoulders_chance: float = knob(0.10, "chance of bare shoulders", "[E]")
    bare_arms_chance: float = knob(0.35, "chance of bare forearms", "[E]")
    cloth_share: Range = knob((0.05, 0.8), "temperature of clothes", "[L] 1.7-4.4 K below skin")
    sun_chance: float = knob(0.12, "chance of clothes in the sun", "[E]")
    sun_k: Range = knob((1.0, 8.0), "what that adds in kelvin", "[E]")
    folds_k: Range = knob((0.2, 1.5), "unevenness in kelvin", "[E]")
    turtleneck_chance: float = knob(0.25, "chance of a high collar", "[E]")


@dataclass(frozen=True)
class PersonConfig(Room):
    """All that is drawn when a person is rendered into a pool."""

    room_chance: float = knob(0.65, "chance of room temperature", "[E]")
    room_mean_c: float = knob(24.5, "its mean in Celsius", "[L] glasses 4-4.6 K below foreheads")
    room_spread_k: float = knob(3.5, "its spread", "[E]")
    outdoor_c: Range = knob((-5.0, 36.0), "other air temperatures in Celsius", "[E]")
    cooled_chance: float = knob(0.5, "chance of skin that is used to colder air", "[E] came in")
    cooled_k: Range = knob(
        (1.0, 9.0), "how much colder", "[L] noses 1-4.2 K below foreheads, the room 3.6-6.1 K"
    )
    pose: PoseConfig = field(default_factory=PoseConfig)
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    skin: SkinConfig = field(default_factory=SkinConfig)
    hair: HairConfig = field(default_factory=HairConfig)
    worn: WornConfig = field(default_factory=WornConfig)
    body: BodyConfig = field(default_factory=BodyConfig)
    colour: ColourConfig = field(default_factory=ColourConfig)
