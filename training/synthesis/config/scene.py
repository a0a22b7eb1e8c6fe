"""The knobs of backgrounds, of what hides faces, and of how views and frames are laid out."""

from dataclasses import dataclass

from training.synthesis.config.knobs import Range, Room, Weights, knob


@dataclass(frozen=True)
class BackgroundConfig(Room):
    """What is behind people. There is no face in any of it."""

    scenes: Weights = knob(
        {
            "plain": 0.14,
            "room": 0.30,
            "street": 0.25,
            "clutter": 0.17,
            "close_up": 0.10,
            "masked": 0.04,
        },
        "kinds; close_up: something large and near; masked: all but the persons cut out",
        "[E]",
    )
    hot_chance: float = knob(
        0.06, "chance of a surround as warm as skin or warmer", "[E] hot streets"
    )
    hot_c: Range = knob((32.0, 48.0), "temperature of that surround in Celsius", "[E]")
    gradient_k: float = knob(0.8, "spread of the vertical gradient in kelvin", "[E] warm air rises")
    texture_k: Range = knob((0.05, 0.5), "slow unevenness in kelvin", "[E]")
    close_up_k: Range = knob((0.5, 10.0), "contrast of what is near in kelvin", "[E]")
    lattice_chance: float = knob(0.4, "chance of slats, ribs or a mesh in it", "[E]")
    bands_count: Range = knob((0, 7), "cables, pipes, struts in it, the upper end excluded", "[E]")
    band_width: Range = knob((0.01, 0.35), "their width / the frame's longer side", "[E]")
    lamps_chance: float = knob(0.3, "chance of small hot things", "[E]")
    lamp_c: Range = knob(
        (40.0, 120.0), "temperature of half of them in Celsius; the others have 30 to 40", "[E]"
    )
    things_chance: float = knob(0.40, "chance of things that look a little like people", "[E]")
    things: Weights = knob(
        {
            "tower": 1.0,
            "fins": 1.0,
            "pipes": 1.0,
            "tank": 1.0,
            "transformer": 0.7,
            "mug": 0.7,
            "nacelle": 0.7,
            "facade": 0.8,
            "ball": 1.3,
            "spotted_oval": 1.5,
            "car": 1.2,
            "animal": 1.2,
            "tree": 0.7,
            "radiator": 0.6,
            "screen": 0.6,
            "window": 0.7,
            "reflection": 0.5,
            "hand": 1.2,
            "arm": 1.0,
            "legs": 0.9,
            "torso": 0.9,
        },
        "which, by weight",
        "what earlier detectors took for faces",
    )
    built_chance: float = knob(0.7, "chance that a street has houses, trees and cars", "[E]")
    things_count: Range = knob((1, 5), "how many, the upper end excluded", "[E]")
    thing_size: Range = knob((0.06, 0.8), "their longer side / the frame's, log-uniform", "[E]")
    filling_chance: float = knob(
        0.18, "chance that one thing alone fills the frame", "what earlier detectors took for faces"
    )
    filling_size: Range = knob((0.8, 2.2), "its longer side / the frame's", "[E]")


@dataclass(frozen=True)
class OccluderConfig(Room):
    """What gets between a face and the camera. Sizes are shares of the face's."""

    view_chance: float = knob(0.14, "chance in a landmark view", "[E]")
    frame_chance: float = knob(0.10, "chance in a detector frame with people", "[E]")
    kinds: Weights = knob(
        {
            "hand": 0.16,
            "hand_over_mouth": 0.10,
            "hand_over_eyes": 0.06,
            "chin_in_hand": 0.12,
            "phone_in_hand": 0.14,
            "phone": 0.06,
            "cup": 0.08,
            "scarf": 0.10,
            "microphone": 0.06,
            "bar": 0.06,
            "passer_by": 0.06,
        },
        "which",
        "[E]",
    )
    skin_c: Range = knob(
        (26.0, 35.5),
        "temperature of hands in Celsius",
        "[E] hands follow the air more than faces do",
    )
    cool_tips_k: Range = knob((-1.0, 4.0), "fingertips colder than the palm by, in kelvin", "[E]")


