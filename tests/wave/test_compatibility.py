import numpy as np
import pytest
import torch

import wavezoo
from wavezoo.errors import UnmetRequirement
from wavezoo.wave import (
    RK4,
    ConstantField,
    CosineLaplacian,
    CubicPotential,
    DepthwiseField,
    Exact,
    Laplacian,
    LinearDamping,
    SpectralLaplacian,
    UniformDrift,
    VelocityVerlet,
    ViscousDamping,
    WaveOperator,
)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"dt": 0.0}, "dt is 0.0"),
        ({"dt": "fast"}, "dt is 'fast'"),
        ({"readout": "displacment"}, "allowed, nearest first: displacement"),
        ({"initial_velocity": "zeros"}, "nearest first: zero"),
        ({"courant_guard": "on"}, "courant_guard is 'on'"),
        ({"stepz": 3}, "nearest first: steps"),
        ({"integrator": "verlet"}, "nearest first: velocity_verlet"),
        ({"integrator": "explicit_euler"}, "stability limit of 0"),
        ({"integrator": {"order": 2}}, "give a name, or a mapping"),
        ({"laplacian": {"name": "finite_difference", "ordr": 2}}, "nearest first: order"),
        ({"laplacian": {"name": "finite_difference", "order": 3}}, "order of the finite-difference Laplacian is 3"),
        ({"laplacian": {"name": "finite_difference", "order": "2"}}, "order is '2'"),
        ({"laplacian": {"name": "spectral", "method": "dct"}}, "fft"),
        ({"speed": {"name": "constant", "initial": -1.0}}, "initial value of a field is -1.0"),
        ({"damping": "none", "damping_field": "constant"}, "does not read the damping field"),
    ],
)
def test_bad_choices_are_refused_with_what_is_allowed(choices, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_operator(3, 2, **choices)


def test_bad_presets_axes_and_inputs():
    with pytest.raises(wavezoo.WavezooError, match="nearest first: paper"):
        wavezoo.create_operator(3, 2, "papers")
    with pytest.raises(wavezoo.WavezooError, match="number of grid axes"):
        wavezoo.create_operator(3, 3)
    with pytest.raises(wavezoo.WavezooError, match="does not fit"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 4, 6, 6))
    with pytest.raises(wavezoo.WavezooError, match="does not fit"):
        wavezoo.create_operator(3, 2)(torch.zeros(2, 3, 6))
    for options in ({"steps": 0}, {"every": 0}):
        with pytest.raises(wavezoo.WavezooError, match="at least 1"):
            wavezoo.create_operator(3, 2).simulate(torch.zeros(2, 3, 6, 6), **options)


def test_a_laplacian_for_other_grids_is_refused(scratch_registry):
    class OneDimensional(Laplacian):
        """Only lines."""

        ndims = (1,)
        boundary, causal, self_adjoint, order = "periodic", False, True, 2

        def bind(self, u):
            return lambda u: 0 * u

        def spectral_radius(self, grid):
            return 0.0

    class Plugin:
        @wavezoo.hookimpl
        def wavezoo_laplacians(self):
            return {"line": OneDimensional}

    scratch_registry.add(Plugin(), "line", "test")
    with pytest.raises(wavezoo.WavezooError, match="OneDimensional"):
        wavezoo.create_operator(3, 2, laplacian="line")
    # A radius of zero stands for no wave at all, and needs no limit.
    assert wavezoo.create_operator(3, 1, laplacian="line")(torch.zeros(1, 3, 4)).shape == (1, 3, 4)


def test_a_damping_without_its_field_and_schemes_of_other_sizes_are_refused():
    laplacian, integrator = SpectralLaplacian(3, 1), VelocityVerlet()
    with pytest.raises(wavezoo.WavezooError, match="LinearDamping needs a damping field"):
        WaveOperator(3, laplacian, integrator, damping=LinearDamping(3, 1))
    with pytest.raises(wavezoo.WavezooError, match="built for 3 channels and 1 grid axes, the operator for 4 and 1"):
        WaveOperator(4, laplacian, integrator)
    with pytest.raises(wavezoo.WavezooError, match="channels is 0"):
        SpectralLaplacian(0, 1)
    assert WaveOperator(np.int64(3), laplacian, integrator, steps=np.int64(2)).steps == 2


@pytest.mark.parametrize(
    ("choices", "unmet"),
    [
        ({"integrator": Exact()}, ("fields", "varies_in_space", False)),
        ({"integrator": RK4(), "gradient": "reverse"}, ("integrators", "reversible", True)),
        ({"potential": CubicPotential(3, 1)}, ("potentials", "bounded_stiffness", True)),
        ({"drift": UniformDrift(3, 1), "laplacian": CosineLaplacian(3, 1)}, ("laplacians", "boundary", "periodic")),
        ({"causal": True}, ("laplacians", "causal", True)),
    ],
)
def test_what_is_missing_is_said_as_a_fact(choices, unmet):
    with pytest.raises(UnmetRequirement) as error:
        WaveOperator(3, **{"laplacian": SpectralLaplacian(3, 1), "integrator": VelocityVerlet(), **choices})
    assert (error.value.axis, error.value.fact, error.value.value) == unmet


class Past(Laplacian):
    ndims, boundary, causal, self_adjoint, order, diagonal = (1,), "zero", True, False, 1, True

    def bind(self, u):
        return lambda u: torch.nn.functional.pad(u, (1, 0))[..., :-1] - u

    def spectral_radius(self, grid):
        return 2.0


@pytest.mark.parametrize(
    ("choices", "culprit"),
    [
        ({}, None),
        ({"integrator": Exact(), "speed": ConstantField(3, 1, initial=1.0)}, "Exact"),
        ({"speed": DepthwiseField(3, 1, initial=1.0)}, "DepthwiseField"),
        ({"damping": ViscousDamping(3, 1), "speed": ConstantField(3, 1, initial=1.0)}, "ViscousDamping"),
    ],
)
def test_causality_is_asked_of_every_scheme(choices, culprit):
    given = {"laplacian": Past(3, 1), "integrator": VelocityVerlet(), "courant_guard": "off", **choices}
    if "damping" in given:
        given["damping_field"] = ConstantField(3, 1, initial=1.0)
    assert WaveOperator(3, **given).causal == (culprit is None)
    if culprit:
        with pytest.raises(UnmetRequirement, match=f"{culprit} is not causal"):
            WaveOperator(3, **given, causal=True)


def test_the_guard_promises_nothing_without_symmetry():
    with pytest.raises(UnmetRequirement, match="Past is not self-adjoint"):
        WaveOperator(3, Past(3, 1), VelocityVerlet())
    with pytest.raises(UnmetRequirement, match="not self-adjoint"):
        wavezoo.create_operator(3, 1, laplacian={"name": "spectral", "method": "matmul", "product": "bfloat16"})
