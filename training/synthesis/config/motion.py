"""The knobs of moving persons: how far and how fast heads, lids, jaws and legs go."""

from dataclasses import dataclass

from training.synthesis.config.knobs import Range, Room, knob


@dataclass(frozen=True)
class MotionConfig(Room):
    """What one person does in a clip. Centimetres and degrees; rates in hertz."""

    face_share: Range = knob(
        (0.38, 0.5), "face / the frame's shorter side, of who stays", "[E] at a desk or kiosk"
    )
    far_share: Range = knob((0.16, 0.22), "the same, of who walks, at the far end", "[E]")
    view_deg: Range = knob((32.0, 50.0), "horizontal field of view", "[S] Lepton 57, Boson 12-50")
    sway_cm: Range = knob((0.3, 0.8), "sway of who stands, deviation", "[T][E] quiet standing")
    sway_hz: Range = knob((0.05, 0.6), "band of the sway", "[T] nearly all below 1 Hz")
    unrest_deg: Range = knob((0.8, 2.5), "unrest of a head at rest, deviation", "[E]")
    breath_hz: Range = knob((0.2, 0.33), "breaths", "12-20 a minute at rest")
    breath_cm: Range = knob((0.15, 0.4), "rise of the shoulders, amplitude", "[E]")
    blink_hz: Range = knob((0.15, 0.45), "blinks", "[K] 17 a minute at rest, 26 talking")
    often_hz: Range = knob((0.6, 1.2), "blinks of who blinks often", "[E] a hard test")
    blink_s: Range = knob((0.15, 0.30), "a blink, from first to last movement", "[K]")
    closing_share: Range = knob((0.3, 0.4), "part of it in which the lid falls", "[K] falls faster")
    syllable_hz: Range = knob((2.0, 7.0), "band of the mouth's opening", "[C]")
    jaw: Range = knob((0.2, 0.4), "how wide, as weight of the open jaw", "[E]")
    pause_hz: Range = knob((0.15, 0.4), "band of speech and silence", "[E] phrases of 1-3 s")
    speech_deg: Range = knob((1.5, 4.0), "head movement while talking, deviation", "[E]")
    speech_head_hz: Range = knob((0.3, 1.8), "its band", "[H] slow ones: 0.2-1.8")
    turn_deg: Range = knob((45.0, 60.0), "a turn to one side", "[E] up to the half-profile")
    turn_deg_s: Range = knob((60.0, 150.0), "its highest speed", "[G] to a sudden sight faster")
    nod_deg: Range = knob((6.0, 14.0), "amplitude of a nod", "[E]")
    nod_hz: Range = knob((0.8, 2.2), "nods", "[H] slow ones 0.2-1.8, usual ones 1.8-3.7")
    walk_cm_s: Range = knob((50.0, 130.0), "highest walking speed", "[O] 127-146 when walking on")
    step_hz: Range = knob((1.6, 2.0), "steps", "[R] more the faster")
    bob_cm: Range = knob((1.0, 2.2), "bobbing at each step, amplitude", "[R] more the faster")
    swing_cm: Range = knob((1.0, 2.0), "swing to the side over two steps", "[E]")
    pan_share: float = knob(0.12, "a slow pan's way to a side / the frame's width", "[E]")
    fixed_noise: float = knob(0.3, "fixed pattern / temporal noise", "[D][E] once corrected")
