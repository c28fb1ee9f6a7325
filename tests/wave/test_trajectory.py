import math

import pytest
import torch

import wavezoo
from wavezoo.wave.analysis import dense_matrix

CLOSED = ("spectral", "cosine", "sine", "open")
METHODS = ("fft", "matmul")


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(ndim, laplacian, **choices):
    torch.manual_seed(0)
    operator = wavezoo.create_operator(2, ndim, "trajectory", laplacian=laplacian, looks=3, reach=6.0, **choices)
    for parameter in operator.readout.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return operator.double()


def dense_looks(operator, x):
    """The looks' sum by a dense matrix exponential: of the grid's own Laplacian, or of a ring four times as wide."""
    grid = x.shape[2:]
    wide = tuple(2 * size for size in grid) if operator.laplacian.boundary == "open" else grid
    if operator.laplacian.boundary == "open":
        matrix = dense_matrix(wavezoo.create_operator(1, len(grid)).laplacian.double(), wide)
    else:
        matrix = dense_matrix(operator.laplacian, wide)
    cells = matrix.shape[0]
    start = x.new_zeros(*x.shape[:2], *wide)
    start[(..., *(slice(size) for size in grid))] = x
    slopes = gradients(operator, start)
    c, gamma = operator.speed(x).flatten(), operator.damping_field(x).flatten()
    times = operator.readout.times.log_time.exp()
    directions = operator.start.directions(x.dtype)
    output = torch.zeros_like(start)
    for channel in range(2):
        blocks = torch.zeros(2 * cells, 2 * cells, dtype=x.dtype)
        blocks[:cells, cells:] = torch.eye(cells)
        blocks[cells:, :cells] = c[channel] ** 2 * matrix
        blocks[cells:, cells:] = -gamma[channel] * torch.eye(cells)
        for look in range(3):
            v = -c[channel] * sum(
                r * slope[:, channel] for r, slope in zip(directions[channel, look], slopes, strict=True)
            )
            state = torch.cat([start[:, channel].flatten(1), v.flatten(1)], 1)
            state = state @ torch.linalg.matrix_exp(blocks * times[channel, look]).mT
            a, b = operator.readout.displacement[channel, look], operator.readout.velocity[channel, look]
            output[:, channel] += (a * state[:, :cells] + b * state[:, cells:]).view_as(output[:, channel])
    return output[(..., *(slice(size) for size in grid))]


