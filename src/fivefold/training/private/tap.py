"""Run a forward pass so that its backward pass tells how each weight was used (Bu et al., 2023).

Weights are known by identity, so no layer is wrapped and a weight may be used anywhere and often. They are
handed on detached: the ordinary gradient, summed over the batch, is never computed. Whatever still reaches a
weight's `.grad` has gone a way that was not seen, and is an error.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from fivefold.training.private.kinds import Use
from fivefold.training.private.layout import Key, Layout, Place
from fivefold.training.private.untracked import not_separate, untracked
from fivefold.training.private.watch import ENTERED, tensors

Rule: TypeAlias = "Callable[[Tap, Call], Any]"


@dataclass(eq=False, slots=True)
class Tracked:
    """A weight, or what was made of weights alone.

    Attributes:
        name: The weight's, or how it was made.
        tensor: What the network's code holds.
        graph: The same numbers, with their way back to the weights.
        uses: What the backward pass has told.
    """

    name: str
    tensor: Tensor
    graph: Tensor
    uses: list[Use] = field(default_factory=list[Use])


@dataclass(eq=False, slots=True)
class Call:
    """A function about to be called with weights.

    Attributes:
        function: It.
        args: Its arguments by place.
        kwargs: Its arguments by name.
        owners: The weights among them.
        key: What this call is known by.
    """

    function: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    owners: Sequence[Tracked]
    key: Key

    def bound(self, *names: str) -> list[Any]:
        """Return the arguments called `names`, None where one is not given."""
        if len(self.args) == len(names) and not self.kwargs:
            return [*self.args]
        placed = dict(zip(names, self.args, strict=False))
        if len(self.args) > len(names) or self.kwargs.keys() - set(names):
            raise self.unknown()
        return [placed.get(name, self.kwargs.get(name)) for name in names]

    def owner(self, tensor: Any) -> Tracked | None:
        """Return the weight that `tensor` is, if it is one."""
        for owner in self.owners:
            if owner.tensor is tensor:
                return owner
        return None

    def expected(self, *owners: Tracked | None) -> None:
        """Check that no weight stands where none is understood."""
        for owner in self.owners:
            if owner not in owners:
                raise self.unknown()

    def replaced(self, by: Mapping[int, Tensor]) -> Any:
        """Call the function with some tensors replaced, by identity."""
        return self.function(*_swapped(list(self.args), by), **_swapped(dict(self.kwargs), by))

    def unknown(self) -> Exception:
        """Return the error for a use that is not understood."""
        return untracked(self.key[1], self.owners[0].name)


class Tap(TorchFunctionMode):
    """Sees every call that has a weight among its arguments."""

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        layout: Layout,
        size: int,
        rules: Mapping[Any, Rule],
    ) -> None:
        super().__init__()
        self.tracked = {id(w): Tracked(name, w, w) for name, w in weights.items()}
        self.layout, self.size, self.rules = layout, size, rules
        self.is_backward = False
        self.count: Counter[str] = Counter()
        self.gate = torch.zeros((), requires_grad=True)
        self.hooks: list[RemovableHandle] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run `func`, or the rule for it if a weight has a part in it."""
        kwargs = kwargs or {}
        if func in ENTERED:
            with self:
                return ENTERED[func](*args, **kwargs)
        if func in INNER and kwargs.get("create_graph"):
            raise not_separate("a gradient inside the loss")
        owners = self._owners(args, kwargs)
        return self._use(func, args, kwargs, owners) if owners else func(*args, **kwargs)

    def tap(
        self, y: Tensor, record: Callable[[Tensor], None], saved: Tensor | None = None
    ) -> Tensor:
        """Return `y`, whose gradient will be given to `record`; `saved` may not be changed until then."""
        if not torch.is_grad_enabled():
            return y
        version = _version(saved)

        def hook(slope: Tensor) -> None:
            if not self.is_backward:
                return
            if _version(saved) != version:
                raise not_separate("a tensor that was changed in place after a layer had read it")
            record(slope)

        if not y.requires_grad:
            y = _Gate.apply(y, self.gate)
        self.hooks.append(y.register_hook(hook))
        return y

    def let_go(self) -> None:
        """Take the hooks away: one that holds what its own layer made would keep the whole graph alive."""
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()

    def place(self, call: Call) -> Place:
        """Return where the examples are in what `call` makes."""
        place = self.layout.made(call.key)
        if place is None:
            raise call.unknown()
        return place

    def _owners(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tracked]:
        flat: list[Tracked] = []
        for a in (*args, *kwargs.values()) if kwargs else args:
            found = self.tracked.get(id(a))
            if found is not None:
                flat.append(found)
            elif isinstance(a, list | tuple):
                flat += [self.tracked[id(t)] for t in tensors(a) if id(t) in self.tracked]
        return [*dict.fromkeys(flat)] if len(flat) > 1 else flat

    def _use(self, func: Any, args: Any, kwargs: Any, owners: list[Tracked]) -> Any:
        name, title = owners[0].name, func.__name__
        call = Call(func, args, kwargs, owners, (name, title, self.count[name]))
        for owner in owners:
            self.count[owner.name] += 1
        rule = self.rules.get(func) or self.rules.get(title)
        if rule is not None and self.layout.made(call.key) is not None:
            return rule(self, call)
        return self._derived(call)

    def _derived(self, call: Call) -> Any:
        """Call with weights and constants alone; what comes out is as good as a weight."""
        out = call.replaced({id(o.tensor): o.graph for o in call.owners})
        made = [*tensors(out)]
        if not any(t.requires_grad for t in made):
            return out  # a size, a type, a detached copy
        given = [t for t in tensors((call.args, call.kwargs)) if id(t) not in self.tracked]
        places = [self.layout.made(call.key, i) for i in range(len(made))]
        if any(t.requires_grad for t in given) or any(p is not None for p in places):
            raise call.unknown()
        same = {id(o.graph): o.tensor for o in call.owners}
        origin = f"{call.key[0]}/{call.key[1]}{call.key[2]}"
        held: dict[int, Tensor] = {}
        for i, graph in enumerate(made):
            held[id(graph)] = same.get(id(graph), graph.detach())
            plain = held[id(graph)]
            self.tracked.setdefault(id(plain), Tracked(f"{origin}.{i}", plain, graph))
        return _swapped(out, held)


class _Gate(torch.autograd.Function):
    """Makes a tensor that needs no gradient ask for one."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, gate: Tensor) -> Tensor:
        ctx.mark_dirty(y)
        return y

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[None, None]:
        return None, None


INNER = (torch.autograd.grad, torch.autograd.backward, Tensor.backward)


def _swapped(value: Any, by: Mapping[int, Tensor]) -> Any:
    if isinstance(value, Tensor):
        return by.get(id(value), value)
    if isinstance(value, dict):
        return {k: _swapped(v, by) for k, v in value.items()}
    if isinstance(value, list):
        return [_swapped(v, by) for v in value]
    if isinstance(value, tuple) and not isinstance(value, torch.Size):
        return tuple(_swapped(v, by) for v in value)
    return value


def _version(tensor: Tensor | None) -> int:
    return -1 if tensor is None else tensor._version
