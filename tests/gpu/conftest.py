"""Tests for an accelerator: ``pytest -m gpu``.

``WAVEZOO_GPU_TESTS_DEVICE=cpu pytest -m gpu tests/gpu`` runs the same bodies on the CPU, which shows that they run.
"""

import os

# Read when CUDA starts; without it cuBLAS refuses deterministic products.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    """Where the tests of this folder run."""
    name = os.environ.get("WAVEZOO_GPU_TESTS_DEVICE", "cuda")
    if name != "cpu" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device; WAVEZOO_GPU_TESTS_DEVICE=cpu runs the same tests on the CPU")
    return torch.device(name)


@pytest.fixture
def cuda(device):
    """The device, for what only CUDA has: graphs, streams, memory statistics."""
    if device.type != "cuda":
        pytest.skip("only CUDA has this")
    return device


@pytest.fixture(params=["highest", "high"])
def matmul_precision(request):
    """Products of float32 without and with TF32, for convolutions too."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(request.param)
    torch.backends.cudnn.allow_tf32 = request.param == "high"
    yield request.param
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.fixture
def deterministic():
    """Let torch raise where a result could differ from run to run."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
