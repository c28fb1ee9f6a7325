"""Every scheme on the device gives what float64 gives on the CPU, within what its dtype can hold."""

import pytest
import torch

from tests.gpu.choices import assert_near, every_operator, reference, results, sample

pytestmark = pytest.mark.gpu

HALVES = [torch.bfloat16, torch.float16]


@every_operator()
def test_float32(make, device):
    operator = make().to(device)
    assert_near(results(operator, operator, sample(operator).to(device)), reference(make), 1e-3)


@every_operator("store")
def test_tf32(make, device, matmul_precision):
    operator = make().to(device)
    x = sample(operator).to(device)
    difference = operator(x).detach().double().cpu() - reference(make)["output"]
    # Fields come from convolutions, which may be in TF32; the solver is not.
    assert difference.abs().max() <= (1e-4 if matmul_precision == "highest" else 3e-3)


@pytest.mark.parametrize("dtype", HALVES)
@every_operator()
def test_autocast(make, dtype, device):
    operator = make().to(device)
    x = sample(operator).to(device)

    def cast(x):
        with torch.autocast(device.type, dtype):
            return operator(x)

    found = results(cast, operator, x)
    assert_near({"output": found.pop("output")}, {"output": reference(make)["output"]}, 0.05)
    assert all(each.isfinite().all() for each in found.values())


@pytest.mark.parametrize("dtype", HALVES)
@every_operator("store")
def test_parameters_and_input_in_half_precision(make, dtype, device):
    operator = make().to(device, dtype)
    # A grid of 12 x 9: cuFFT knows half precision on powers of two alone, so nothing may reach it that way.
    found = results(operator, operator, sample(operator, dtype=dtype).to(device))
    assert_near({"output": found.pop("output")}, {"output": reference(make)["output"]}, 0.1)
    assert all(each.isfinite().all() for each in found.values())


@every_operator("store")
def test_memory_with_channels_last(make, device):
    operator = make().to(device)
    x = sample(operator).to(device)
    last = x.movedim(1, -1).contiguous().movedim(-1, 1)
    assert_near(results(operator, operator, last), results(operator, operator, x), 1e-4)


@every_operator()
def test_the_same_twice_with_deterministic_algorithms(make, device, deterministic):
    operator = make().to(device)
    x = sample(operator).to(device)
    first, second = (results(operator, operator, x) for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@every_operator("store", "recompute")
def test_compiled(make, device):
    torch._dynamo.reset()
    operator = make().to(device)
    x = sample(operator).to(device)
    # On the CPU the same graphs without their kernels, which would take minutes to build.
    compiled = torch.compile(operator, fullgraph=True, backend="inductor" if device.type == "cuda" else "aot_eager")
    assert_near(results(compiled, operator, x), results(operator, operator, x), 1e-3)
