"""A dense model that shows its blocks the image again, and waves that stop at walls."""

import pytest
import torch

import wavezoo
from wavezoo.wave.fields import GatedField


def model(**options):
    torch.manual_seed(0)
    return wavezoo.create_model("wavepde_dense_tiny", in_chans=2, dim=8, depth=2, **options)


@pytest.mark.parametrize("patch_size", [1, 2])
def test_every_block_sees_the_image_again(patch_size):
    dense = model(recall=True, patch_size=patch_size)
    image = torch.randn(1, 2, 7, 9)
    assert dense(image).shape == (1, 2, 7, 9)
    for name, each in dense.named_parameters():
        # All that reaches the blocks but by what they are shown again is taken away.
        if name.startswith("stem"):
            torch.nn.init.zeros_(each)
    assert not torch.allclose(dense(image), dense(2 * image))
    assert torch.equal(model(patch_size=patch_size)(image), model(patch_size=patch_size, recall=False)(image))


def test_recomputed_blocks_give_the_same_gradients():
    found = []
    for enable in (False, True):
        dense = model(recall=True)
        dense.set_grad_checkpointing(enable)
        dense(torch.ones(1, 2, 6, 6)).square().sum().backward()
        found.append([each.grad for each in dense.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_no_wave_gets_through_a_closed_gate():
    operator = wavezoo.create_operator(
        1, 2, preset="stepped", laplacian="finite_difference", speed={"name": "gated", "initial": 1.0}, steps=60
    )
    assert isinstance(operator.speed, GatedField)
    with torch.no_grad():
        operator.speed.gate.weight.fill_(1.0)
    x = torch.zeros(1, 1, 9, 12)
    # Where the input is -1 or less, the gate is closed.
    x[..., 5] = -1.0
    x[..., 11] = -1.0
    pulsed = x.clone()
    pulsed[..., 4, 2] = 1.0
    with torch.no_grad():
        moved = (operator(pulsed) - operator(x)).abs()
    assert not moved[..., 5:].any()
    assert moved[..., :5].gt(0).all()
