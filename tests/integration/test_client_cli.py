"""`thermal-landmarks stream`, against the real server: outputs, words, exit statuses."""

import asyncio
import csv
import fcntl
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from service import cli
from service.bootstrap import Gateway
from service.client.cli import DONE, NO_SERVICE, SOME_FAILED, USAGE
from service.errors import InferenceFailed
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.memory_sources import VALUES
from tests.rpc_clients import until

TOKEN = "c" * 16


@pytest.fixture
async def address(gateway: Gateway) -> AsyncIterator[str]:
    async with rpc_clients.serving(gateway) as (_, where):
        yield where


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Twelve frames in centikelvin."""
    path = tmp_path / "walk.npy"
    np.save(path, np.stack([VALUES + np.uint16(number % 5) for number in range(12)]))
    return path


async def stream(source: str | Path, *arguments: str | Path) -> int:
    """The command's exit status."""
    words = ["stream", str(source), *map(str, arguments)]
    return await asyncio.to_thread(cli.main, words)


async def start(*arguments: str, **streams: Any) -> asyncio.subprocess.Process:
    """The command as a process of its own."""
    command = (sys.executable, "-m", "service.cli", "stream", *arguments)
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, **streams)


async def test_all_outputs(
    address: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, video = tmp_path / "out.csv", tmp_path / "out.mp4"
    status = await stream(
        recording, "--server", address, "--json", "-", "--csv", table, "--video", video,
        "--include", "temperatures", "--variant", "s", "--option", "fps=5",
    )  # fmt: skip
    captured = capsys.readouterr()
    assert status == DONE, captured.err
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["frame"] for line in lines] == list(range(12))
    assert [line["time"] for line in lines] == pytest.approx([number / 5 for number in range(12)])
    assert lines[0]["faces"][0]["track_id"] == 1 and lines[0]["faces"][0]["temperatures"]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["frame"] for row in rows} == {str(number) for number in range(12)}
    opened = cv2.VideoCapture(str(video))
    assert opened.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert opened.get(cv2.CAP_PROP_FPS) == 5
    opened.release()
    assert captured.err.splitlines()[-1].startswith("thermal-landmarks: 12 frames: ")
    assert "latency" in captured.err


async def test_frames_that_fail(
    address: str, recording: Path, backend: FakeBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.error = InferenceFailed("engine")
    assert await stream(recording, "--server", address, "--json", "-") == SOME_FAILED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["error"]["code"] for line in lines} == {"inference_failed"}


