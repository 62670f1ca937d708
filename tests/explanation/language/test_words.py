"""Words through the embeddings of their tokens: sums add up, characters stand alone, and nothing is half hidden."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from speakers import SCHEMA, TASK, WORTH, byte_pairs, classifier, points, word_pieces
from torch import Tensor

from fivefold.core.codepoints import decode_texts
from fivefold.core.errors import BadInput, NotMeasurable
from fivefold.explanation import (
    LIME,
    ExactShapley,
    Explainer,
    InputXGradient,
    IntegratedGradients,
    LeverageSHAP,
    Occlusion,
    SmoothGrad,
    explain,
)
from fivefold.explanation.language import WordExplainer
from fivefold.explanation.language.written import told_apart, without, word_of_tokens, written
from fivefold.explanation.output import log_odds
from fivefold.models import CallableModel
from fivefold.models.language import ClassifiesTokens, Tokens
from fivefold.models.language.tokens import tokens_of
from seeding import seeded

MIXED = "a ungoodish film! 好电影。"


@dataclass(frozen=True)
class Linear:
    """A classifier whose log-odds are a sum over tokens; the embedding of a token is its worth."""

    tokenizer: Any
    task: Any = TASK
    schema: Any = SCHEMA
    lineage: Any = ()

    def predict(self, x: Tensor) -> Tensor:
        told = [self.embeddings(self.tokens(text).ids) for text in decode_texts(x)]
        return torch.cat([self.answer(t[None]) for t in told]).detach()

    def with_lineage(self, lineage):
        return replace(self, lineage=lineage)

    def tokens(self, text: str) -> Tokens:
        return tokens_of(self.tokenizer, text)

    def stand_in(self, kind):
        return self.tokenizer.mask_token_id if kind == "mask" else None

    def embeddings(self, ids):
        names = self.tokenizer.convert_ids_to_tokens(ids.tolist())
        return torch.tensor([[WORTH.get(n.removeprefix("##"), 0.0), 1.0] for n in names])

    def answer(self, embedded):
        return torch.stack([torch.zeros(len(embedded)), embedded[..., 0].sum(1)], 1)


def asked(explainer: Explainer, told: str, model: Any = None, **more: Any):
    word = WordExplainer(explainer=explainer, **more)
    return word(model or classifier(), points(told), points(told), rng=seeded())


@pytest.mark.parametrize(
    "explainer", [IntegratedGradients(), InputXGradient(), SmoothGrad(), ExactShapley(), LeverageSHAP(), Occlusion()],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_every_explainer_finds_the_worth_of_each_word(explainer):
    found = asked(explainer, "a ungood film 好坏!", Linear(word_pieces()), hide="mask")
    assert found.names == ("a", "ungood", "film", "好", "坏", "!")
    truth = torch.tensor([0.0, 2.0, 0.25, 1.0, -1.0, 0.0], dtype=torch.float64)
    assert torch.allclose(found.values[0, :, 1], truth, atol=1e-5)
    assert found.is_converged.all()


@pytest.mark.parametrize("hide", ["auto", "mask", "pad", "unk", "zero"])
def test_integrated_gradients_add_up_to_what_the_model_says(hide):
    found = asked(IntegratedGradients(tolerance=1e-4), MIXED, hide=hide)
    assert found.is_converged.all()
    assert float(found.gap.abs().max()) < 1e-3
    said = log_odds(classifier().predict(points(MIXED)))
    assert torch.allclose(found.score, said, atol=1e-4)
    assert found.values.abs().max() > 0.1


def test_the_base_is_the_text_with_every_token_masked():
    found = asked(IntegratedGradients(), MIXED)
    tokens = classifier().tokens(MIXED)
    mask, ends = classifier().tokenizer.mask_token_id, [tokens.ids[0], tokens.ids[-1]]
    hidden = torch.tensor([ends[0], *[mask] * (len(tokens.ids) - 2), ends[1]])
    told = classifier().answer(classifier().embeddings(hidden)[None])
    assert torch.allclose(found.base, log_odds(told).detach(), atol=1e-4)


def test_a_word_is_the_sum_of_its_tokens():
    """The slow twin walks in the embeddings themselves, with many steps at once, and adds tokens up by hand."""
    found = asked(IntegratedGradients(tolerance=1e-5), MIXED)
    model = classifier()
    tokens = model.tokens(MIXED)
    start = model.embeddings(tokens.ids.clone())
    masked = model.embeddings(torch.tensor([model.tokenizer.mask_token_id]))
    inside = torch.tensor([b >= 0 for b, _ in tokens.spans])[:, None]
    away = torch.where(inside, start - masked, 0.0).detach()
    share = (torch.arange(300).float()[:, None, None] + 0.5) / 300
    at = (start.detach() - away * (1 - share)).requires_grad_()
    slopes = torch.autograd.grad(log_odds(model.answer(at))[:, 1].sum(), at)[0]
    shares = (slopes * away).sum(2).mean(0)
    word = word_of_tokens(written(points(MIXED)[0]), tokens)
    assert found.names == ("a", "ungoodish", "film", "!", "好", "电", "影", "。")
    assert (word < 0).sum() == 2  # marks around the text
    truth = torch.stack([shares[word == w].sum() for w in range(8)])
    assert torch.allclose(found.values[0, :, 1].float(), truth, atol=1e-3)


def test_shapley_values_hide_the_same_way_as_gradients():
    exact = asked(ExactShapley(), "good film 坏", hide="mask")
    line = asked(IntegratedGradients(), "good film 坏", hide="mask")
    assert torch.allclose(exact.score, line.score)
    assert torch.allclose(exact.base, line.base)
    assert torch.allclose(exact.values.sum(1), line.values.sum(1), atol=0.05)


def test_characters_of_several_tokens_stay_whole():
    text = written(points("the 电影 is  good")[0])
    tokens = tokens_of(byte_pairs(), text.whole)
    assert len(tokens.ids) > 8
    apart = told_apart(text, tokens)
    assert apart.groups.names == ("the", "电", "影", "is", "good")
    word = word_of_tokens(apart, tokens)
    letters = ["".join({text.whole[a:b] for (a, b), w in zip(tokens.spans, word, strict=True) if w == i}) for i in range(5)]  # fmt: skip
    assert letters[1] == "电"
    assert (word == 1).sum() == 3  # bytes of one character
    assert sorted(word.tolist()) == word.tolist()


def test_words_that_share_a_token_are_one():
    text = written(points("我们 see 电影")[0])
    shared = Tokens(torch.arange(4), ((0, 2), (2, 6), (6, 8), (8, 9)))
    apart = told_apart(text, shared)
    assert apart.groups.names == ("我们", "see", "电", "影")
    assert word_of_tokens(apart, shared).tolist() == [0, 1, 2, 3]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(told=st.text(st.sampled_from("ab c.'好电\n1é🙂"), min_size=1, max_size=24).filter(str.strip))
def test_every_token_belongs_to_one_word_and_none_is_lost(told):
    text = written(points(told)[0])
    tokens = tokens_of(byte_pairs(), text.whole)
    text = told_apart(text, tokens)
    word = word_of_tokens(text, tokens)
    assert word.min() >= 0
    assert word.max() < text.groups.n
    assert "".join(text.pieces) == told
    assert without(text, torch.ones(text.groups.n).bool()) == told


def test_what_lies_behind_the_window_moves_nothing():
    found = asked(IntegratedGradients(), "a " * 30)
    assert found.groups.n == 30
    assert found.values[0, 22:].abs().max() == 0  # 24 tokens, two of them marks around the text
    assert found.values[0, 21].abs().max() > 0


def test_left_out_words_are_asked_as_before():
    plain = explain(classifier(), points("good film"), points(""), "exact", rng=seeded())
    assert torch.equal(asked(ExactShapley(), "good film").values, plain.values)
    assert asked(LIME(budget=64), "good film", hide="delete").values.shape == (1, 2, 2)
    occluded = explain(classifier(), points("good film"), points(""), Occlusion(), rng=seeded())
    fall = log_odds(classifier().predict(points("good film")))
    fall = fall - log_odds(classifier().predict(points("film")))
    assert torch.allclose(occluded.values[0, 0], fall[0], atol=1e-5)


def test_it_is_an_explainer_and_the_model_shows_its_tokens():
    assert isinstance(WordExplainer(), Explainer)
    assert isinstance(classifier(), ClassifiesTokens)
    found = explain(classifier(), points(MIXED), points(""), WordExplainer(), rng=seeded())
    assert found.method == "IntegratedGradients, hide=mask"
    named = explain(classifier(), points(MIXED), points(""), "gradients", rng=seeded())
    assert torch.equal(named.values, found.values)


def test_what_makes_no_sense_is_refused(trained, table):
    box = CallableModel(
        function=lambda x: [[0.5, 0.5]] * len(x), task=TASK, schema=SCHEMA, answers="logits"
    )
    with pytest.raises(NotMeasurable, match="not known"):
        asked(IntegratedGradients(), "good", box)
    with pytest.raises(NotMeasurable, match="left out"):
        asked(IntegratedGradients(), "good", hide="delete")
    with pytest.raises(BadInput, match="no token unk"):
        asked(IntegratedGradients(), "good", Linear(word_pieces()), hide="unk")
    with pytest.raises(BadInput, match="no word"):
        asked(IntegratedGradients(), "  ")
    with pytest.raises(NotMeasurable, match="2 texts"):
        two = points("good").expand(2, -1)
        WordExplainer()(classifier(), two, two, rng=seeded())
    with pytest.raises(NotMeasurable, match="no words"):
        rows = table.splits.test.x[:1]
        WordExplainer()(trained, rows, rows, rng=seeded())


def test_a_model_that_answers_otherwise_from_embeddings_is_not_explained():
    class Shifted(Linear):
        def answer(self, embedded):
            return Linear.answer(self, embedded) + torch.tensor(
                [0.0, float(embedded.requires_grad) + 1]
            )

        def predict(self, x):
            return Linear.predict(self, x) * 0

    with pytest.raises(NotMeasurable, match="otherwise"):
        asked(IntegratedGradients(), "good", Shifted(word_pieces()))
