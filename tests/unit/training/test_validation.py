import math

from training.validation import error_of


def test_one_number_to_compare_validations_by() -> None:
    assert error_of({"nme_box_mean": 0.2, "nme_io_mean": 0.5}) == 0.2
    assert error_of({"ap": 0.75, "recall": 0.9}) == 0.25
    assert error_of({"nme_box_mean": math.nan}) == math.inf
    assert error_of({}) == math.inf  # no finite landmark at all