async def test_options_reach_the_service(
    address: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await stream(
        recording, "--server", address, "--json", "-", "--tracking", "off", "--smoothing", "off",
        "--units", "counts", "--rotate", "90", "--deadline", "30", "--drop", "none",
        "--min-score", "0.2",
    )  # fmt: skip
    assert status == DONE
    first, *_ = capsys.readouterr().out.splitlines()
    assert json.loads(first)["unit"] == "counts"
    assert json.loads(first)["faces"][0]["track_id"] is None


@pytest.mark.parametrize("end", [("--max-frames", "3"), ("--seconds", "0.5")])
async def test_when_to_stop(
    address: str, tmp_path: Path, end: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A synthetic camera, which has no end of its own."""
    np.save(tmp_path / "clip.npy", np.stack([VALUES, VALUES + np.uint16(3)]))
    source = f"synthetic:{tmp_path / 'clip.npy'}"
    assert await stream(source, "--server", address, "--json", "-", *end) == DONE
    if end[0] == "--max-frames":
        assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--variant", "xxl"), "variant_unavailable"),
        (("--units", "parsecs"), "parsecs"),
        (("--polarity", "blue"), "polarity"),
        (("--option", "fps"), "NAME=VALUE"),
        (("--option", "colour=red"), "colour"),
        (("--token-file", "/nowhere"), "nowhere"),
        (("--token-file", __file__), "token"),
        (("--ca", "/nowhere"), "nowhere"),
        (("--ca", __file__), "certificate"),
        (("--csv", "/nowhere/out.csv"), "nowhere"),
        (("--video", "/nowhere/out.mp4"), "nowhere"),
    ],
)
async def test_wrong_words(
    address: str,
    recording: Path,
    arguments: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await stream(recording, "--server", address, *arguments) == USAGE
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err
    assert captured.err.startswith("thermal-landmarks: ")


@pytest.mark.parametrize("source", ["nonsense", "nowhere.npy"])
async def test_sources_that_are_none(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await stream(source) == USAGE
    assert source in capsys.readouterr().err


async def test_a_wrong_option_leaves_files_alone(recording: Path, tmp_path: Path) -> None:
    kept = tmp_path / "yesterday.csv"
    kept.write_text("rows")
    assert await stream(recording, "--csv", kept, "--smoothing", "very") == USAGE
    assert kept.read_text() == "rows"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("synthetic", "--max-frames", "0"),
        ("synthetic", "--include", "crops"),
        ("synthetic", "--seconds", "0"),
        ("synthetic", "--seconds", "nan"),
        ("synthetic", "--show-port", "65536"),
        ("synthetic", "--show-port", "-1"),
    ],
)
async def test_wrong_command_lines(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        await stream(*arguments or ("--json",))
    assert caught.value.code == USAGE


async def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == DONE
    assert {"predict", "stream"} <= set(capsys.readouterr().out.split())


async def test_nobody_there(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--server", "127.0.0.1:1", "--attempts", "2")
    assert await stream(recording, *words) == NO_SERVICE
    told = capsys.readouterr().err.splitlines()
    assert "again in" in told[0] and "unavailable" in told[-1]


async def test_token(
    repository: Path, backend: FakeBackend, recording: Path, tmp_path: Path
) -> None:
    good, bad = tmp_path / "token", tmp_path / "other"
    good.write_text(TOKEN + "\n")
    bad.write_text("d" * 16)
    settings = gateways.settings(repository, api_tokens_file=good)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
    ):
        assert await stream(recording, "--server", address, "--token-file", good) == DONE
        assert await stream(recording, "--server", address, "--token-file", bad) == USAGE


async def test_the_page_of_show(address: str, tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.stack([VALUES, VALUES + np.uint16(3)]))
    process = await start(f"synthetic:{tmp_path / 'clip.npy'}", "--server", address, "--show")
    assert process.stderr is not None
    try:
        line = (await process.stderr.readline()).decode()
        url = line.split("watch at ")[1].strip()

        def look() -> bytes:
            with urllib.request.urlopen(url + "stream.mjpeg", timeout=30) as page:
                seen: bytes = page.read(40_000)
            return seen

        assert b"\xff\xd8\xff" in await asyncio.to_thread(look)  # a JPEG
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == DONE, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_a_good_end(
    address: str, gateway: Gateway, tmp_path: Path, number: signal.Signals
) -> None:
    np.save(tmp_path / "clip.npy", np.stack([VALUES, VALUES + np.uint16(3)]))
    video, records = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    process = await start(
        f"synthetic:{tmp_path / 'clip.npy'}", "--server", address, "--video", str(video),
        "--json", str(records),
    )  # fmt: skip
    await until(lambda: records.exists() and records.read_text().count("\n") >= 2)
    process.send_signal(number)
    _, errors = await process.communicate()
    assert process.returncode == DONE, errors.decode()
    assert b"Traceback" not in errors and b" frames: " in errors
    opened = cv2.VideoCapture(str(video))
    assert opened.read()[0]
    opened.release()


async def test_a_second_signal_ends_it_whatever_it_waits_for(
    address: str, backend: FakeBackend, tmp_path: Path
) -> None:
    """Somebody has stopped reading its lines: a good end would wait for them."""
    np.save(tmp_path / "clip.npy", np.stack([VALUES, VALUES + np.uint16(3)]))
    reading, writing = os.pipe()
    os.write(writing, bytes(fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)))
    words = (f"synthetic:{tmp_path / 'clip.npy'}", "--server", address, "--json", "-")
    process = await start(*words, stdout=writing)
    await until(lambda: len(backend.calls) >= 10)
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.3)
    ended = process.returncode is not None
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    os.close(reading)
    os.close(writing)
    assert not ended
    assert process.returncode == -signal.SIGINT and b"Traceback" not in errors


async def test_a_reader_that_leaves(address: str, recording: Path) -> None:
    """As in `thermal-landmarks stream ... --json - | head -1`: no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    words = (str(recording), "--server", address, "--json", "-")
    process = await start(*words, stdout=writing)
    os.close(writing)
    _, errors = await process.communicate()
    assert process.returncode == SOME_FAILED
    assert b"Traceback" not in errors
