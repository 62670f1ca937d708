"""Attacks on a running model, and files that can be trusted."""

from fivefold.security.detection import Detection
from fivefold.security.detector import Detector, Mahalanobis
from fivefold.security.extraction import Extraction
from fivefold.security.folder import check_folder
from fivefold.security.formats import Limits
from fivefold.security.sign import make_keys

__all__ = [
    "Detection",
    "Detector",
    "Extraction",
    "Limits",
    "Mahalanobis",
    "check_folder",
    "make_keys",
]
