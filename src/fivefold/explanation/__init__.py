"""Why a model answers as it does, and whether the explanation can be trusted."""

from fivefold.explanation.attribution import Attribution
from fivefold.explanation.attributions import Attributions
from fivefold.explanation.completeness import Completeness
from fivefold.explanation.counterfactual import (
    Counterfactual,
    Counterfactuals,
    counterfactuals,
)
from fivefold.explanation.datamodeling_score import DatamodelingScore
from fivefold.explanation.drift import AttributionDrift
from fivefold.explanation.exact import ExactShapley
from fivefold.explanation.explain import explain
from fivefold.explanation.explainer import Explainer
from fivefold.explanation.faithfulness import Faithfulness
from fivefold.explanation.faithfulness_correlation import FaithfulnessCorrelation
from fivefold.explanation.glass_box import (
    GlassBox,
    Surrogate,
    SurrogateGAM,
    SurrogateTree,
    surrogate,
)
from fivefold.explanation.grad_cam import GradCAM
from fivefold.explanation.gradients import IntegratedGradients
from fivefold.explanation.infidelity import Infidelity
from fivefold.explanation.influence import (
    TRAK,
    Influence,
    Influencer,
    LastLayerInfluence,
    NearestExamples,
    RandomInfluence,
    Retraining,
    TracIn,
    decided,
)
from fivefold.explanation.interactions import (
    ExactInteractions,
    Interactions,
    SampledInteractions,
    interactions,
)
from fivefold.explanation.language import AnswerExplainer, Prompt, WordExplainer, explain_answer
from fivefold.explanation.leverage import LeverageSHAP
from fivefold.explanation.lime import LIME, TabularLIME
from fivefold.explanation.linear import LinearSHAP
from fivefold.explanation.occlusion import Occlusion
from fivefold.explanation.odd_kernel import OddKernelSHAP
from fivefold.explanation.parameter_randomisation import ParameterRandomisation
from fivefold.explanation.recourse import Recourse
from fivefold.explanation.removal import (
    BaselineRemoval,
    BlurRemoval,
    CopulaRemoval,
    GaussianRemoval,
    MarginalRemoval,
    NeighbourRemoval,
    Removal,
)
from fivefold.explanation.removal_gap import RemovalGap
from fivefold.explanation.saliency import InputXGradient, SmoothGrad
from fivefold.explanation.scale import Scale, explain_all, explain_to
from fivefold.explanation.stability import Stability
from fivefold.explanation.trees import TreeSHAP
from fivefold.explanation.wrong_labels import WrongLabels

__all__ = [
    "LIME",
    "TRAK",
    "AnswerExplainer",
    "Attribution",
    "AttributionDrift",
    "Attributions",
    "BaselineRemoval",
    "BlurRemoval",
    "Completeness",
    "CopulaRemoval",
    "Counterfactual",
    "Counterfactuals",
    "DatamodelingScore",
    "ExactInteractions",
    "ExactShapley",
    "Explainer",
    "Faithfulness",
    "FaithfulnessCorrelation",
    "GaussianRemoval",
    "GlassBox",
    "GradCAM",
    "Infidelity",
    "Influence",
    "Influencer",
    "InputXGradient",
    "IntegratedGradients",
    "Interactions",
    "LastLayerInfluence",
    "LeverageSHAP",
    "LinearSHAP",
    "MarginalRemoval",
    "NearestExamples",
    "NeighbourRemoval",
    "Occlusion",
    "OddKernelSHAP",
    "ParameterRandomisation",
    "Prompt",
    "RandomInfluence",
    "Recourse",
    "Removal",
    "RemovalGap",
    "Retraining",
    "SampledInteractions",
    "Scale",
    "SmoothGrad",
    "Stability",
    "Surrogate",
    "SurrogateGAM",
    "SurrogateTree",
    "TabularLIME",
    "TracIn",
    "TreeSHAP",
    "WordExplainer",
    "WrongLabels",
    "counterfactuals",
    "decided",
    "explain",
    "explain_all",
    "explain_answer",
    "explain_to",
    "interactions",
    "surrogate",
]
