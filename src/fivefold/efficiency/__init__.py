"""What the model costs to keep and to run."""

from fivefold.efficiency.distill import Distill
from fivefold.efficiency.energy import Energy
from fivefold.efficiency.latency import Latency
from fivefold.efficiency.operations import Operations
from fivefold.efficiency.prune import Prune
from fivefold.efficiency.quantize import Quantize
from fivefold.efficiency.size import Size
from fivefold.efficiency.speedup import Speedup

__all__ = ["Distill", "Energy", "Latency", "Operations", "Prune", "Quantize", "Size", "Speedup"]