def gradients(operator, u):
    """The gradient by Fourier transforms of mirrored lines: even, odd, or as they are."""
    found = []
    for axis in range(2, u.ndim):
        line, zero = u.movedim(axis, -1), torch.zeros_like(u.movedim(axis, -1)[..., :1])
        size, first = line.shape[-1], 0
        if operator.laplacian.boundary == "reflecting":
            line = torch.cat([line, line.flip(-1)], -1)
        if operator.laplacian.boundary == "zero":
            line, first = torch.cat([zero, line, zero, -line.flip(-1)], -1), 1
        k = 2 * math.pi * torch.fft.fftfreq(line.shape[-1], dtype=u.dtype)
        if line.shape[-1] % 2 == 0:
            k[line.shape[-1] // 2] = 0
        slope = torch.fft.ifft(torch.fft.fft(line) * 1j * k).real
        found.append(slope[..., first : first + size].movedim(-1, axis))
    return found


@pytest.mark.parametrize("grid", [(9,), (8,), (4, 5)], ids=str)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CLOSED)
def test_a_sum_of_looks_is_that_of_a_dense_solution_gradients_included(name, method, grid):
    operator = built(len(grid), {"name": name, "method": method})
    x = random(2, 2, *grid).requires_grad_()
    weight = random(2, 2, *grid, seed=1)
    expected, actual = dense_looks(operator, x), operator(x)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8)
    parameters = [x, *operator.parameters()]
    for one, other in zip(
        torch.autograd.grad((actual * weight).sum(), parameters),
        torch.autograd.grad((expected * weight).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CLOSED)
def test_a_wave_with_a_direction_keeps_its_shape_over_a_hundred_cells(name, method):
    choices = {"damping": "none", "readout": "displacement", "looks": None, "reach": 100.0}
    operator = wavezoo.create_operator(1, 1, "trajectory", laplacian={"name": name, "method": method}, **choices)
    torch.nn.init.constant_(operator.double().start.weight, 1e9)
    pulse = torch.exp(-(((torch.arange(160, dtype=torch.float64) - 30) / 3) ** 2)).view(1, 1, -1)
    output = operator(pulse)
    torch.testing.assert_close(output[..., 100:], pulse[..., :-100], rtol=0, atol=1e-6)
    assert output[..., :100].abs().max() < 1e-6


@pytest.mark.parametrize("ndim", [1, 2])
def test_waves_leave_an_open_grid_and_do_not_come_back(ndim):
    size = 24
    choices = {"damping": "none", "readout": "displacement", "looks": None, "initial_velocity": "zero"}
    distance = ((torch.arange(size, dtype=torch.float64) - size // 2) / 2) ** 2
    bump = (-distance).exp() if ndim == 1 else (-(distance[:, None] + distance)).exp()
    left = {
        name: wavezoo.create_operator(1, ndim, "trajectory", laplacian=name, reach=22.0, **choices).double()(
            bump.view(1, 1, *bump.shape)
        )
        for name in ("open", "cosine")
    }
    # In two dimensions a wave leaves a wake.
    assert left["open"].abs().max() < (1e-6 if ndim == 1 else 0.02)
    assert left["cosine"].abs().max() > 0.05


@pytest.mark.parametrize("strength", [0.1, 0.2])
def test_a_sponge_gives_back_what_it_says_in_decibels(strength):
    size, dt = 128, 0.4
    sponge = {"name": "sponge", "initial": 1e-6, "strength": strength, "width": 0.25}
    medium = {"speed": {"name": "constant", "initial": 1.0}, "damping_field": sponge, "dt": dt, "learn_dt": False}
    operator = wavezoo.create_operator(1, 1, laplacian="cosine", reach=float(size), **medium).double()
    place = torch.arange(size, dtype=torch.float64) - size / 2
    packet = (-((place / 9) ** 2)).exp() * (2 * math.pi * place / 6).cos()
    energy = operator.simulate(packet.view(1, 1, -1), every=operator.steps).energy[:, 0]
    returned = 10 * torch.log10(energy[-1] / energy[0]).item()
    assert returned == pytest.approx(-2.895 * strength * size / 4, rel=0.05)


@pytest.mark.parametrize("readout", ["trajectory", "trajectory_projected"])
@pytest.mark.parametrize("preset", ["stepped", "trajectory"])
def test_every_way_to_a_gradient_gives_the_same(preset, readout):
    x, found = random(2, 3, 5, 6).requires_grad_(), []
    for gradient in ("store", "recompute", "reverse"):
        torch.manual_seed(0)
        choices = {"readout": readout, "looks": 2, "initial_velocity": "transported", "gradient": gradient}
        operator = wavezoo.create_operator(3, 2, preset, **choices).double()
        output = operator(x)
        found.append([output, *torch.autograd.grad(output.square().sum(), [x, *operator.parameters()])])
    for others in found[1:]:
        torch.testing.assert_close(others, found[0])


@pytest.mark.parametrize("preset", ["stepped", "trajectory"])
@pytest.mark.parametrize("readout", ["trajectory", "trajectory_projected"])
def test_looks_keep_their_physics_on_a_finer_grid(preset, readout):
    torch.manual_seed(0)
    laplacian = "cosine" if preset == "stepped" else "open"
    choices = {"laplacian": laplacian, "readout": readout, "initial_velocity": "transported", "looks": 4}
    operator = wavezoo.create_operator(1, 1, preset, speed={"name": "constant", "initial": 0.5}, **choices).double()
    if readout == "trajectory":
        torch.nn.init.normal_(operator.readout.velocity)

    def on(size):
        place = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        operator.set_grid_spacing(32 / size)
        return operator((-(((place - 0.5) / 0.1) ** 2)).exp().view(1, 1, -1))

    coarse, fine = on(32), on(64).view(1, 1, 32, 2).mean(-1)
    torch.testing.assert_close(fine, coarse, rtol=0, atol=0.02 * coarse.abs().max().item())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"looks": 5, "readout": "trajectory"}, "looks is 5, and there are 4 steps"),
        ({"looks": 2}, "looks once"),
        ({"reach": 0.0}, "reach"),
        ({"laplacian": "open"}, "sponge"),
        ({"laplacian": {"name": "graph", "edges": [[0, 1]]}, "initial_velocity": "transported"}, "modes"),
        ({"drift": "uniform", "readout": "trajectory"}, "UniformDrift carries"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told(choices, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        wavezoo.create_operator(2, 1, "stepped", **choices)


def test_a_trajectory_is_exported_and_compiled_whole():
    operator, x = wavezoo.create_operator(2, 1, "trajectory").eval(), random(2, 2, 12).float()
    torch.testing.assert_close(torch.export.export(operator, (x,)).module()(x), operator(x))
    torch.testing.assert_close(torch.compile(operator, backend="aot_eager", fullgraph=True)(x), operator(x))


def test_a_sample_does_not_depend_on_its_batch():
    operator, x = built(1, "open"), random(3, 2, 9)
    spoiled = torch.cat([x[:1], torch.full_like(x[1:], float("nan"))])
    torch.testing.assert_close(operator(spoiled)[:1], operator(x[:1]))
