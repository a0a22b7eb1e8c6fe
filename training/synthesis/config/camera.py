"""The knobs of the camera."""

from dataclasses import dataclass

from training.synthesis.config.knobs import Range, Room, Weights, knob


@dataclass(frozen=True)
class CameraConfig(Room):
    """From temperatures to what a camera's file holds. Pixels are the sensor's."""

    blur_px: Range = knob(
        (0.3, 1.3),
        "point spread, sigma in pixels",
        "[L] 1.35-1.7 on the edge of a disc, an upper bound",
    )
    defocus_chance: float = knob(0.15, "chance of being out of focus", "[E]")
    defocus_px: Range = knob((1.3, 2.4), "point spread out of focus, sigma in pixels", "[E]")
    motion_chance: float = knob(0.13, "chance of motion smear", "[E]")
    motion_px: Range = knob(
        (1.0, 6.0),
        "length of the smear in pixels",
        "[E] a head at 0.2-1 m/s, 8.7-30 frames a second",
    )
    lag_share: float = knob(
        0.5,
        "share of smears that trail off exponentially",
        "[E] time constant 8-12 ms, as commonly stated",
    )
    ghost_chance: float = knob(
        0.02, "chance of a faint second picture", "[E] temporal filters, as [L] has one"
    )
    ghost_share: Range = knob((0.05, 0.2), "share of that second picture", "[E]")
    netd_k: Range = knob(
        (0.015, 0.22),
        "temporal noise in kelvin, log-uniform",
        "[S] 30-60 mK modern, 80-100 mK old; [L] .07-.10 K in all",
    )
    columns_netd: Range = knob((0.0, 0.9), "column noise / NETD", "[D]; [L] .02-.03 K")
    rows_netd: Range = knob((0.0, 0.6), "row noise / NETD", "[D]; [L] .02-.03 K")
    stripes_chance: float = knob(0.04, "chance of strong column stripes", "[E] uncorrected sensors")
    stripes_k: Range = knob((0.2, 1.2), "strong stripes in kelvin", "[E]")
    shading_chance: float = knob(
        0.4, "chance of a slow drift over the picture", "[L] between shutters"
    )
    shading_k: Range = knob((0.0, 0.5), "the drift in kelvin", "[D][E] low-order, up to .5 K")
    vignette_chance: float = knob(0.2, "chance of corners off by radius squared", "[E]")
    vignette_k: Range = knob((-1.0, 0.6), "the corners' offset in kelvin", "[E] .3 K is usual")
    dead_chance: float = knob(0.06, "chance of dead or hot pixels and clusters", "[E]")
    dead_pixels: Range = knob((1, 9), "how many dead places, the upper end excluded", "[E]")
    denoise_chance: float = knob(0.10, "chance of an on-camera spatial filter", "[S][E]")
    denoise_k: Range = knob((0.1, 0.8), "contrast that a bilateral filter smooths, kelvin", "[E]")
    denoise: Weights = knob({"median": 0.4, "bilateral": 0.6}, "which", "[E]")
    radiometric_chance: float = knob(0.45, "chance of a file with temperatures", "[E]")
    radiometric_step_k: Weights = knob(
        {"0.01": 0.35, "0.02": 0.3, "0.04": 0.25, "0.1": 0.1},
        "value step of such files in kelvin",
        "[S][L]",
    )
    radiometric_negated: float = knob(0.03, "chance that such a file is negated", "[E]")
    gain_control: Weights = knob(
        {"linear": 0.5, "window": 0.12, "plateau": 0.23, "clahe": 0.15},
        "how 8-bit cameras map temperatures",
        "[F]",
    )
    tail_percent: Range = knob((0.0, 3.0), "pixels clipped at each end", "[F] <= 1 % by default")
    window_k: Range = knob(
        (4.0, 22.0), "width of a fixed window in kelvin", "[F] manual level and span"
    )
    window_percent: Range = knob((40, 95), "percentile in the middle of that window", "[E]")
    plateau: Range = knob((1.0, 12.0), "plateau / mean of the histogram, log-uniform", "[F]")
    linear_share: Range = knob((0.0, 0.4), "linear part of plateau equalisation", "[F] SSO")
    clahe_tiles: Range = knob((2, 9), "tiles of CLAHE a side, the upper end excluded", "[E]")
    clahe_clip: Range = knob((1.0, 4.0), "clip limit of CLAHE", "[E]")
    gamma_chance: float = knob(0.4, "chance of a tone curve", "[E]")
    gamma_spread: float = knob(0.4, "spread of the logarithm of its exponent", "[E]")
    narrow_chance: float = knob(0.3, "chance that grey levels do not reach 0 and 255", "[E]")
    narrow_floor: Range = knob((0, 40), "their lowest grey level then", "[E]")
    narrow_ceiling: Range = knob((190, 255), "their highest", "[E]")
    detail_chance: float = knob(0.25, "chance of detail enhancement", "[F] DDE -20 to 100")
    detail_px: Range = knob((0.8, 2.5), "size of details, sigma in pixels", "[E]")
    detail_gain: Range = knob((-0.6, 1.6), "gain of details; below 0 smooths", "[F]")
    ringing_chance: float = knob(0.05, "chance of enhancement so strong that edges ring", "[F][E]")
    ringing_px: Range = knob((0.8, 1.6), "width of the inner fringe, sigma in pixels", "[E]")
    ringing_gain: Range = knob((1.5, 3.5), "its gain", "[E]")
    black_hot_chance: float = knob(
        0.18, "chance that warm is dark", "[E] 10-20 % of published pictures"
    )
    upscale_chance: float = knob(
        0.12, "chance that the camera enlarges its picture", "[S] AX8: 80x60 in 640x480"
    )
    upscale: Range = knob((1.5, 4.0), "by how much, up to 640 pixels a side", "[S]")
    palette_chance: float = knob(
        0.02,
        "chance of false colours, inverted as serving inverts them",
        "[S] ironbow, rainbow and the like",
    )
    palette_levels: Range = knob((0, 15), "spread of makers' colours, of 255", "[E]")
    overlay_chance: float = knob(0.10, "chance of burnt-in marks", "[S]")
    overlay: Weights = knob(
        {"text": 0.35, "logo": 0.15, "crosshair": 0.2, "bar": 0.15, "spot": 0.15},
        "which (one to three)",
        "[S]",
    )
    jpeg_chance: float = knob(0.33, "chance of JPEG", "[S]")
    jpeg_quality: Range = knob((55, 97), "its quality, rounded down", "[S] 70-95 is usual")
    video_chance: float = knob(
        0.05,
        "chance, where there is no JPEG, of a video codec's blocks, smoothed",
        "[S] H.264 streams",
    )
    video_quality: Range = knob((12, 40), "JPEG quality that blocks alike", "[E]")
