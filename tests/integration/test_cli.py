"""The command line, in-process, on ONNX Runtime."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from service import cli, cli_predict
from tests.gateways import good_image


@pytest.fixture(autouse=True)
def _settings(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command configures the process' logging: put back what the other tests rely on."""
    monkeypatch.setenv("THERMAL_MODEL_REPOSITORY", str(repository))
    monkeypatch.setenv("THERMAL_BACKEND", "embedded")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # or they would be closed
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "face.png"
    file.write_bytes(good_image())
    return file


def run(*arguments: str | Path) -> int:
    return cli.main(["predict", *map(str, arguments)])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_line_a_file(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(image, image, "--variant", "s", "--include", "sigma") == cli_predict.DONE
    first, second = lines(capsys)
    assert first["file"] == str(image)
    assert (first["index"], second["index"]) == (0, 1)
    assert first["models"]["landmarks"]["name"] == "landmarks_s_int8"
    assert len(first["faces"][0]["landmarks"]) == len(first["faces"][0]["sigma"]) == 68
    assert {"verdict", "reasons"} <= set(first["faces"][0])


def test_bad_files_do_not_stop_the_others(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not an image")
    assert run(bad, tmp_path / "nowhere.png", image) == cli_predict.SOME_FAILED
    codes = [line["problem"] and line["problem"]["code"] for line in lines(capsys)]
    assert codes == ["unsupported_format", "broken_image", None]


def test_drawn(image: Path, tmp_path: Path) -> None:
    assert run(image, image, "--draw", tmp_path / "out" / "drawn") == cli_predict.DONE
    pictures = sorted((tmp_path / "out" / "drawn").iterdir())
    assert [picture.name for picture in pictures] == ["000-face.png", "001-face.png"]
    assert cv2.imread(str(pictures[0])) is not None


@pytest.mark.parametrize(
    "arguments",
    [("--rotate", "45"), ("--variant", "x"), ("--boxes", "[[1]]"), ("--precision", "fp16")],
)
def test_wrong_options(
    image: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(image, *arguments) == cli_predict.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("thermal-landmarks: ")


def test_nowhere_to_draw(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(image, "--draw", image) == cli_predict.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("thermal-landmarks: ")


def test_a_reader_that_leaves(image: Path) -> None:
    """As in `thermal-landmarks predict ... | head -1`: no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "service.cli", "predict", str(image)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (cli_predict.SOME_FAILED, b"")


def test_boxes_are_for_one_file(image: Path) -> None:
    assert run(image, "--boxes", "[[10, 10, 60, 60]]") == cli_predict.DONE
    assert run(image, image, "--boxes", "[[10, 10, 60, 60]]") == cli_predict.USAGE


def test_no_models(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERMAL_MODEL_REPOSITORY", str(tmp_path / "nowhere"))
    assert run(image) == cli_predict.NO_MODELS


def test_wrong_command_line() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["predict"])
    assert caught.value.code == cli_predict.USAGE
