"""Which training examples made a decision."""

from fivefold.explanation.influence.influence import Influence
from fivefold.explanation.influence.influencer import Influencer
from fivefold.explanation.influence.last_layer import LastLayerInfluence
from fivefold.explanation.influence.nearest import NearestExamples, RandomInfluence
from fivefold.explanation.influence.question import decided
from fivefold.explanation.influence.retraining import Retraining
from fivefold.explanation.influence.tracin import TracIn
from fivefold.explanation.influence.trak import TRAK

__all__ = [
    "TRAK",
    "Influence",
    "Influencer",
    "LastLayerInfluence",
    "NearestExamples",
    "RandomInfluence",
    "Retraining",
    "TracIn",
    "decided",
]
