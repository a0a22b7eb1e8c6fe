"""Who looks where: identity, expression, head and body pose, and the pinhole camera."""

from dataclasses import dataclass

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.person import PoseConfig, ShapeConfig
from training.synthesis.head import HeadModel, jaw_outward
from training.synthesis.rasterizer import vertex_normals

NECK_PIVOT = np.array([0.0, -9.0, 0.0], np.float32)  # cm; where the neck bends
MOUTH_REACH = 3.0, 2.2  # cm sideways, and up and down, over which a mouth's width fades out
NOSE_HALF = 1.9  # cm; half the width of its wings
NOSE_REACH = 0.7  # cm beyond its outline, over which a nose's protrusion fades out
FACE_CM = 14.2  # side of the mean frontal face's landmark box
SYMMETRIC = ("Blink", "Squint", "Wide", "Smile", "Frown", "Stretch", "Press", "Sneer", "Puff",
             "LowerDown", "UpperUp", "Dimple", "Down_", "OuterUp", "InnerUp")  # fmt: skip


@dataclass(frozen=True)
class Pose:
    """Degrees. yaw > 0 turns to the subject's left, pitch > 0 looks down, roll is in the image."""

    yaw: float
    pitch: float
    roll: float
    distance: float  # cm from the camera to the head's origin


@dataclass(frozen=True)
class PosedHead:
    """image float32 [V, 3]: x, y in pixels and depth in cm; cosine [V]: of the viewing angle;
    landmarks float32 [68, 2] pixels; scale: pixels a cm at the head; size: height and width of
    the layer; rotation and body_rotation [3, 3] from head and body to camera axes."""

    image: FloatArray
    cosine: FloatArray
    normals: FloatArray
    camera: FloatArray
    landmarks: FloatArray
    scale: float
    centre: tuple[float, float]
    size: tuple[int, int]
    rotation: FloatArray
    body_rotation: FloatArray
    pose: Pose

    def project(self, points: FloatArray) -> FloatArray:
        """Rotated points [N, 3] in cm (camera axes, head at the origin) to pixels and depth."""
        return project(points, self.scale, self.pose.distance, self.centre)


def project(
    points: FloatArray, scale: float, distance: float, centre: tuple[float, float]
) -> FloatArray:
    depth = np.maximum(distance - points[:, 2], 5.0)
    zoom = scale * distance / depth
    return np.stack(
        [centre[0] + points[:, 0] * zoom, centre[1] - points[:, 1] * zoom, depth], axis=1
    ).astype(np.float32)


