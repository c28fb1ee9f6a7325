"""Discrete Laplacians: the contract, and one scheme a file."""

from wavezoo.wave.laplacians.anisotropic import AnisotropicLaplacian
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.laplacians.cosine import CosineLaplacian
from wavezoo.wave.laplacians.finite_difference import FiniteDifferenceLaplacian
from wavezoo.wave.laplacians.fractional import FractionalLaplacian
from wavezoo.wave.laplacians.graph import GraphLaplacian
from wavezoo.wave.laplacians.learned_stencil import LearnedStencilLaplacian
from wavezoo.wave.laplacians.open import OpenLaplacian
from wavezoo.wave.laplacians.sine import SineLaplacian
from wavezoo.wave.laplacians.spectral import SpectralLaplacian

__all__ = [
    "AnisotropicLaplacian",
    "CosineLaplacian",
    "FiniteDifferenceLaplacian",
    "FractionalLaplacian",
    "GraphLaplacian",
    "Laplacian",
    "LearnedStencilLaplacian",
    "OpenLaplacian",
    "SineLaplacian",
    "SpectralLaplacian",
]