@dataclass(frozen=True)
class ViewConfig(Room):
    """The landmark network's crops."""

    face_px: Range = knob(
        (20.0, 200.0),
        "face on the sensor in pixels, log-uniform, up to 1.15 times the face of the pool (98-138)",
        "[S] 80x60 to 1024x768 sensors",
    )
    margin: float = knob(
        2.0,
        "side of the composed square / longer side of the box",
        "crops reach 1.65; the corners of turned ones beyond, and are empty there",
    )
    things_chance: float = knob(
        0.10,
        "chance of things, or of a built street, behind the face",
        "speed: they are for the detector",
    )
    beside_chance: float = knob(0.15, "chance of another person beside the face", "[E] groups")
    beside_away: Range = knob(
        (0.6, 1.3), "middles of both faces, to the side, in mean longer sides of their boxes", "[E]"
    )
    beside_height: float = knob(0.35, "spread of the other's height / longer side", "[E]")
    beside_size: Range = knob(
        (0.55, 1.8), "the other's size / the face's, log-uniform; the larger is in front", "[E]"
    )
    crop_scale: Range = knob(
        (1.05, 1.65), "side of the crop / longer side of the box", "serving takes 1.25"
    )
    shift: float = knob(
        0.06,
        "spread of the crop's centre / longer side of the box, up to 0.35 with `shift_px`",
        "error of detected boxes, faces of 48 pixels and more",
    )
    shift_px: float = knob(
        1.6,
        "spread that pixels of the picture add, but not to upright crops",
        "error of detected boxes: .08 of faces of 24 to 48 pixels, .11 of 16 to 24, .14 below",
    )
    upright_chance: float = knob(
        0.0, "chance of a crop in which the face stands upright", "serving's second look"
    )
    upright_deg: float = knob(
        5.0, "spread of the roll that is left in it", "error of the first look"
    )
    cut_chance: float = knob(0.15, "chance that the frame ends near or in the face", "[E]")
    cut: Range = knob(
        (-0.25, 0.25), "how far into the face, as share of it; below 0 beside it", "[E]"
    )


@dataclass(frozen=True)
class FrameConfig(Room):
    """The detector's frames."""

    sensors: Weights = knob(
        {
            "80x60": 0.04,
            "160x120": 0.13,
            "120x160": 0.16,
            "256x192": 0.09,
            "192x256": 0.05,
            "320x240": 0.11,
            "240x320": 0.05,
            "320x256": 0.10,
            "384x288": 0.05,
            "400x320": 0.04,
            "464x348": 0.09,
            "640x480": 0.05,
            "480x640": 0.02,
            "1024x768": 0.02,
        },
        "width x height in pixels",
        "[S] AX8, Lepton, TC001, Boson, A35, T540, A70, InfraTec",
    )
    largest_px: float = knob(
        1.3,
        "side up to which frames are composed / detector's input",
        "speed: finer pixels do not show at the input",
    )
    layouts: Weights = knob(
        {"empty": 0.18, "one": 0.34, "few": 0.26, "crowd": 0.09, "audience": 0.05, "far": 0.08},
        "people: none, one, 2-6, 6-12, rows of 6-12, 1-5 whole bodies",
        "[E]",
    )
    one_px: Range = knob(
        (8.0, 330.0), "face of one person, log-uniform, pixels of a 320-pixel input", "[E]"
    )
    few_px: Range = knob((8.0, 110.0), "faces of a few, the same", "[E]")
    crowd_px: Range = knob((10.0, 34.0), "faces of crowds and audiences, the same", "[E]")
    far_px: Range = knob((7.0, 24.0), "faces of people far away, the same", "[E]")
    small_chance: float = knob(0.2, "chance that a face of one or a few is small instead", "[E]")
    small_px: Range = knob((9.0, 24.0), "small faces, the same", "faces that were missed")
    edge_chance: float = knob(0.10, "chance that a face is cut by the frame's edge", "[E]")
    smallest_px: float = knob(
        9.0,
        "smaller faces are neither target nor background",
        "stride 8 of the finest level",
    )
    hidden: float = knob(0.45, "visible share of the box below which a face is neither", "[E]")
    portrait_from_px: float = knob(
        72.0, "frame pixels from which portraits are taken", "the layers' resolutions"
    )
    body_uneven_k: Range = knob(
        (0.15, 0.8), "unevenness of bodies below their layer in kelvin", "[E]"
    )
