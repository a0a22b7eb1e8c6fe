"""The command line, with tiny networks and persons of the procedural head."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data_sets import (
    face,
    side_slots,
    slots_73,
    tfw_row,
    write_charlotte,
    write_sf_tl54,
    write_tfw,
)
from tests.repositories import make_repository
from training.evaluate import main
from training.synthesis.pool import write_shard


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_repository(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        write_shard(folder, None, kind, 0, 0, persons=4)
    return str(folder)


def test_everything_at_once(
    repository: str, pool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = tmp_path / "marked"
    marked.mkdir()
    cv2.imwrite(str(marked / "a.png"), np.eye(200, dtype=np.uint8) * 200)
    (marked / "a.pts").write_text("{" + "".join(f"{i + 9} {i % 17 * 5 + 9}\n" for i in range(68)))
    (marked / "faces.json").write_text("[]")
    sets = ["--synthetic", "--synthetic", pool, "--data", f"300w={marked}", "--real", str(marked)]
    few = ["--split", "all", "--views", "5", "--frames", "3", "--models", repository]
    few.append("--end-to-end")
    out = ["--report", str(tmp_path / "page.html"), "--json", str(tmp_path / "all.json")]
    main([*sets, *few, *out])
    name = Path(pool).name
    titles = ["Gate set", f"Landmarks: {name}", f"Detection: {name}", f"End to end: {name}",
              "Landmarks: marked (300w)", "Real images: marked"]  # fmt: skip
    figures = json.loads((tmp_path / "all.json").read_text())
    assert [section["title"] for section in figures["sections"]] == titles
    views = figures["sections"][1]["figures"]["landmarks_t v1"]
    assert views["whole set"]["all"]["faces"] == 5
    assert figures["networks"]["landmarks_t v1"]["task"] == "landmarks"
    shown, page = capsys.readouterr().out, (tmp_path / "page.html").read_text()
    for title in titles:
        assert f"== {title} ==" in shown
        assert f"<h2>{title}</h2>" in page


def test_data_sets_in_their_own_layouts(
    repository: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = slots_73(face((80, 60), 60)), slots_73(face((80, 60), 40))
    rows = {"R11185": large, "R21186": small, "R21187": side_slots()}
    write_charlotte(tmp_path / "c", rows)
    write_sf_tl54(tmp_path / "sf", {"test": ["1_1_1_1_1"], "val": ["2_1_1_1_1"]}, (160, 120))
    write_tfw(tmp_path / "tfw", [tfw_row("a.png", 50, 60), tfw_row("a.png", 300, 80)])
    sources = [f"charlotte={tmp_path / 'c'}", f"sf-tl54={tmp_path / 'sf'},split=test",
               f"tfw={tmp_path / 'tfw'}"]  # fmt: skip
    out = tmp_path / "all.json"
    named = [word for source in sources for word in ("--data", source)]
    main([*named, "--models", repository, "--json", str(out)])
    sections = json.loads(out.read_text())["sections"]
    charlotte, sf_tl54, tfw = (next(iter(one["figures"].values())) for one in sections)
    assert {name: row["faces"] for name, row in charlotte["subject"].items()} == {"S1": 1, "S2": 1}
    assert "view" not in charlotte  # all of one group
    assert "1 left out: side view, unmapped" in capsys.readouterr().out
    assert sf_tl54["whole set"]["all"]["faces"] == 1
    assert sf_tl54["calibration"]["points"] == 54
    assert tfw["all"]["faces"] == 2


def test_networks_side_by_side(repository: str, pool: str, tmp_path: Path) -> None:
    other = Path(repository) / "landmarks_s" / "1" / "model.onnx"
    weights = tmp_path / "run" / "other.onnx"
    weights.parent.mkdir()
    weights.write_bytes(other.read_bytes())
    out = tmp_path / "all.json"
    both = ["--checkpoint", f"landmarks={weights}", "--checkpoint", f"landmarks={other}"]
    few = ["--split", "all", "--views", "2", "--frames", "0", "--models", repository]
    main(["--synthetic", pool, *few, *both, "--json", str(out)])
    figures = json.loads(out.read_text())["sections"][0]["figures"]
    assert list(figures) == ["run/other.onnx"]  # the very same weights count once


def test_the_same_seed_gives_the_same_figures(repository: str, pool: str, tmp_path: Path) -> None:
    def figures(seed: str) -> object:
        out = tmp_path / "all.json"
        few = ["--split", "all", "--views", "3", "--frames", "2", "--models", repository]
        main(["--synthetic", pool, *few, "--seed", seed, "--json", str(out)])
        return [section["figures"] for section in json.loads(out.read_text())["sections"]]

    assert figures("1") == figures("1") != figures("2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do"),
        (["--synthetic", "--checkpoint", "faces=a.pt"], "not NAME=PATH"),
        (["--data", "wflw=somewhere"], "not NAME=DIR with a name of ['300w', "),
        (["--data", "tfw=somewhere,side=a"], "not OPTION=VALUE with one of"),
        (["--synthetic", "--views", "-1"], "-1 is below 0"),
    ],
)
def test_odd_arguments_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--synthetic", "nowhere"],
        ["--synthetic", "--models", "nowhere"],
        ["--synthetic", "--checkpoint", "landmarks=nowhere.pt"],
        ["--data", "300w=nowhere"],
        ["--real", "nowhere"],
    ],
)
def test_what_is_missing_is_named(arguments: list[str], repository: str) -> None:
    given = arguments if "--models" in arguments else [*arguments, "--models", repository]
    with pytest.raises(SystemExit, match="not evaluated: .*nowhere"):
        main(given)
