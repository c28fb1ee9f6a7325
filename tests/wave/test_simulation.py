import torch

import wavezoo


def random(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def test_without_the_guard_the_same_run_blows_up():
    operator = wavezoo.create_operator(2, 1, damping="none", courant_guard="off", dt=2.0)
    run = operator.simulate(random(2, 2, 8, dtype=torch.float32), steps=500, every=100)
    assert (run.courant > run.courant_limit).all()
    assert (run.margin < 0).all()
    assert not run.displacement.isfinite().all()


def test_the_guard_leaves_slow_waves_as_they_are():
    slow = {"name": "constant", "initial": 1e-3}
    guarded, free = (wavezoo.create_operator(2, 1, speed=slow, courant_guard=guard) for guard in ("limit", "off"))
    free.load_state_dict(guarded.state_dict())
    x = random(2, 2, 8, dtype=torch.float32)
    torch.testing.assert_close(guarded(x), free(x), rtol=1e-5, atol=1e-6)


def test_undamped_waves_keep_their_energy():
    operator = wavezoo.create_operator(2, 2, damping="none", speed={"name": "constant", "initial": 0.2}).double()
    run = operator.simulate(random(2, 2, 16, 16), steps=2000, every=10)
    swing = run.energy / run.energy[0] - 1
    assert swing.abs().max() < 0.1
    torch.testing.assert_close(run.wecs, torch.ones(2, dtype=torch.float64), atol=0.1, rtol=0)


def test_simulate_records_what_forward_returns():
    operator = wavezoo.create_operator(3, 2, steps=6)
    x = random(2, 3, 6, 5, dtype=torch.float32)
    run = operator.simulate(x, every=2)
    assert run.times.tolist() == [0, 2, 4, 6]
    torch.testing.assert_close(run.displacement[-1], operator(x))
    torch.testing.assert_close(run.displacement[0], x)
