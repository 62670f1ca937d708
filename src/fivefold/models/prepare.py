"""Preparation of inputs as the first layer of a network, so that a model eats the user's own columns."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fivefold.core.schema import Schema


class PrepareTable(nn.Module):
    """Scale numbers, spread categories, mark missing values.

    In: `(batch, columns)` as the schema has them. Out: `(batch, width)`: one value per number, one
    indicator per category, and one indicator per column that may be missing. Differentiable in the
    numbers. The statistics are the schema's, and are saved with the model as buffers.
    """

    center: Tensor
    scale: Tensor
    number: Tensor
    optional: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.schema = schema
        columns = list(enumerate(schema.columns))
        self.sizes = tuple((i, len(c.categories)) for i, c in columns if c.is_category)
        numbers = [i for i, c in columns if not c.is_category]
        center = [schema.columns[i].center for i in numbers]
        scale = [schema.columns[i].scale for i in numbers]
        self.register_buffer("number", torch.tensor(numbers, dtype=torch.int64))
        self.register_buffer("center", torch.tensor(center, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        optional = [i for i, c in columns if c.is_optional]
        self.register_buffer("optional", torch.tensor(optional, dtype=torch.int64))

    @property
    def width(self) -> int:
        """Number of values it puts out."""
        return len(self.number) + sum(n for _, n in self.sizes) + len(self.optional)

    def forward(self, x: Float[Tensor, "batch columns"]) -> Float[Tensor, "batch width"]:
        """Return what the first layer reads. A missing number becomes the centre."""
        numbers = (x[:, self.number] - self.center) / self.scale
        parts = [torch.where(numbers.isnan(), torch.zeros_like(numbers), numbers)]
        for i, size in self.sizes:
            parts.append((x[:, i, None] == torch.arange(size, device=x.device)).to(x.dtype))
        parts.append(x[:, self.optional].isnan().to(x.dtype))
        return torch.cat(parts, dim=1)


class PrepareImage(nn.Module):
    """Move pixels from [0, 1] to [-1, 1]."""

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "..."]:
        """Return the shifted pixels."""
        return x * 2 - 1
