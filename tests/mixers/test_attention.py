import pytest
import timm.layers
import torch

import wavezoo

POSITIONS = [{}, {"positions": "rotary"}, {"positions": "learned", "length": 40}]


def attention(channels, ndim, causal=False, **options):
    torch.manual_seed(0)
    return wavezoo.create_mixer(channels, ndim, {"name": "attention", **options}, causal=causal).double()


def rotated(q, angles):
    """Pairs of channels as complex numbers, turned."""
    first, second = q.chunk(2, -1)
    turned = torch.complex(first, second) * torch.exp(1j * angles)
    return torch.cat([turned.real, turned.imag], -1)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("fused", [0, 1])
def test_rotary_attention_is_its_equation(causal, fused):
    mixer = attention(16, 1, causal, heads=2, positions="rotary")
    x = torch.randn(2, 16, 7, dtype=torch.float64)
    q, k, v = mixer.qkv(x.mT).view(2, 7, 3, 2, 8).permute(2, 0, 3, 1, 4)
    angles = torch.arange(7.0)[:, None] * 10_000.0 ** (-torch.arange(4.0).double() / 4)
    scores = rotated(q, angles) @ rotated(k, angles).mT / 8**0.5
    if causal:
        scores = scores.masked_fill(torch.ones(7, 7).triu(1).bool(), -torch.inf)
    expected = mixer.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(2, 7, 16)).mT
    before = timm.layers.use_fused_attn()
    timm.layers.set_fused_attn(bool(fused))
    try:
        torch.testing.assert_close(mixer(x), expected)
    finally:
        timm.layers.set_fused_attn(before)


@pytest.mark.parametrize("ndim", [1, 2])
def test_rotary_positions_know_distances_and_directions_only(ndim):
    mixer = attention(16, ndim, heads=1, positions="rotary")
    q, k = torch.randn(2, 1, 1, 1, 16, dtype=torch.float64)
    grid = (12,) * ndim
    q, k = (mixer.rotary(each.expand(1, 1, 12**ndim, 16), grid).view(*grid, 16) for each in (q, k))
    near = torch.einsum("...d,...d->...", q[2:], k[:-2])
    torch.testing.assert_close(near, near[(0,) * ndim].expand_as(near))
    back = torch.einsum("...d,...d->...", q[:-2], k[2:])
    assert (back - near).abs().min() > 1e-3
    if ndim == 2:
        across = torch.einsum("...d,...d->...", q[:, 2:], k[:, :-2])
        assert (across - near.mT).abs().min() > 1e-3


@pytest.mark.parametrize("ndim", [1, 2])
def test_positions_on_a_finer_grid_keep_their_distance(ndim):
    mixer = attention(16, ndim, heads=1, positions="rotary")
    q = torch.randn(1, 1, 1, 16, dtype=torch.float64).expand(1, 1, 8**ndim, 16)
    coarse = mixer.rotary(q, (8,) * ndim).view(*(8,) * ndim, 16)
    mixer.rotary.set_grid_spacing(0.5)
    fine = mixer.rotary(q[:, :, :1].expand(1, 1, 15**ndim, 16), (15,) * ndim).view(*(15,) * ndim, 16)
    torch.testing.assert_close(fine[(slice(None, None, 2),) * ndim], coarse)


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("options", POSITIONS)
def test_attention_without_positions_alone_takes_any_order(ndim, options):
    mixer = attention(8, ndim, **options)
    x = torch.randn(1, 8, *[6] * ndim, dtype=torch.float64)
    for axis in range(2, 2 + ndim):
        same = torch.allclose(mixer(x.roll(2, axis)), mixer(x).roll(2, axis))
        assert same == (not options)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("options", POSITIONS)
def test_half_precision_agrees_with_single(causal, options):
    mixer, x = attention(64, 1, causal, **options).float(), torch.randn(2, 64, 33)
    half = mixer.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert (half - mixer.float()(x)).norm() < 0.03 * half.float().norm()


@pytest.mark.parametrize(
    ("channels", "ndim", "options", "message"),
    [
        (8, 1, {"positions": "rotry"}, "positions is 'rotry'; allowed, nearest first: rotary"),
        (6, 2, {"positions": "rotary"}, "heads of a multiple of 4 channels, and these have 6"),
        (8, 1, {"positions": "learned"}, 'length is None; give length with positions="learned"'),
        (8, 1, {"positions": "rotary", "length": 5}, "length is 5; give length with"),
        (8, 1, {"positions": "learned", "length": 0}, "length is 0"),
    ],
)
def test_what_attention_cannot_be(channels, ndim, options, message):
    with pytest.raises(wavezoo.WavezooError, match=message):
        attention(channels, ndim, **options)


@pytest.mark.parametrize("ndim", [1, 2])
def test_a_grid_longer_than_the_learned_positions_is_told(ndim):
    mixer = attention(8, ndim, positions="learned", length=5)
    assert mixer(torch.zeros(1, 8, *[5] * ndim, dtype=torch.float64)).shape[-1] == 5
    with pytest.raises(wavezoo.WavezooError, match="larger than length=5"):
        mixer(torch.zeros(1, 8, *[6] * ndim, dtype=torch.float64))
