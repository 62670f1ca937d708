"""Dynamic int8 quantization (Jacob et al., 2018): weights once, inputs as they come."""

from copy import deepcopy
from dataclasses import dataclass

from torch import Generator, nn

from fivefold.core.data import Seen
from fivefold.core.errors import NotMeasurable
from fivefold.core.lineage import Claim
from fivefold.core.model import HasNet, Model, with_net
from fivefold.core.step import Step
from fivefold.models.int8 import Int8Linear


@dataclass(frozen=True, kw_only=True)
class Quantize(Step):
    """Store the weights of linear layers as int8, a quarter of the bytes, and multiply in integers.

    It needs no data: the ranges of inputs are found anew in each call. Convolutions, normalisation
    and biases stay float, because integer convolutions need calibration data. The result cannot be
    trained further; its gradient with respect to inputs is that of the dequantised weights, so that
    attacks and explanations still work. Narrow layers and single examples gain bytes but no time: finding
    the ranges costs more than the smaller products save, and `Latency` shows it.
    """

    def claim(self, n_examples: int) -> Claim:
        """Say that no data is read."""
        return Claim(reads_data=False)

    def __call__(self, model: Model, seen: Seen, *, rng: Generator) -> HasNet:
        """Return the quantized model.

        Raises:
            NotMeasurable: The model is a black box, or has no linear layer that is not int8 already.
        """
        model = with_net(model, self)
        return model.with_net(quantized(model.net))


def quantized(net: nn.Module) -> nn.Module:
    """Return a copy of `net` with int8 layers in place of its linear ones.

    Raises:
        NotMeasurable: There are none.
    """
    small = deepcopy(net)
    names = [name for name, layer in small.named_modules() if type(layer) is nn.Linear]
    if not names:
        raise NotMeasurable(
            "Quantize found no linear layer that is not int8 already.",
            mend="Convolutions stay float; use efficiency.Prune or efficiency.Distill.",
        )
    if isinstance(small, nn.Linear):
        return Int8Linear.from_linear(small).eval()
    for name in names:
        parent, _, child = name.rpartition(".")
        layer = small.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        setattr(small.get_submodule(parent), child, Int8Linear.from_linear(layer))
    return small.eval()
