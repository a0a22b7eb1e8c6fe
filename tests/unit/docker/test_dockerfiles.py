"""What no engine is needed for: pins, users, and that what is copied exists and is let through."""

import re
from pathlib import Path

import pytest

from tests.unit.docker.files import DOCKER, ROOT

FILES = sorted(DOCKER.glob("*.Dockerfile"))


def _instructions(file: Path) -> list[tuple[str, str]]:
    """(keyword, rest) with continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return [(keyword, rest) for keyword, rest in pairs]


def test_all_four() -> None:
    names = [file.stem for file in FILES]
    assert names == ["gateway", "plans", "training", "triton"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_base_images_are_pinned(file: Path) -> None:
    instructions = _instructions(file)
    values = dict(rest.split("=") for keyword, rest in instructions if keyword == "ARG")
    stages = set()
    for keyword, rest in instructions:
        if keyword == "FROM":
            image, *name = rest.split(" AS ")
            image = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], image)
            assert image in stages or re.search(r":\d+\.\d+[\w.-]*$", image)
            stages.update(name)


def test_plans_are_built_by_the_tensorrt_that_runs_them() -> None:
    """NVIDIA's images of one month have the same one."""
    texts = [(DOCKER / f"{name}.Dockerfile").read_text() for name in ("plans", "triton")]
    tags = [re.findall(r"^FROM nvcr\.io/nvidia/\w+:(\S+)", text, re.MULTILINE) for text in texts]
    assert tags[0] == tags[1] and len(tags[0]) == 1


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_runs_as_a_numbered_user(file: Path) -> None:
    users = [rest for keyword, rest in _instructions(file) if keyword == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_copied_reaches_the_builder(file: Path) -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for keyword, rest in _instructions(file):
        if keyword == "COPY" and not rest.startswith("--from="):
            for source in rest.split()[:-1]:
                assert source in allowed
                assert (ROOT / source).exists()


def test_gpu_libraries_follow_the_requirement() -> None:
    """The expression by which the gateway's build finds the version in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^gpu = \["onnxruntime-gpu(==[0-9.]+)"\]', text, re.MULTILINE)


def test_the_gateway_has_no_engine_to_wait_for_in_its_health() -> None:
    (check,) = (
        rest
        for keyword, rest in _instructions(DOCKER / "gateway.Dockerfile")
        if keyword == "HEALTHCHECK"
    )
    assert "/opt/healthcheck.py" in check
    assert "/livez" in (DOCKER / "healthcheck.py").read_text(encoding="utf-8")
