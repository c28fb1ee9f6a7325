"""Mixers with few parameters, for models that are narrow enough to be tested quickly."""

from wavezoo.plugins.registry import registry


def small(name):
    """What chooses a mixer in its first variant."""
    scheme = registry.scheme("mixers", name)
    return {"name": name, **(scheme.variants[0] if scheme.variants else {})}
