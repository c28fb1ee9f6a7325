"""Tetrominoes, a benchmark for wavezoo: a data set, and a recipe that trains on it."""

from pathlib import Path

import wavezoo
from wavezoo.data import DatasetEntry
from wavezoo_shapes.tetrominoes import TETROMINOES


@wavezoo.hookimpl
def wavezoo_datasets() -> dict[str, DatasetEntry]:
    """Offer the data set by the name that recipes use."""
    return {TETROMINOES.name: TETROMINOES}


@wavezoo.hookimpl
def wavezoo_recipes() -> dict[str, Path]:
    """Offer the recipe, so that `wavezoo train tetrominoes` finds it."""
    return {"tetrominoes": Path(__file__).with_name("tetrominoes.yaml")}
