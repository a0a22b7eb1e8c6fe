"""The knobs of colour: of a person rendered with `--rgb`, and of the colour camera's views."""

from dataclasses import dataclass

from training.synthesis.config.knobs import Range, Room, Weights, knob


@dataclass(frozen=True)
class ColourConfig(Room):
    """What a person looks like in visible light; drawn when a pool is rendered with `--rgb`."""

    tone: Range = knob((1.0, 10.0), "skin tone, light to dark", "[M]")
    tint: float = knob(0.05, "spread of each channel about the tone", "[E]")
    flush: Range = knob((0.2, 1.2), "redder cheeks, nose and ears", "[E] haemoglobin")
    mottle: Range = knob((0.01, 0.06), "unevenness of the skin", "[E]")
    freckles_chance: float = knob(0.15, "chance of freckles or moles", "[E]")
    lips: Range = knob((0.4, 1.0), "how much redder lips are", "[E]")
    lipstick_chance: float = knob(0.15, "chance of lipstick", "[E]")
    brows: Range = knob((0.3, 0.95), "how much of the skin brows hide", "[E]")
    eyes: Weights = knob(
        {"brown": 0.5, "hazel": 0.15, "green": 0.1, "blue": 0.15, "grey": 0.1}, "irises", "[E]"
    )
    iris_cm: Range = knob((0.55, 0.64), "radius of the iris", "[A]")
    pupil_cm: Range = knob((0.12, 0.32), "radius of the pupil", "[A]")
    gaze_cm: float = knob(0.18, "spread of the iris from the middle of the eye", "[E]")
    hair: Weights = knob(
        {
            "black": 0.30,
            "dark_brown": 0.22,
            "brown": 0.15,
            "blond": 0.10,
            "red": 0.05,
            "grey": 0.10,
            "white": 0.04,
            "dyed": 0.04,
        },
        "of hair; brows and beard are like it",
        "[E]",
    )
    clear_chance: float = knob(0.7, "chance that glasses are clear", "[E]")
    clear_share: Range = knob((0.02, 0.15), "what a clear lens takes of the light", "[E]")
    dark_share: Range = knob((0.75, 0.98), "what sunglasses take", "[S] categories 2 to 4")
    mirror: Range = knob((0.0, 0.35), "sky seen in a lens", "[E]")
    rim: Range = knob((0.04, 0.22), "width of the rim / half the lens; 0 is rimless", "[E]")
    key_azimuth_deg: Range = knob((-80.0, 80.0), "where the main light stands; 0 in front", "[E]")
    key_height_deg: Range = knob((-5.0, 65.0), "how high it stands", "[E]")
    key: Range = knob((0.35, 1.3), "its strength", "[E]")
    fill: Range = knob((0.05, 0.5), "strength of the second light", "[E]")
    ambient: Range = knob((0.12, 0.55), "light from all around", "[E]")
    light_kelvin: Range = knob(
        (2500.0, 9500.0), "colour temperature of each, log-uniform", "[B] light bulbs to open shade"
    )
    coloured_chance: float = knob(0.08, "chance that the second light is of any hue", "[E] signs")
    shadow: Range = knob((0.3, 1.0), "depth of the shadows that the person casts", "[E]")
    gloss: Range = knob((0.02, 0.18), "strength of highlights on skin", "[E] dry to sweating")


@dataclass(frozen=True)
class RgbConfig(Room):
    """Backdrop and colour camera, drawn anew for every view. Pixels are the sensor's."""

    face_px: Range = knob(
        (40.0, 130.0),
        "face on the sensor in pixels, log-uniform; never fewer than the thermal sensor has, and up"
        " to 1.15 times the face of the pool",
        "[E] colour sensors are finer",
    )
    backdrops: Weights = knob(
        {"wall": 0.2, "gradient": 0.1, "room": 0.3, "street": 0.2, "foliage": 0.1, "clutter": 0.1},
        "what is behind people",
        "[E]",
    )
    backdrop_light: Range = knob((0.25, 1.6), "its light / the person's, log-uniform", "[E]")
    backdrop_blur: Range = knob((0.0, 0.03), "its blur / side of the picture", "[E] depth of field")
    blur_px: Range = knob((0.35, 1.1), "point spread, sigma in pixels", "[E]")
    stops: float = knob(0.5, "spread of the exposure in powers of two", "[E]")
    target: Range = knob((0.10, 0.30), "linear mean that it aims at", "[E] 18 % grey")
    dark_chance: float = knob(0.12, "chance of a scene too dark for the sensor", "[E]")
    dark_stops: Range = knob((2.0, 8.0), "how much too dark, in powers of two", "[E]")
    white_balance: float = knob(0.10, "spread of the logarithm of the red and blue gains", "[E]")
    adapted: Range = knob((0.3, 1.0), "how much of the light's colour is balanced out", "[E]")
    shot_noise: Range = knob(
        (0.004, 0.03), "noise at full scale / full scale, log-uniform", "[N] root of the electrons"
    )
    read_noise: Range = knob((0.0005, 0.004), "noise in the dark / full scale, log-uniform", "[N]")
    gain_limit: float = knob(24.0, "largest gain against darkness, which noise gets too", "[E]")
    gamma: Range = knob((1.9, 2.5), "of the tone curve", "[E] sRGB is about 2.2")
    contrast: Range = knob((0.0, 0.5), "how far the tone curve is S-shaped", "[E]")
    saturation: Range = knob((0.7, 1.3), "of the colours", "[E]")
    grey_chance: float = knob(0.04, "chance of a picture without colour", "[E] night mode")
    jpeg_chance: float = knob(0.6, "chance of JPEG", "[E]")
    jpeg_quality: Range = knob((45, 97), "its quality, rounded down", "[E]")
