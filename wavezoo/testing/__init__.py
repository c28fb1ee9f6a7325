"""Proof that a scheme keeps its contract: conformance suites, dense references, problems with exact solutions."""

from wavezoo.testing.causality import check_causal
from wavezoo.testing.conformance import Check, checks
from wavezoo.testing.measure import measure

__all__ = ["Check", "check_causal", "checks", "measure"]
