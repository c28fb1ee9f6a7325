"""Every optimiser and schedule treats physical parameters as the recipe says."""

from typing import get_args

import pytest
import torch

from wavezoo.config.recipe import ScheduleSection
from wavezoo.data import find_dataset
from wavezoo.train.model import build_model, build_task, physical_parameters
from wavezoo.train.optimizer import build_optimizer, build_schedule

SCHEDULES = get_args(ScheduleSection.model_fields["name"].annotation)


def fresh(recipe):
    facts = find_dataset(recipe.data.name).facts
    return build_model(recipe, facts, build_task(recipe, facts))


@pytest.mark.parametrize("warmup", [0, 5])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_two_learning_rates_keep_their_ratio(schedule, warmup, quickstart):
    rates = ["optimizer.lr=1e-3", "optimizer.physics_lr=1e-5", "schedule.min_lr=1e-4"]
    recipe = quickstart(
        *rates, f"schedule.name={schedule}", f"schedule.warmup_steps={warmup}", "schedule.warmup_epochs=0"
    )
    optimizer = build_optimizer(recipe, fresh(recipe))
    following = build_schedule(recipe, optimizer, 40, 10)
    seen = []
    for update in range(1, 41):
        by_group = {bool(group.get("physical")): group["lr"] for group in optimizer.param_groups}
        seen.append(by_group[False])
        assert by_group[True] == pytest.approx(1e-2 * by_group[False], rel=1e-9)
        if following is not None:
            following.step_update(update)
    assert 0.9e-3 < max(seen) <= 1e-3
    if schedule == "constant":
        assert seen[warmup:] == [1e-3] * (40 - warmup)
    else:
        assert seen[-1] < 0.8e-3


@pytest.mark.parametrize("preset", ["closed_form", "stepped"])
def test_physical_parameters_have_a_group_of_their_own(preset, quickstart):
    recipe = quickstart("optimizer.physics_lr=1e-5", f"model.preset={preset}")
    model = fresh(recipe)
    groups = build_optimizer(recipe, model).param_groups
    physical = {id(value) for value in physical_parameters(model)}
    assert physical
    for group in groups:
        here = {id(value) for value in group["params"]}
        assert here == physical if group.get("physical") else not here & physical
        assert group["lr"] == (1e-5 if group.get("physical") else 3e-3)
        if group["weight_decay"]:
            assert all(value.ndim > 1 for value in group["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_a_model_of_timms_has_no_physics(quickstart):
    recipe = quickstart("model={name: resnet10t}")
    model = fresh(recipe)
    groups = build_optimizer(recipe, model).param_groups
    assert not any(group.get("physical") for group in groups)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_muon_leaves_physical_parameters_to_adamw(quickstart):
    recipe = quickstart("optimizer.name=muon", "model.preset=stepped")
    model = fresh(recipe)
    physical = list(physical_parameters(model))
    assert any(value.ndim > 1 for value in physical)
    optimizer, before = build_optimizer(recipe, model), [value.detach().clone() for value in physical]
    (1e4 * model(torch.randn(4, 1, 8, 8)).logsumexp(1).sum()).backward()
    optimizer.step()
    # The first step of Adam is of one length, whatever the gradient.
    for value, former in zip(physical, before, strict=True):
        moved = (value - former).abs()[value.grad.abs() > 1e-6]
        assert torch.allclose(moved, moved.max(), rtol=0.05)
