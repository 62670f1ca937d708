"""Examples from files, frames and bundled sets.

There are three ways in. From a recipe, which names a source under `[data]`:

    [data]
    use = "data.Table"
    path = "patients.csv"
    target = "ill"
    drop = ["name"]
    columns.age = { low = 0, high = 120, is_immutable = true }
    split = { use = "data.Grouped", column = "hospital" }

From Python, with the same dataclass:

    Table(path="patients.csv", target="ill", drop=("name",)).load(Path(), rng)
    Images(path="scans").load(Path(), rng)
    Bundled(name="digits").load(Path(), rng)

And from any DataFrame:

    from_frame(frame, target="ill", drop=("name",), rng=rng)

Each gives a `Dataset`: train, valid and test, the schema that the model will carry, the task, a content
fingerprint, and notes on what was found. Anything doubtful is refused with the place and the remedy.
"""

from fivefold.data.bundled import Bundled
from fivefold.data.column import ColumnSpec
from fivefold.data.image import Images
from fivefold.data.split import ByTime, Grouped, Random, Split, Stratified
from fivefold.data.table import Table, from_frame
from fivefold.data.texts import Texts

__all__ = [
    "Bundled",
    "ByTime",
    "ColumnSpec",
    "Grouped",
    "Images",
    "Random",
    "Split",
    "Stratified",
    "Table",
    "Texts",
    "from_frame",
]
