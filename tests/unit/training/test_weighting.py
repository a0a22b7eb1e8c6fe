import pytest
import torch

from training.weighting import Terms, constant, decaying, distillation_decay, total

TERMS = Terms(task={"keypoints": torch.tensor(2.0)}, distill={"feature": torch.tensor(3.0)})
WEIGHTS = {"keypoints": 0.1, "feature": 1e-3}


@pytest.mark.parametrize("epoch", range(1, 21))
def test_equation_7(epoch: int) -> None:
    epochs, alpha = 20, 4
    expected = 1 - (epoch - alpha) / epochs if epoch > alpha else 1.0
    assert distillation_decay(epoch / epochs, alpha / epochs) == pytest.approx(expected)


def test_a_warm_up_of_the_whole_run_never_fades() -> None:
    assert distillation_decay(1.0, 1.0) == 1.0
    assert distillation_decay(1.0, 0.0) == 0.0


def test_equations_8_and_9_fade_the_teacher_alone() -> None:
    weigh = decaying(WEIGHTS, warmup=0.1)
    for progress, gamma in ((0.05, 1.0), (0.6, 0.5), (1.0, 0.1)):
        loss = total(TERMS, weigh(TERMS, progress))
        assert float(loss) == pytest.approx(0.1 * 2 + gamma * 1e-3 * 3)


def test_without_a_teacher_nothing_fades() -> None:
    terms = Terms(task=TERMS.task)
    assert decaying({"keypoints": 0.1}, 0.1)(terms, 0.9) == {"keypoints": 0.1}


def test_what_weighs_nothing_may_be_missing() -> None:
    weigh = constant({**WEIGHTS, "logits": 0.0})
    assert weigh(TERMS, 0.5) == WEIGHTS
    with pytest.raises(ValueError, match="logits"):
        constant({**WEIGHTS, "logits": 0.1})(TERMS, 0.5)
    with pytest.raises(ValueError, match="feature"):
        constant({"keypoints": 0.1})(TERMS, 0.5)
