"""The compact head model from a checkout of ICT-FaceKit (github.com/ICT-VGL/ICT-FaceKit, MIT)."""

import gzip
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.head import HeadModelMissing

IDENTITIES = 100
# First vertex of each part of the mesh, as the source's README lists them.
REGION_STARTS = {
    "face": 0,
    "head_neck": 9409,
    "mouth_socket": 11248,
    "eye_socket_left": 13294,
    "eye_socket_right": 13678,
    "gums_tongue": 14062,
    "teeth": 17039,
    "eyeball_left": 21451,
    "eyeball_right": 23021,
    "lacrimal_left": 24591,
    "lacrimal_right": 24795,
    "eye_blend_left": 24999,
    "eye_blend_right": 25023,
    "eye_occlusion_left": 25047,
    "eye_occlusion_right": 25199,
    "eyelashes_left": 25351,
    "eyelashes_right": 26035,
}


def import_head(checkout: Path, out: Path) -> None:
    """Read neutral, identity and expression meshes and write the compact `.npz`.

    checkout: the repository, or its `FaceXModel` folder; OBJ files may be gzipped. Raises
    HeadModelMissing when a file that the model cannot do without is not there.
    """
    folder = checkout / "FaceXModel" if (checkout / "FaceXModel").is_dir() else checkout
    neutral, triangles = read_obj(_find(folder, "generic_neutral_mesh"))
    identities = [_find(folder, f"identity{i:03d}") for i in range(IDENTITIES)]
    fixed = {p.name.split(".")[0] for p in [*identities, _find(folder, "generic_neutral_mesh")]}
    names = sorted({p.name.split(".")[0] for p in folder.glob("*.obj*")} - fixed)
    index = json.loads(_find(folder, "vertex_indices", ".json").read_text())
    starts = np.array(list(REGION_STARTS.values()))
    region = np.searchsorted(starts, np.arange(len(neutral)), side="right") - 1
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        neutral=neutral,
        identity=np.stack([read_obj(p)[0] - neutral for p in identities]).astype(np.float16),
        expression=np.stack([read_obj(_find(folder, name))[0] - neutral for name in names]).astype(
            np.float16
        ),
        expression_names=np.array(names),
        triangles=triangles.astype(np.uint16),
        region=region.astype(np.int8),
        region_names=np.array(list(REGION_STARTS)),
        landmarks_68=np.array(index["idx_to_landmark_verts"], np.uint16),
    )


def _find(folder: Path, stem: str, suffix: str = ".obj") -> Path:
    for candidate in (folder / f"{stem}{suffix}", folder / f"{stem}{suffix}.gz"):
        if candidate.is_file():
            return candidate
    raise HeadModelMissing(
        f"{folder / (stem + suffix)} is missing: is {folder} an ICT-FaceKit model?"
    )


def read_obj(path: Path) -> tuple[FloatArray, NDArray[np.int64]]:
    """Vertices float32 [V, 3] and triangles [F, 3] of a Wavefront OBJ; quads are split in two."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    vertices, triangles = [], []
    for line in text.decode("ascii").splitlines():
        parts = line.split()
        if not parts:
            continue
        if parts[0] == "v":
            vertices.append([float(x) for x in parts[1:4]])
        elif parts[0] == "f":
            corners = [int(part.split("/")[0]) - 1 for part in parts[1:]]
            triangles += [(corners[0], *corners[i : i + 2]) for i in range(1, len(corners) - 1)]
    return np.array(vertices, np.float32), np.array(triangles, np.int64)
