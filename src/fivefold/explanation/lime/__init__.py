"""LIME: a line near one example, for what is hidden and for what is moved."""

from fivefold.explanation.lime.masked import LIME
from fivefold.explanation.lime.tabular import TabularLIME

__all__ = ["LIME", "TabularLIME"]
