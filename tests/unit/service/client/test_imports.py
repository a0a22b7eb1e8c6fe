"""The client is for cameras' own machines: what serves stays out of it."""

import subprocess
import sys

import pytest

HEAVY = ("fastapi", "starlette", "uvicorn", "pydantic", "onnxruntime", "tritonclient", "scipy")


HELP = """import service.cli
try:
    service.cli.main(["stream", "--help"])
except SystemExit:
    pass"""


@pytest.mark.parametrize(
    "script",
    [
        "from service.client import ThermalClient, AsyncThermalClient",
        "import service.client.cli",
        HELP,
    ],
)
def test_nothing_heavy_is_imported(script: str) -> None:
    check = f"import sys; found = {set(HEAVY)!r} & set(sys.modules); assert not found, found"
    command = [sys.executable, "-c", f"{script}\n{check}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
