"""The pictures of a page, kept within its budget."""

from typing import Any

from markupsafe import Markup

from fivefold.report.chart import Spec, svg
from fivefold.report.templating import safe_json

MOST_STILL_BYTES = 700_000  # of images for readers without JavaScript
MOST_DATA_BYTES = 600_000


class Album:
    """The pictures of a page, in the order in which they were put in.

    Attributes:
        data: Their specifications, without what all of them share.
    """

    def __init__(self) -> None:
        self.data: list[Spec] = []
        self._still_bytes = 0
        self._data_bytes = 0

    def put(self, picture: Spec | None, *, is_still: bool = True) -> dict[str, Any] | None:
        """Take a picture in; return its number and its still image, or None if there is no room for it.

        Args:
            picture: What to draw; None is passed through.
            is_still: Whether an image for readers without JavaScript is wanted.
        """
        if picture is None:
            return None
        small = {k: v for k, v in picture.items() if k not in ("config", "$schema")}
        size = len(safe_json(small).encode())
        if self._data_bytes + size > MOST_DATA_BYTES:
            return None
        self.data.append(small)
        self._data_bytes += size
        still = self._still(picture) if is_still else Markup("")
        return {"number": len(self.data) - 1, "description": picture["description"], "still": still}

    def _still(self, picture: Spec) -> Markup:
        if self._still_bytes > MOST_STILL_BYTES:
            return Markup("")
        drawn = svg(picture, standing_alone=False)
        self._still_bytes += len(drawn.encode())
        return Markup(drawn)  # noqa: S704 - Vega escapes the text of its SVG
