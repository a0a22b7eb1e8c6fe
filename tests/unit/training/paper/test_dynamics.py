from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from tests.unit.training.paper.studies import tiny
from training.paper.dynamics import (
    TAG,
    NormsMissing,
    early_norms,
    read_norms,
    table_five,
    table_two,
)
from training.paper.figures import gradient_norms, speed_by_size
from training.paper.runner import Study
from training.paper.speed import VARIANTS, Latency

LATENCIES = [Latency(v, 10**6 * (i + 4), 10.0 * 2**i, 6.0) for i, v in enumerate(VARIANTS)]


def write(folder: Path, norms: dict[int, float]) -> None:
    with SummaryWriter(str(folder)) as writer:
        for step, norm in norms.items():
            writer.add_scalar(TAG, norm, step)


def test_norms_of_the_first_steps(tmp_path: Path) -> None:
    write(tmp_path, {step: step / 2 for step in range(1, 1300)})
    found = read_norms(tmp_path, 1200)  # more than a reader keeps by default
    np.testing.assert_allclose(found, np.arange(1, 1201) / 2)


def test_steps_taken_again_count_as_they_were_last(tmp_path: Path) -> None:
    write(tmp_path, {1: 1.0, 2: 2.0, 3: 99.0})
    (first,) = tmp_path.iterdir()
    first.rename(tmp_path / "events.out.tfevents.0000000001.first")
    write(tmp_path, {3: 3.0, 4: 4.0})
    assert read_norms(tmp_path, 4).tolist() == [1, 2, 3, 4]


def test_missing_norms_are_told(tmp_path: Path) -> None:
    with pytest.raises(NormsMissing, match="no train/gradient_norm"):
        read_norms(tmp_path, 3)
    write(tmp_path, {50: 1.0, 100: 1.0})
    with pytest.raises(NormsMissing, match="step 1; log_every"):
        read_norms(tmp_path, 3)


def test_norms_of_the_arms(tmp_path: Path) -> None:
    for arm in ("conventional", "reverse", "forward", "full"):
        for seed in (1, 2):
            steps = {step: step + seed / 4 for step in range(1, 6)}
            write(tmp_path / f"transfer-st-{arm}-{seed}", steps)
    found = early_norms(Study(tmp_path), tiny())
    assert set(found) == {"conventional", "reverse", "forward", "full"}
    assert [norms[0] for norms in found["full"]] == [1.25, 1.5]


def test_table_five_beside_the_paper() -> None:
    norms = {"full": [np.array([1.0, 3.0, 1.0, 3.0]), np.array([2.0, 6.0, 2.0, 6.0])]}
    rows = table_five(norms, 4).rows
    place = next(i for i, row in enumerate(rows) if row[0] == "MLCM-KD")
    paper, ours = rows[place : place + 2]
    assert paper[3:] == ["0.0442", "27.6011", "0.0139", "0.2784"]
    assert ours[1:] == ["ours", "2", "1.5000 ±0.7071", "50.0000 ±0.0000", "3.0000 ±1.4142",
                        "0.2000 ±0.0000"]  # fmt: skip
    assert rows[1][2:] == ["-"] * 5  # no baseline was measured
    assert rows[0][2:] == ["-"] * 5  # and the paper has none


def test_table_two_beside_the_paper() -> None:
    table = table_two(LATENCIES)
    assert [row[0] for row in table.rows] == [f"Ours-{v}" for v in VARIANTS]
    assert table.rows[1] == ["Ours-s", "26.0", "20.0", "38.5", "22.18", "14.80", "3.20", "2.83",
                             "3.89"]  # fmt: skip


def test_figures_are_whole_and_the_same_again() -> None:
    four, five = speed_by_size(LATENCIES), gradient_norms({"a": np.array([1.0, 2.0])}, seed=3)
    assert four.svg.startswith(b"<?xml") and four.svg.rstrip().endswith(b"</svg>")
    assert four == speed_by_size(LATENCIES)
    assert four.caption.startswith("Figure 4:")
    assert five.caption.startswith("Figure 5:") and "seed 3" in five.caption
    assert five != gradient_norms({"a": np.array([1.0, 3.0])}, seed=3)
