"""The check of proto/ against what was released: it must notice what breaks clients."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
RELEASED = ROOT / "proto" / "released.binpb"
SOURCE = (ROOT / "proto" / "thermal" / "v1" / "landmarks.proto").read_text()


def breaking(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "thermal" / "v1").mkdir(parents=True)
    (folder / "thermal" / "v1" / "landmarks.proto").write_text(source)
    buf = Path(sys.executable).with_name("buf")
    command = [str(buf), "breaking", str(folder), "--against", str(RELEASED)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("  float sigma = 4;\n", "", "sigma"),
        ("  float sigma = 4;", "  float sigma = 9;", "sigma"),
        ("  float sigma = 4;", "  double sigma = 4;", "type"),
        ("  float sigma = 4;", "  float deviation = 4;", "name"),
        ("  PIXEL_FORMAT_PNG = 4;\n", "", "PixelFormat"),
        ("  rpc Detect(", "  rpc Find(", "Detect"),
    ],
)
def test_breaking_changes(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    assert SOURCE.count(before) == 1
    result = breaking(tmp_path, SOURCE.replace(before, after))
    assert result.returncode != 0
    assert complaint in result.stdout + result.stderr


def test_additions_are_none(tmp_path: Path) -> None:
    more = SOURCE.replace("  float sigma = 4;", "  float sigma = 4;\n  float depth = 9;")
    assert more != SOURCE
    result = breaking(tmp_path, more)
    assert result.returncode == 0, result.stdout
