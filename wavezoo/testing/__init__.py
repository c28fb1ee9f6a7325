"""Proof that a scheme keeps its contract: conformance suites, dense references, problems with exact solutions."""

from wavezoo.testing.conformance import Check, checks

__all__ = ["Check", "checks"]
