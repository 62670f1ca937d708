"""Why this answer: known truths, sums over tokens, differences, and refusals."""

from itertools import pairwise

import pytest
import torch
from speakers import WORTH, Adds, generator

from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation import ExactShapley, IntegratedGradients, LeverageSHAP, Occlusion
from fivefold.explanation.language import AnswerExplainer, Prompt, explain_answer
from seeding import seeded

PROMPT = "a good film, a bad 坏 film"
NAMES = ("a", "good", "film", ",", "a", "bad", "坏", "film")
TRUTH = torch.tensor([WORTH.get(n, 0.0) for n in NAMES], dtype=torch.float64)


@pytest.mark.parametrize("explainer", [ExactShapley(), LeverageSHAP(budget=100), Occlusion()], ids=lambda e: type(e).__name__)  # fmt: skip
def test_sums_over_words_are_found_for_every_token(explainer):
    found = AnswerExplainer(explainer=explainer)(Adds(), PROMPT, "yes", rng=seeded())
    assert found.names == NAMES
    assert found.outputs == ("y", "e", "s")
    truth = TRUTH[:, None] * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert torch.allclose(found.values[0], truth, atol=1e-9)
    assert found.base[0].tolist() == pytest.approx([-1.0, -2.0, -3.0])
    assert str(found.unit) == "nats of log-probability"


def test_an_answer_is_the_sum_of_its_tokens_and_a_contrast_a_difference():
    ask = AnswerExplainer(explainer=ExactShapley())
    whole = AnswerExplainer(explainer=ExactShapley(), each_token=False)
    for model, prompt in ((Adds(), PROMPT), (generator(), "the 电影")):
        tokens = ask(model, prompt, " yes", rng=seeded())
        one = whole(model, prompt, " yes", rng=seeded())
        other = whole(model, prompt, " no", rng=seeded())
        against = ask(model, prompt, " yes", instead=" no", rng=seeded())
        assert one.outputs == ("yes",)
        assert against.outputs == ("yes rather than no",)
        assert torch.allclose(tokens.values.sum(2), one.values[..., 0], atol=1e-6)
        assert torch.allclose(against.values, one.values - other.values, atol=1e-6)
        assert torch.allclose(against.score, one.score - other.score, atol=1e-6)


@pytest.mark.parametrize("hide", ["auto", "zero"])
@pytest.mark.parametrize("prompt", ["the film is good, the film is", "好的电影 is"])
def test_gradients_of_every_token_add_up(prompt, hide):
    ask = AnswerExplainer(explainer=IntegratedGradients(tolerance=1e-3), hide=hide)
    found = ask(generator(), prompt, " good 好", rng=seeded())
    assert found.is_converged.all()
    assert float(found.gap.abs().max()) < 5e-3
    said = generator().log_probabilities([prompt], " good 好")
    assert torch.allclose(found.score, said, atol=1e-4)
    assert found.values.shape == (1, found.groups.n, said.shape[1])
    assert len(set(found.outputs)) == len(found.outputs)


def test_many_sets_are_asked_as_one_by_one():
    prompt = "the good 电影 is"
    found = AnswerExplainer(explainer=ExactShapley())(generator(), prompt, " bad", rng=seeded())
    left = [
        prompt,
        "good 电影 is",
        "the 电影 is",
        "the good 影 is",
        "the good 电is",
        "the good 电影",
    ]
    alone = [generator().log_probabilities([p], " bad")[0] for p in left]
    fall = AnswerExplainer(explainer=Occlusion())(generator(), prompt, " bad", rng=seeded())
    assert found.names == ("the", "good", "电", "影", "is")
    for word, without in enumerate(alone[1:]):
        assert torch.allclose(fall.values[0, word], alone[0] - without, atol=1e-5)
    assert torch.allclose(found.values.sum(1), found.score - found.base)


def test_what_always_stays_is_no_feature():
    whole = Prompt("good film", before="User: ", after="\nBot:")
    asked: list[str] = []

    class Hears(Adds):
        def log_probabilities(self, prompts, answer):
            asked.extend(prompts)
            return Adds.log_probabilities(self, prompts, answer)

    found = AnswerExplainer(explainer=ExactShapley())(Hears(), whole, "y", rng=seeded())
    assert found.names == ("good", "film")
    assert "User: good film\nBot:" in asked
    assert "User: film\nBot:" in asked
    assert all(a.startswith("User: ") and a.endswith("\nBot:") for a in asked)
    line = AnswerExplainer(explainer=IntegratedGradients())
    told = line(generator(), whole, " good", rng=seeded())
    assert told.names == ("good", "film")
    said = generator().log_probabilities(["User: good film\nBot:"], " good")
    assert torch.allclose(told.score, said, atol=1e-4)


def test_no_prompt_ends_in_a_space_that_was_inside():
    asked: list[str] = []

    class Hears(Adds):
        def log_probabilities(self, prompts, answer):
            asked.extend(prompts)
            return Adds.log_probabilities(self, prompts, answer)

    AnswerExplainer(explainer=ExactShapley())(Hears(), "a good film", "y", rng=seeded())
    assert {"a good film", "a good", "good film", "film", ""} <= set(asked)
    assert not any(a.endswith(" ") for a in asked)


def test_it_says_which_way_it_took_and_why():
    few = explain_answer(generator(), "the film is", " good", rng=seeded())
    assert "8 sets of 3 words" in str(few.reason)
    many = explain_answer(generator(), "the film is good " * 3, " good", rng=seeded())
    assert many.method.startswith("IntegratedGradients")
    closed = explain_answer(Adds(), "good " * 11, "yes", rng=seeded())
    assert "1024 sampled" in str(closed.reason)
    assert torch.allclose(closed.values[0, :, 0], torch.full((11,), 2.0, dtype=torch.float64))


def test_what_makes_no_sense_is_refused():
    ask = AnswerExplainer(explainer=ExactShapley())
    for answer, instead in (("", ""), ("yes", "yes"), ("", "no")):
        with pytest.raises(BadInput, match="empty"):
            ask(generator(), "good", answer, instead=instead, rng=seeded())
    for prompt in ("", "  \n"):
        with pytest.raises(BadInput, match="no word"):
            ask(generator(), prompt, " good", rng=seeded())
    long = "the film is " * 30
    for explainer in (LeverageSHAP(), IntegratedGradients()):
        with pytest.raises(BadInput, match="reads 64"):
            AnswerExplainer(explainer=explainer)(generator(), long, " good", rng=seeded())
    with pytest.raises(NotMeasurable, match="not known"):
        AnswerExplainer(explainer=IntegratedGradients())(Adds(), "good", "yes", rng=seeded())


def test_the_same_seed_gives_the_same_and_nothing_else_is_touched():
    before = torch.random.get_rng_state()
    ask = AnswerExplainer(explainer=LeverageSHAP(budget=20))
    found = [ask(generator(), "the film is good 好 a", " bad", rng=seeded(3)) for _ in range(2)]
    assert all(torch.equal(a.values, b.values) for a, b in pairwise(found))
    assert torch.equal(before, torch.random.get_rng_state())
