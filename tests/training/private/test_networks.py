"""Whole networks, and the cases in which other engines fail or are quietly wrong."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fivefold.core.data import Batch
from fivefold.core.loss import cross_entropy
from onebyone import Net, check, clipped, distance, each, engine_sum, trainable
from seeding import seeded


def ids(n, length, vocabulary, seed=0):
    return torch.randint(vocabulary, (n, length), generator=seeded(seed))


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def filled(net, seed=0, scale=0.4):
    own = seeded(seed)
    with torch.no_grad():
        for p in net.double().parameters():
            p.copy_(torch.randn(p.shape, generator=own, dtype=torch.float64) * scale)
    return net


def language_model(run):
    net = Net(run, e=nn.Embedding(20, 8), m=nn.Linear(8, 8), h=nn.Linear(8, 20, bias=False))
    net.h.weight = net.e.weight
    return filled(net)


def next_token(forward, batch):
    """The mean over positions of an example's own losses."""
    scores = forward(batch.x)[:, :-1]
    return F.cross_entropy(scores.transpose(1, 2), batch.x[:, 1:], reduction="none").mean(1)


def test_tied_weights_count_the_terms_between_both_uses():
    """Overwriting one norm by the other, as one engine does, makes the sum exceed the bound."""
    net = language_model(lambda s, x: s.h(torch.tanh(s.m(s.e(x))).mean(1)))
    check(net, Batch(ids(6, 5, 20), ids(6, 1, 20)[:, 0]))


def test_tied_weights_of_a_sequence_model():
    net = language_model(lambda s, x: s.h(torch.tanh(s.m(s.e(x)))))
    check(net, Batch(ids(6, 5, 20), torch.zeros(6).long()), next_token)


def test_tied_to_a_turned_matrix_product():
    net = language_model(lambda s, x: torch.tanh(s.m(s.e(x))).mean(1) @ s.e.weight.T)
    check(net, Batch(ids(6, 5, 20), ids(6, 1, 20)[:, 0]))


def test_a_layer_called_twice():
    net = Net(
        lambda s, x: s.b(torch.tanh(s.a(torch.tanh(s.a(x))))), a=nn.Linear(6, 6), b=nn.Linear(6, 4)
    )
    check(filled(net), Batch(numbers(6, 6), ids(6, 1, 4)[:, 0]))


def test_a_convolution_and_an_embedding_used_twice():
    net = Net(
        lambda s, x: s.b(torch.tanh(s.c(torch.tanh(s.c((s.e(x) + s.e(x.flip(1))).mT)))).mean(2)),
        e=nn.Embedding(9, 4), c=nn.Conv1d(4, 4, 3, padding=1), b=nn.Linear(4, 3),
    )  # fmt: skip
    check(filled(net), Batch(ids(6, 5, 9), ids(6, 1, 3)[:, 0]))


def test_one_weight_in_layers_of_different_kinds():
    net = Net(
        lambda s, x: s.b(torch.tanh(F.conv1d(x.mT, s.w[..., None])).mean(2) + s.n(x @ s.w).sum(1)),
        w=nn.Parameter(torch.zeros(4, 4)), n=nn.LayerNorm(4), b=nn.Linear(4, 3),
    )  # fmt: skip
    check(filled(net), Batch(numbers(6, 5, 4), ids(6, 1, 3)[:, 0]))


def test_depthwise_convolution():
    net = Net(
        lambda s, x: s.b(torch.relu(s.c(x)).mean((2, 3))),
        c=nn.Conv2d(8, 8, 3, groups=8, padding=1), b=nn.Linear(8, 4),
    )  # fmt: skip
    check(filled(net), Batch(numbers(6, 8, 5, 5), ids(6, 1, 4)[:, 0]))


@pytest.mark.parametrize("index", [torch.arange(6)[None], torch.arange(6)], ids=["axis", "none"])
def test_positions_shared_by_the_batch(index):
    """With as many tokens as examples, so that the shape alone does not tell."""
    net = Net(
        lambda s, x: s.b((s.e(x) + s.p(index)).pow(2).mean(1)),
        e=nn.Embedding(20, 8), p=nn.Embedding(6, 8), b=nn.Linear(8, 4),
    )  # fmt: skip
    check(filled(net), Batch(ids(6, 6, 20), ids(6, 1, 4)[:, 0]))


def test_a_batch_as_large_as_the_sequence_after_one_that_was_not():
    """What was learned of the layout at one size holds at every other."""
    from fivefold.training.private.clipping import Flat
    from fivefold.training.private.engine import Engine

    net = filled(Net(
        lambda s, x: s.b(s.m(*(3 * [(s.e(x) + s.p(torch.arange(6))).transpose(0, 1)]))[0].sum(0)),
        e=nn.Embedding(20, 8), p=nn.Embedding(6, 8), b=nn.Linear(8, 4), m=nn.MultiheadAttention(8, 2),
    ))  # fmt: skip
    engine = Engine(method="together", n_batches=100)
    for n in (5, 1, 2, 6, 12, 3):
        batch = Batch(ids(n, 6, 20, seed=n), ids(n, 1, 4)[:, 0])
        found = engine.total(net, batch, cross_entropy, Flat(), 0.5)
        assert distance(found, clipped(each(net, batch), 0.5)) < 1e-8


