"""Follow every weight through a forward pass, without touching anything."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fivefold.training.private.layout import Key, Seen


def entered(function: Any) -> FunctionType:
    """Return a copy of a function of `torch.nn.functional` that does not offer itself to a mode.

    What it calls is then seen, instead of the function as a whole.
    """
    names = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
    known = vars(F) | dict.fromkeys(names, lambda *_: False)
    copy = FunctionType(function.__code__, known, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


ENTERED = {F.multi_head_attention_forward: entered(F.multi_head_attention_forward)}


class Watch(TorchFunctionMode):
    """Notes the tensors of every call that depends on a weight."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in weights.items()}
        self.kept: list[Any] = [*weights.values()]
        self.count: Counter[str] = Counter()
        self.calls: dict[Key, Seen] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run `func`; note it if a weight has a part in it."""
        kwargs = kwargs or {}
        if func in ENTERED:
            with self:
                return ENTERED[func](*args, **kwargs)
        given = [*tensors((args, kwargs))]
        names = [*dict.fromkeys(self.names[id(t)] for t in given if id(t) in self.names)]
        out = func(*args, **kwargs)
        if names:
            self._note(func.__name__, names, given, [*tensors(out)])
        return out

    def _note(self, call: str, names: list[str], given: list[Tensor], made: list[Tensor]) -> None:
        for name in names:
            if made:
                self.calls[name, call, self.count[name]] = Seen(
                    [t.detach() for t in given], [t.detach() for t in made]
                )
        origin = f"{names[0]}/{call}{self.count[names[0]]}"
        for i, tensor in enumerate(made):
            self.names.setdefault(id(tensor), f"{origin}.{i}")
        self.count.update(names)
        self.kept.append((given, made))


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in arguments or results, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)