def rotation_matrix(yaw: float, pitch: float, roll: float) -> FloatArray:
    """Degrees to a matrix that turns head coordinates into camera coordinates: roll yaw pitch."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def sample_pose(rng: np.random.Generator, config: PoseConfig, away: bool = False) -> Pose:
    """Mostly frontal with a long tail to the profile; `away` shows the back of the head."""
    usual = rng.random() < config.frontal_chance
    yaw = rng.normal(0, config.frontal_deg) if usual else rng.uniform(*config.yaw_deg)
    if away:
        yaw = rng.uniform(*config.away_deg)
    usual = rng.random() < config.upright_chance
    roll = rng.normal(0, config.upright_deg) if usual else rng.uniform(*config.roll_deg)
    if rng.random() < config.level_chance:
        pitch = rng.normal(config.level_mean_deg, config.level_deg)
    else:
        pitch = rng.uniform(*config.pitch_deg)
    return Pose(
        yaw=float(yaw),
        pitch=float(np.clip(pitch, *config.pitch_deg)),
        roll=float(roll),
        distance=log_uniform(config.distance_cm, rng),
    )


def sample_shape(head: HeadModel, rng: np.random.Generator, config: ShapeConfig) -> FloatArray:
    """A random person with a random expression: vertices float32 [V, 3] in cm."""
    identity = rng.normal(0, 1, len(head.identity)) * rng.uniform(*config.identity)
    expression = sample_expression(head.expression_names, rng, config)
    vertices = head.vertices(identity.astype(np.float32), expression)
    vertices = vertices * rng.normal(1, config.axes, 3).astype(np.float32)
    vertices = scale_mouth(head, vertices, rng.uniform(*config.mouth_width))
    return scale_nose(head, vertices, rng.uniform(*config.nose))


def scale_mouth(head: HeadModel, vertices: FloatArray, factor: float) -> FloatArray:
    """`vertices` [V, 3] with a mouth `factor` times as wide: lips, corners and what is behind them;
    the surroundings are stretched up to `MOUTH_REACH` beyond."""
    corners = head.landmarks[[48, 54]]
    middle, half = head.neutral[corners].mean(axis=0), np.ptp(head.neutral[corners, 0]) / 2
    offset = np.abs(head.neutral - middle)
    beyond = (offset[:, 0] - half) / MOUTH_REACH[0], (offset[:, 1] - 1.0) / MOUTH_REACH[1]
    share = [np.cos(np.clip(b, 0.0, 1.0) * np.pi / 2) ** 2 for b in beyond]
    share_of_all = np.where(head.neutral[:, 2] > 0, share[0] * share[1], 0.0)
    moved = vertices.copy()
    from_middle = vertices[:, 0] - vertices[corners, 0].mean()
    moved[:, 0] += ((factor - 1.0) * share_of_all * from_middle).astype(np.float32)
    return moved


def scale_nose(head: HeadModel, vertices: FloatArray, factor: float) -> FloatArray:
    """`vertices` [V, 3] with a nose that stands out `factor` times as far from the line between its
    root and the upper lip."""
    x, y, z = head.neutral.T
    root, lip = head.neutral[head.landmarks[[27, 33]]]
    # The face without a nose: from root to lip, falling off to the sides.
    share = np.clip((root[1] - y) / (root[1] - lip[1]), 0.0, 1.0)
    flat = root[2] + share * (lip[2] - root[2]) - 0.35 * x**2
    beyond = np.stack([np.abs(x) - NOSE_HALF, y - root[1], lip[1] - y]).max(axis=0) / NOSE_REACH
    fading = np.cos(np.clip(beyond, 0.0, 1.0) * np.pi / 2) ** 2
    moved = vertices.copy()
    out = np.where(z > 0, np.maximum(z - flat, 0.0), 0.0)
    moved[:, 2] += ((factor - 1.0) * fading * out).astype(np.float32)
    return moved


def sample_expression(
    names: tuple[str, ...], rng: np.random.Generator, config: ShapeConfig
) -> FloatArray:
    """Weights [E] in [0, 1]: neutral, talking, laughing, closed eyes, and odd mixtures."""
    weights = {name: 0.0 for name in names}
    strength = float(pick(config.strength, rng))
    for name in names:
        if "Look" not in name and "Pupil" not in name and rng.random() < config.mixed_chance:
            weights[name] = strength * rng.random()
            twin = name[:-2] + ("_R" if name.endswith("_L") else "_L")
            alike = twin in weights and rng.random() < config.symmetric_chance
            if alike and any(s in name for s in SYMMETRIC):
                weights[twin] = weights[name]

    def both(stem: str, value: float) -> None:
        for side in ("_L", "_R"):
            if stem + side in weights:
                weights[stem + side] = value

    if rng.random() < config.open_chance:
        weights["jawOpen"] = rng.uniform(*config.open_jaw) ** 1.3
        weights["mouthClose"] = 0.0
    else:
        weights["mouthClose"] = min(weights["mouthClose"], weights["jawOpen"])
    if rng.random() < config.smile_chance:
        both("mouthSmile", rng.uniform(*config.smile))
        both("cheekSquint", rng.uniform(0.0, 0.6))
    if rng.random() < config.blink_chance:
        both("eyeBlink", rng.uniform(0.5, 1.0))
        if rng.random() < config.wink_chance:
            weights[str(rng.choice(["eyeBlink_L", "eyeBlink_R"]))] = 0.0
    elif rng.random() < config.squint_chance:
        both("eyeSquint", rng.uniform(0.1, 0.8))
    both(str(rng.choice(["eyeLookDown", "eyeLookUp"])), rng.uniform(*config.gaze_up_down))
    across = float(np.clip(rng.normal(0, config.gaze_across), -1.0, 1.0))  # above 0 to the left
    outward, inward = ("_L", "_R") if across > 0 else ("_R", "_L")
    weights["eyeLookOut" + outward] = weights["eyeLookIn" + inward] = abs(across)
    return np.array([weights[name] for name in names], np.float32)


def pose_head(
    head: HeadModel,
    vertices: FloatArray,
    pose: Pose,
    rng: np.random.Generator,
    config: PoseConfig,
    face_pixels: float,
    size: tuple[int, int],
    centre: tuple[float, float],
) -> PosedHead:
    """Turn, bend the neck towards a body of its own pose, and look at it from the camera.

    face_pixels: wanted size of the landmark box, sqrt(w * h) in pixels at the frontal view.
    """
    rotation = rotation_matrix(pose.yaw, pose.pitch, pose.roll)
    # Who is seen from behind stands with the back to the camera; a neck does not turn that far.
    behind = abs(pose.yaw) > 95
    follow = rng.uniform(0.8, 1.0) if behind else rng.uniform(*config.body_follow)
    pitch = rng.normal(0, config.body_pitch_deg)
    lean = pose.roll * rng.uniform(*config.body_roll)
    body = rotation_matrix(pose.yaw * follow, pitch, lean)
    neutral_y = head.neutral[:, 1] + 0.15 * np.maximum(head.neutral[:, 2] - 4.0, 0.0)
    toward_body = np.clip((-9.0 - neutral_y) / 8.0, 0.0, 1.0)[:, None]
    toward_body = toward_body * toward_body * (3 - 2 * toward_body)
    turned = (vertices - NECK_PIVOT) @ rotation.T * (1 - toward_body)
    turned = turned + (vertices - NECK_PIVOT) @ body.T * toward_body
    turned = (turned + NECK_PIVOT @ rotation.T).astype(np.float32)
    scale = face_pixels / FACE_CM
    image = project(turned, scale, pose.distance, centre)
    normals = vertex_normals(turned, head.triangles)
    view = np.array([0, 0, pose.distance], np.float32) - turned
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    cosine = np.abs((normals * view).sum(axis=1))
    return PosedHead(
        image=image,
        cosine=cosine,
        normals=normals,
        camera=turned,
        landmarks=landmark_pixels(head, image, pose.roll),
        scale=scale,
        centre=centre,
        size=size,
        rotation=rotation,
        body_rotation=body,
        pose=pose,
    )


def landmark_pixels(
    head: HeadModel, image: FloatArray, roll: float, softness: float = 0.0
) -> FloatArray:
    """The 68 landmarks [68, 2]: fixed vertices, and the jaw on its visible contour.

    Each jaw point is the vertex of its strip that lies furthest outward in the roll-aligned view.
    softness: pixels; above 0, vertices about as far out as that one share the point by their
    reach, so that it glides along the strip as a head turns, and does not hop.
    """
    points = image[head.landmarks, :2].copy()
    r = np.deg2rad(roll)
    for index in range(17):
        out_x, out_y = jaw_outward(index)
        # Image y points down and roll turns counter-clockwise in camera axes.
        direction = np.array(
            [out_x * np.cos(r) - out_y * np.sin(r), -(out_x * np.sin(r) + out_y * np.cos(r))]
        )
        strip = image[head.strips[index], :2]
        reach = strip @ direction
        if softness > 0:
            share = np.exp((reach - reach.max()) / softness)
            points[index] = share @ strip / share.sum()
        else:
            points[index] = strip[reach.argmax()]
    return points
