"""What a network for images needs to know of its inputs."""

from fivefold.core.errors import BadInput
from fivefold.core.schema import Schema


def image_shape(schema: Schema, wanted_by: str) -> tuple[int, int, int]:
    """Return channels, height and width.

    Raises:
        BadInput: The inputs are not images.
    """
    if schema.is_table or len(schema.shape) != 3:
        raise BadInput(
            "{model} reads images of channels, height and width, and these inputs have the shape {shape}.",
            mend="Use models.MLP for tables.",
            model=wanted_by,
            shape=str(schema.shape),
        )
    channels, height, width = schema.shape
    return channels, height, width
