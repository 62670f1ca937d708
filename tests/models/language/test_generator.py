"""A causal language model: the library's own probabilities, whatever is asked together, and clear refusals."""

import pytest
import torch
from speakers import byte_pairs, generator, word_pieces

from fivefold.core.errors import BadInput, Damaged
from fivefold.models.language import (
    ContinuesTokens,
    Generates,
    TextGenerator,
    open_generator,
)

PROMPTS = ["the film is", "a good film is", "好 film", "", "the film is"]


@torch.no_grad()
def by_hand(prompt: str, answer: str) -> list[float]:
    """Read the text token by token and look up the next one; bytes of one character count together."""
    model, tokenizer = generator(), byte_pairs()
    read = tokenizer(prompt)["input_ids"] or [tokenizer.eos_token_id]
    found: dict[tuple[int, int], float] = {}
    told = tokenizer(answer, return_offsets_mapping=True)
    for token, span in zip(told["input_ids"], told["offset_mapping"], strict=True):
        logits = model.network(input_ids=torch.tensor([read])).logits[0, -1].double()
        found[span] = found.get(span, 0.0) + float(logits.log_softmax(-1)[token])
        read = [*read, token]
    return list(found.values())


@pytest.mark.parametrize("answer", [" good", " 好", "bad film"])
def test_log_probabilities_are_those_of_reading_token_by_token(answer):
    told = generator().log_probabilities(PROMPTS, answer)
    for prompt, row in zip(PROMPTS, told, strict=True):
        assert row.tolist() == pytest.approx(by_hand(prompt, answer), abs=1e-5)
    assert told.std() > 1e-2


def test_embeddings_say_the_same_as_tokens():
    model = generator()
    tokens = model.tokens(PROMPTS[1])
    told = model.continued(model.embeddings(tokens.ids)[None], " good")
    assert torch.allclose(told, model.log_probabilities([PROMPTS[1]], " good"), atol=1e-5)
    assert told.requires_grad


def test_it_shows_what_its_protocols_ask_for():
    assert isinstance(generator(), Generates)
    assert isinstance(generator(), ContinuesTokens)


def test_pieces_are_parts_of_the_answer():
    assert "".join(generator().pieces(" good film")) == " good film"
    assert len(byte_pairs()(" 好")["input_ids"]) == 4  # a space and three bytes
    assert generator().pieces(" 好") == (" ", "好")


def test_what_cannot_be_asked_is_refused():
    model = generator()
    with pytest.raises(BadInput, match="empty"):
        model.log_probabilities(["the"], "")
    with pytest.raises(BadInput, match="reads 64"):
        model.log_probabilities(["the film is good" * 30], " good")
    unknowing = TextGenerator(network=model.network, tokenizer=word_pieces())
    with pytest.raises(BadInput, match="cannot write"):
        unknowing.pieces("zebra")
    assert unknowing.pieces("unknown good"[-4:]) == ("good",)


def test_a_folder_is_opened_without_code_and_pickles(tmp_path):
    generator().network.save_pretrained(tmp_path)
    byte_pairs().save_pretrained(tmp_path)
    opened = open_generator(tmp_path)
    told = opened.log_probabilities(PROMPTS, " good")
    assert torch.allclose(told, generator().log_probabilities(PROMPTS, " good"))
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(Damaged, match="pickled"):
        open_generator(tmp_path)
