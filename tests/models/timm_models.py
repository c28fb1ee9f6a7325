"""What the tests of the timm contract share: every model of ours, and two of timm's own to show that it is timm's."""

import pytest
import timm
import torch
from torch import nn

OURS = timm.list_models("wavepde*")
CONTROLS = ["convnext_atto", "resnet18"]
# The architecture of each of ours, with widths and depths cut so that the tests run in seconds.
SMALL = {"dims": (8, 12, 16, 20), "depths": (1, 1, 2, 1)}
# Two stages hold whatever a compiler meets in four.
TWO_STAGES = {"dims": (8, 12), "depths": (1, 1), "strides": (1, 2)}
CLASSES = 5


def create(name, num_classes=CLASSES, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=num_classes, **(SMALL if name in OURS else {}) | kwargs)


# Names that differ in widths and depths alone are one model once these are cut; what costs seconds runs on one of them.
UNLIKE = list({repr(create(name, device="meta")): name for name in OURS}.values())

every_name = pytest.mark.parametrize("name", [*OURS, *CONTROLS])
# That timm's own models pass too is asked for among the slow tests.
both = pytest.mark.parametrize("name", [*UNLIKE, *(pytest.param(name, marks=pytest.mark.slow) for name in CONTROLS)])
every_one_of_ours = pytest.mark.parametrize("name", OURS)
ours = pytest.mark.parametrize("name", UNLIKE)
# Compiling and exporting take many seconds a model: one in every run, the others among the slow tests.
compiled = pytest.mark.parametrize(
    "name", [UNLIKE[0], *(pytest.param(name, marks=pytest.mark.slow) for name in [*UNLIKE[1:], *CONTROLS])]
)


def images(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*(shape or (2, 3, 64, 64)), generator=torch.Generator().manual_seed(seed)).to(dtype)


def train_step(model, x=None, optimizer=None):
    model.train()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.01)
    x = images() if x is None else x
    loss = nn.functional.cross_entropy(model(x).float(), torch.arange(len(x)) % CLASSES)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
