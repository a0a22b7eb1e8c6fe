import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

from training.evaluation import plots
from training.evaluation.calibration import Claims
from training.evaluation.candidates import Candidate
from training.evaluation.page import render
from training.evaluation.pictures import draw_errors
from training.evaluation.sections import Glance, Picture, Section, Table, number, plain, text

NETWORK = Candidate("landmarks", "<b>run</b>", Path("run & 1.pt"), "0" * 64, lambda images: {}, 256)
RNG = np.random.default_rng(0)
ERRORS = {"first": RNG.exponential(0.03, 200), "second": np.array([0.1, np.inf, np.nan])}
CLAIMS = {
    "first": Claims(*RNG.uniform(0.01, 0.1, (3, 200))),
    "nothing": Claims(*np.zeros((3, 0))),
}


def section() -> Section:
    view = np.zeros((256, 256), np.uint8)
    points = np.full((1, 2), 100.0)
    png = draw_errors(view, points, points + 9, np.stack([points, points + 9], axis=1))
    return Section(
        "Made <up>",
        "by hand",
        {"run": {"mean": 0.1}},
        [Table("One & only", ["name", "value"], [["<script>", "0.1"]], "a note")],
        [Glance("error", "run", "0.1")],
        notes=["5 < 6"],
        plots=[plots.cumulative_errors("Errors", ERRORS)],
        pictures=[Picture("worst <1>", png)],
    )


def page() -> str:
    date = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    return render([section()], [NETWORK], "python -m training.evaluate --x '<y>'", date, "abc123")


def test_the_page_holds_all_it_shows() -> None:
    html = page()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', html)
    assert len(sources) == 3
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"<(script|link|iframe)|@import|url\(", html)


def test_texts_are_escaped() -> None:
    html = page()
    for raw in ("<b>run", "<up>", "<1>", "'<y>'"):
        assert raw not in html
    assert "&lt;b&gt;run&lt;/b&gt;" in html
    assert "2026-01-02 03:04 UTC" in html
    assert "abc123" in html


def test_plots_are_whole_and_the_same_again() -> None:
    def draw() -> list[bytes]:
        values = RNG.uniform(0, 80, 200)
        by_yaw = plots.error_by("|yaw|, degrees", values, {"first": ERRORS["first"]})
        by_size = plots.error_by("face size, pixels", values, {"first": ERRORS["first"]})
        curves = {"first": (np.array([0.5, 1]), np.array([1, 0.8])), "none": (np.zeros(0),) * 2}
        made = [
            plots.cumulative_errors("Errors", ERRORS),
            plots.calibration(CLAIMS),
            plots.score_and_error(CLAIMS),
            plots.precision_recall("Curve", curves),
        ]
        return [plot.svg for plot in [by_yaw, by_size, *made]]

    first = draw()
    assert [ElementTree.fromstring(svg).tag.split("}")[1] for svg in first] == ["svg"] * 6
    assert first[2:] == draw()[2:]


def test_points_are_drawn_where_they_are() -> None:
    view = np.full((256, 256), 50, np.uint8)
    true, found = np.array([[40.0, 40.0], [np.nan, 3]]), np.array([[200.0, 100.0]])
    png = draw_errors(view, true, found, np.zeros((0, 2, 2)))
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    coloured = np.argwhere(np.ptp(image.astype(int), axis=2) > 60) / 1.5  # y, x
    ring, dot = coloured[coloured[:, 1] < 100], coloured[coloured[:, 1] >= 100]
    np.testing.assert_allclose(ring.mean(axis=0), [40, 40], atol=1)
    np.testing.assert_allclose(dot.mean(axis=0), [100, 200], atol=1)


def test_numbers_for_readers_and_for_machines() -> None:
    assert [number(x) for x in (0.12345, float("nan"), float("inf"))] == ["0.1235", "-", "missed"]
    given = {"a": [float("nan"), float("inf"), 1.5], "b": (1, "x", None)}
    assert plain(given) == {"a": [None, "missed", 1.5], "b": [1, "x", None]}


def test_text_has_the_tables_in_columns() -> None:
    lines = text(section()).splitlines()
    start = lines.index("One & only:")
    assert lines[start + 1 : start + 4] == ["name      value", "<script>    0.1", "a note"]
    assert lines[-1] == "5 < 6"
