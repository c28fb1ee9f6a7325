"""The inverse of the softplus."""

import math


def inverse_softplus(value: float) -> float:
    """Return the x at which ``log(1 + exp(x))`` is ``value``."""
    return value + math.log(-math.expm1(-value))
