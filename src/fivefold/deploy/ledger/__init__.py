"""The audit log: who asked what, when, and what was answered, in a chain that shows any change."""

from fivefold.deploy.ledger.ledger import Ledger
from fivefold.deploy.ledger.verify import LedgerReport, verify_ledger

__all__ = ["Ledger", "LedgerReport", "verify_ledger"]
