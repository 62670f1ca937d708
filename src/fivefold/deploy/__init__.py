"""What ships, and how it is checked before it is used."""

from fivefold.deploy.bundle import Bundle, load_bundle, verify_bundle, write_bundle
from fivefold.deploy.guard import Guard, guard_findings, guard_papers, read_guard

__all__ = [
    "Bundle",
    "Guard",
    "guard_findings",
    "guard_papers",
    "load_bundle",
    "read_guard",
    "verify_bundle",
    "write_bundle",
]
