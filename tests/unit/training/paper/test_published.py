import pytest

from training.paper.published import FOLDER, figures, published


def test_every_table_names_its_source() -> None:
    for table in range(1, 6):
        assert "MLCM-KD" in (FOLDER / f"table{table}.csv").read_text().splitlines()[1]


def test_rows_as_printed_in_the_paper() -> None:
    best = published(1)[-1]
    assert (best["group"], best["method"]) == ("mlcm-kd", "MLCM-KD-xl")
    assert figures(best, ("params_m", "gflops", "nme_tfake", "nme_full")) == (
        30.26, 5.75, 0.0304, 0.1665,
    )  # fmt: skip
    assert [len(published(table)) for table in range(1, 6)] == [28, 5, 12, 4, 3]
    assert [float(row["nme_tfake"]) for row in published(4)] == [0.0542, 0.0432, 0.0392, 0.0342]
    assert figures(published(5)[2], ("std_dev", "cv_percent", "mean_step_change", "r2")) == (
        0.0442, 27.6011, 0.0139, 0.2784,
    )  # fmt: skip


def test_there_are_five() -> None:
    with pytest.raises(ValueError, match="no table 6"):
        published(6)