def adapted(rank=2):
    """A frozen layer with an adapter beside it (LoRA)."""
    return Net(
        lambda s, x: s.b(torch.tanh(s.w(x) + s.up(s.down(x))).mean(1)),
        w=nn.Linear(6, 8).requires_grad_(False), down=nn.Linear(6, rank, bias=False),
        up=nn.Linear(rank, 8, bias=False), b=nn.Linear(8, 4).requires_grad_(False),
    )  # fmt: skip


def test_adapters_beside_frozen_layers():
    net = filled(adapted())
    batch = Batch(numbers(6, 5, 6), ids(6, 1, 4)[:, 0])
    check(net, batch)
    assert engine_sum(net, batch).keys() == {"down.weight", "up.weight"}


def test_adapters_merged_into_the_weight():
    net = filled(Net(
        lambda s, x: s.b(torch.tanh(F.linear(x, s.w + s.up @ s.down)).mean(1)),
        w=nn.Parameter(torch.zeros(8, 6), requires_grad=False), b=nn.Linear(8, 4),
        up=nn.Parameter(torch.zeros(8, 2)), down=nn.Parameter(torch.zeros(2, 6)),
    ))  # fmt: skip
    check(net, Batch(numbers(6, 5, 6), ids(6, 1, 4)[:, 0]))


@pytest.mark.parametrize("kept", ["weight", "bias"])
def test_a_layer_of_which_a_part_is_frozen(kept):
    layers = {"a": nn.Linear(4, 5), "n": nn.LayerNorm(5), "b": nn.Linear(5, 3)}
    net = filled(Net(lambda s, x: s.b(s.n(torch.tanh(s.a(x)))), **layers))
    for name, p in net.named_parameters():
        p.requires_grad_(name.endswith(kept))
    check(net, Batch(numbers(6, 4), ids(6, 1, 3)[:, 0]))


def test_a_weight_that_is_not_used_gets_nothing():
    net = filled(Net(lambda s, x: s.b(x), b=nn.Linear(4, 3), a=nn.Linear(4, 3)))
    found = engine_sum(net, Batch(numbers(6, 4), ids(6, 1, 3)[:, 0]))
    assert found.keys() == trainable(net).keys()
    assert not found["a.weight"].any()


def test_weights_that_are_computed_from_others():
    net = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)), nn.Tanh(),
        nn.utils.parametrizations.orthogonal(nn.Linear(5, 5)), nn.Linear(5, 3),
    )  # fmt: skip
    batch = Batch(numbers(6, 4), ids(6, 1, 3)[:, 0])
    check(net.double(), batch, rel=1e-8)


def test_a_penalty_on_the_weights_in_the_loss():
    net = filled(nn.Linear(4, 3))

    def decayed(forward, batch):
        return cross_entropy(forward, batch) + 0.1 * net.weight.square().sum()

    check(net, Batch(numbers(6, 4), ids(6, 1, 3)[:, 0]), decayed)


def test_adversarial_training():
    """A loss that looks for the worst inputs first, with gradients of its own."""
    net = filled(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)))

    def worst(forward, batch):
        x = batch.x.clone().requires_grad_()
        slope = torch.autograd.grad(cross_entropy(forward, Batch(x, batch.y)).sum(), x)[0]
        return cross_entropy(forward, Batch(batch.x + 0.1 * slope.sign(), batch.y))

    check(net, Batch(numbers(6, 4), ids(6, 1, 3)[:, 0]), worst)


def test_transformer_layers_of_torch():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    decoder = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    net = Net(lambda s, x: s.b(s.d(x, s.a(x)).mean(1)), a=layer, d=decoder, b=nn.Linear(8, 4))
    check(filled(net), Batch(numbers(6, 5, 8), ids(6, 1, 4)[:, 0]))


def hugging_face(kind):
    transformers = pytest.importorskip("transformers")
    small = {
        "BertConfig": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
        "GPT2Config": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16},
        "LlamaConfig": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    }[kind]  # fmt: skip
    return transformers, getattr(transformers, kind)(vocab_size=40, pad_token_id=0, **small)


def test_bert():
    transformers, config = hugging_face("BertConfig")
    config.num_labels = 3
    model = transformers.BertForSequenceClassification(config).eval()
    net = Net(lambda s, x: s.m(input_ids=x).logits, m=model)
    check(filled(net, scale=0.2), Batch(ids(6, 6, 40), ids(6, 1, 3)[:, 0]), rel=1e-8)


def test_bert_while_it_drops_out():
    """Random while it trains, so it is checked as it predicts."""
    transformers, config = hugging_face("BertConfig")
    config.num_labels = 3
    model = transformers.BertForSequenceClassification(config).train()
    net = filled(Net(lambda s, x: s.m(input_ids=x).logits, m=model), scale=0.2)
    found = engine_sum(net, Batch(ids(6, 6, 40), ids(6, 1, 3)[:, 0]))
    assert model.training
    assert 0 < float(torch.stack([g.norm() for g in found.values()]).norm()) <= 6 * 0.5


@pytest.mark.parametrize("kind, name", [("GPT2Config", "GPT2LMHeadModel"), ("LlamaConfig", "LlamaForCausalLM")])  # fmt: skip
def test_language_models(kind, name):
    transformers, config = hugging_face(kind)
    net = Net(lambda s, x: s.m(input_ids=x).logits, m=getattr(transformers, name)(config).eval())
    check(filled(net, scale=0.2), Batch(ids(5, 5, 40), torch.zeros(5).long()), next_token, rel=1e-8)
