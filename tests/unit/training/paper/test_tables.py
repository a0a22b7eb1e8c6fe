from tests.unit.training.paper.studies import PLACE, measured, tiny
from training.evaluation.sections import Table
from training.paper.arms import plan
from training.paper.comparisons import ablation_claims, comparisons, table_one_claims
from training.paper.summary import COLUMNS
from training.paper.tables import table_four, table_one, table_three


def pair(table: Table, label: str) -> tuple[dict[str, str], dict[str, str]]:
    """The paper's row and ours, by the head."""
    place = next(i for i, row in enumerate(table.rows) if row[0] == label)
    first, second = (dict(zip(table.head, row, strict=True)) for row in table.rows[place:][:2])
    assert (first["of"], second["of"]) == ("paper", "ours")
    return first, second


def test_table_one_beside_the_paper() -> None:
    found = measured(tiny())
    table = table_one(found)
    paper, ours = pair(table, "RTMPose-t (supervised)")
    assert (paper["Params (M)"], paper["MACs (G)"], paper["NME-IO"]) == ("4.33", "0.58", "0.0406")
    assert (ours["Params (M)"], ours["MACs (G)"], ours["n"]) == ("4.33", "0.57", "2")
    runs = [found.errors[f"supervised-t-{seed}"] for seed in (1, 2)]
    mean = sum(run.column("full", found.subsets) for run in runs) / 2
    assert ours["Full"].startswith(f"{mean:.4f} ±")
    assert len(table.rows) == 2 * (28 + 2 + 2)  # the paper's, two of ours alone, two teachers


def test_what_one_side_lacks_is_a_dash() -> None:
    table = table_one(measured(tiny()))
    paper, ours = pair(table, "HourglassNet (supervised)")
    assert paper["Full"] == "0.1646"
    assert {ours[name] for name in table.head[2:]} == {"-"}
    paper, ours = pair(table, "RTMPose-x (supervised)")
    assert (ours["Params (M)"], ours["NME-IO"], ours["n"]) == ("52.54", "-", "-")
    costs = [pair(table, f"RTMPose-{v} (supervised)")[1] for v in "tsmlx"]
    assert [cost["Params (M)"] for cost in costs] == ["4.33", "6.79", "15.54", "30.26", "52.54"]
    assert [cost["MACs (G)"] for cost in costs] == ["0.57", "1.02", "2.71", "5.72", "10.42"]
    paper, ours = pair(table, "MLCM-KD-st (mlcm-kd)")
    assert {paper[name] for name in table.head[2:]} == {"-"}
    assert ours["n"] == "2" and ours["Full"] != "-"
    paper, ours = pair(table, "teacher: RTMPose-s on colour views")
    assert ours["n"] == "1" and "±" not in ours["Full"]


def test_an_arm_is_shown_with_all_its_seeds_or_not_at_all() -> None:
    runs = [run for run in plan(tiny(), PLACE) if run.name != "supervised-t-2"]
    _, ours = pair(table_one(measured(tiny(), runs)), "RTMPose-t (supervised)")
    assert ours["Full"] == "-"


def test_table_three_of_another_pair_stands_below() -> None:
    table = table_three(measured(tiny()))
    paper, ours = pair(table, "Feature Distillation")
    assert (paper["teacher"], paper["NME-IO"], ours["NME-IO"]) == ("RTMPose-m", "0.1353", "-")
    below = [row for row in table.rows if row[1] == "RTMPose-s"]
    assert [row[0] for row in below] == ["Supervised", "Feature Distillation",
        "Logits Distillation", "FD + LD", "DIKD (Ours)", "DIKD, RI towards the other"]  # fmt: skip
    assert "the student's own output" in table.note


def test_table_three_of_the_papers_pair_stands_beside_it() -> None:
    profile = tiny(ablation="mm", rgb_start="")
    table = table_three(measured(profile))
    paper, ours = pair(table, "DIKD (Ours)")
    assert (paper["teacher"], paper["Full"]) == ("RTMPose-m", "0.1594")
    assert ours["Full"] != "-"
    _, supervised = pair(table, "Supervised")
    assert supervised["n"] == "2"
    assert len(table.rows) == 2 * (12 + 2)


def test_table_four() -> None:
    table = table_four(measured(tiny()))
    paper, ours = pair(table, "Baseline + FI")
    assert [paper[head] for head in ("L_fm", "L_lg", "L_kp", "L_fi", "L_ri")] == list("xxxx-")
    assert (paper["NME-IO"], paper["Full"]) == ("0.0392", "-")
    assert ours["n"] == "2" and ours["NME-IO"] != "-" and ours["Full"] != "-"
    assert table.rows[-2][0] == "MLCM-KD, RI towards the teacher"


def test_comparisons_by_seed() -> None:
    found = measured(tiny())
    table = comparisons(found, ablation_claims(found, "iv"))
    rows = {(row[0], row[1], row[2]): dict(zip(table.head, row, strict=True)) for row in table.rows}
    assert len(rows) == 8
    # in the made-up study full comes after the baseline, and is worse
    row = rows["full", "conventional", "NME-IO"]
    assert row["first better in"] == "0 of 2"
    assert float(row["mean difference"]) > 0
    of_seeds = [
        found.errors[f"transfer-st-full-{seed}"].column("tfake", found.subsets)
        - found.errors[f"transfer-st-conventional-{seed}"].column("tfake", found.subsets)
        for seed in (1, 2)
    ]
    assert row["of each seed"] == " ".join(f"{value:+.4f}" for value in of_seeds)


def test_claims_without_their_runs_are_left_out() -> None:
    profile = tiny()
    found = measured(profile, plan(profile, PLACE, ("v",)))
    told = {tuple(row[:2]) for row in comparisons(found, ablation_claims(found, "iv")).rows}
    assert told == {("full", "conventional"), ("forward", "conventional"),
                    ("reverse", "conventional")}  # fmt: skip
    assert len(comparisons(found, ablation_claims(found, "iii")).rows) == 2
    assert comparisons(found, table_one_claims(found)).rows == []


def test_spreads_are_of_every_column() -> None:
    found = measured(tiny())
    assert len(found.spreads(found.arm("full"))) == len(COLUMNS)
    assert found.spreads([]) == found.spreads(["unknown"]) == ()
