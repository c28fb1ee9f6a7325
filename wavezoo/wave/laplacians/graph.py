"""The Laplacian of a graph."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from wavezoo.errors import WavezooError
from wavezoo.wave.laplacians.base import Laplacian
from wavezoo.wave.scheme import Grid
from wavezoo.wave.spectral.tables import rounded

POWER_ITERATIONS = 1000
# A power iteration approaches the largest eigenvalue from below; this much above it is a bound.
SAFETY = 1.01


class GraphLaplacian(Laplacian):
    """Differences along the edges of a fixed graph: waves on irregular data, such as meshes and point clouds.

    Equation: ``(L u)_i = Σ_j w_ij (u_j - u_i)``, or symmetrically normalised ``L = D^(-1/2) W D^(-1/2) - I`` where a
    node has edges (Chung 1997). The nodes are the N positions of fields ``(B, C, N)``. Cost: proportional to the
    number of edges. Spectral radius: by power iteration when it is built; at most twice the largest degree, or 2 if
    normalised.

    Args:
        edges: pairs of node numbers from 0, undirected, each edge once.
        nodes: number of nodes N; by default one more than the largest number in ``edges``.
        weights: positive weight of each edge; 1 by default.
        normalized: normalise symmetrically.

    Raises:
        WavezooError: if an edge is no pair of two different nodes or is given twice, or if a weight is not positive; in
            `bind`, if fields have another number of nodes.
    """

    ndims = (1,)
    boundary = "open"
    causal = False
    self_adjoint = True
    order = math.nan
    variants = (
        {"edges": [[i, (i + 1) % 8] for i in range(8)]},
        {"edges": [[0, 1], [1, 2], [0, 2], [2, 3], [4, 5]], "nodes": 7, "weights": [1.0, 0.5, 2.0, 1.0, 3.0]},
        {"edges": [[0, 1], [1, 2], [0, 2], [2, 3], [4, 5]], "nodes": 7, "normalized": True},
    )

    complex_free = True

    sources: Tensor
    targets: Tensor

    def __init__(
        self,
        channels: int,
        ndim: int,
        *,
        edges: Sequence[Sequence[int]],
        nodes: int | None = None,
        weights: Sequence[float] | None = None,
        normalized: bool = False,
    ) -> None:
        super().__init__(channels, ndim)
        count = nodes if nodes is not None else 1 + max((node for edge in edges for node in edge), default=0)
        _check_graph(edges, count, weights)
        self.nodes = count
        self.fixed_grid = (count,)
        self.normalized = normalized
        # In numpy, so that the graph is known also where tensors are fake or on the meta device.
        pairs = np.array([list(edge) for edge in edges], dtype=np.int64).reshape(-1, 2)
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
        weight = np.tile(np.ones(len(edges)) if weights is None else np.array(weights, dtype=np.float64), 2)
        degree = np.bincount(pairs[:, 0], weight, count)
        if normalized:
            weight = weight / np.sqrt(degree[pairs[:, 0]] * degree[pairs[:, 1]])
            degree = (degree > 0).astype(np.float64)
        self._spectral_radius = _power_iteration(pairs, weight, degree)
        # No buffers: a model in bfloat16 would round them, and some devices hold no float64.
        self._couplings, self._diagonal = weight, -degree
        self._ends = {"sources": pairs[:, 0], "targets": pairs[:, 1]}
        for name, values in self._ends.items():
            self.register_buffer(name, torch.tensor(values.tolist(), dtype=torch.long), persistent=False)

    def init_non_persistent_buffers(self) -> None:
        """Fill the buffers again, after a module on the meta device was given memory."""
        for name, values in self._ends.items():
            buffer = getattr(self, name)
            buffer.copy_(torch.tensor(values.tolist(), dtype=torch.long, device=buffer.device))

    def bind(self, u: Tensor) -> Callable[[Tensor], Tensor]:
        if u.shape[2:] != self.fixed_grid:
            raise WavezooError(f"fields on {u.shape[2]} nodes do not fit a graph of {self.nodes} nodes.")
        couplings, diagonal = (rounded(torch.from_numpy(each), u) for each in (self._couplings, self._diagonal))

        def differences(u: Tensor) -> Tensor:
            # Differences, so that constants map to zero exactly.
            along_edges = u.index_select(-1, self.sources) - u.index_select(-1, self.targets)
            return torch.zeros_like(u).index_add(-1, self.targets, along_edges * couplings)

        def normalised(u: Tensor) -> Tensor:
            return (u * diagonal).index_add(-1, self.targets, u.index_select(-1, self.sources) * couplings)

        return normalised if self.normalized else differences

    def spectral_radius(self, grid: Grid) -> float:
        return self._spectral_radius

    def extra_repr(self) -> str:
        return f"nodes={self.nodes}, edges={len(self.sources) // 2}, normalized={self.normalized}"


def _power_iteration(edges: np.ndarray, weight: np.ndarray, degree: np.ndarray) -> float:
    """Return a bound on the largest eigenvalue of ``diag(degree) - W``."""
    sources, targets = edges.T
    # Gershgorin's circles: no eigenvalue exceeds a row's sum of absolute values.
    bound = float((degree + np.bincount(sources, weight, len(degree))).max())
    u = np.random.default_rng(0).standard_normal(len(degree))
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        u = u / max(float(np.linalg.norm(u)), 1e-30)
        after = degree * u - np.bincount(targets, u[sources] * weight, len(degree))
        value = float(u @ after)
        u = after
    return min(SAFETY * value, bound)


def _check_graph(edges: Sequence[Sequence[int]], nodes: int, weights: Sequence[float] | None) -> None:
    if nodes < 1:
        raise WavezooError(f"nodes is {nodes!r}; a graph needs at least 1.")
    seen: set[frozenset[int]] = set()
    for edge in edges:
        if len(edge) != 2 or edge[0] == edge[1] or not all(0 <= node < nodes for node in edge):
            raise WavezooError(f"edge {list(edge)!r} is not a pair of two different nodes from 0 to {nodes - 1}.")
        if frozenset(edge) in seen:
            raise WavezooError(f"edge {list(edge)!r} is given twice; give each undirected edge once.")
        seen.add(frozenset(edge))
    if weights is not None and (len(weights) != len(edges) or any(not 0 < weight < math.inf for weight in weights)):
        raise WavezooError(f"weights of the graph's {len(edges)} edges must be as many positive numbers.")
