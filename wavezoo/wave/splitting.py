"""Runs of splitting schemes, kick after drift, with their gradient written out.

Their transposed is a run backwards that needs one Laplacian a kick, as the run itself does. It keeps two fields a kick,
or none where it undoes the kicks; autograd keeps and passes over several more.

Shapes: B batch, C channels, ``*G`` grid, ``(N,)`` or ``(H, W)``; channels first.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from wavezoo.wave.blocks import Gathered, blocks_of
from wavezoo.wave.damping.base import KickForm
from wavezoo.wave.precision import without_autocast
from wavezoo.wave.system import KickCoefficients, WaveSystem, kicked

State = tuple[Tensor, Tensor | None]


class Stage(NamedTuple):
    """A kick, ``v⁺ = decay v + push a(u)``, and the drift after it, ``u⁺ = u + drift v⁺``.

    Attributes:
        form: the form of the kick, of `wavezoo.wave.damping`.
        length: how long the kick is.
        drift: how long the drift is; 0 for none, so that the next kick has the same acceleration.
    """

    form: KickForm
    length: float
    drift: float


class Before(NamedTuple):
    """What a kick was made of: the pull, ``(B, C, *G)``, and the velocity before it, likewise; None for rest."""

    pull: Tensor
    velocity: Tensor | None


def advanced(system: WaveSystem, u: Tensor, v: Tensor | None, stages: Sequence[Stage], velocity: bool = True) -> State:
    """Return displacement and, if it is wanted, velocity after ``stages``, at least one.

    Args:
        system: the medium.
        u: displacement, ``(B, C, *G)``.
        v: velocity, likewise; None for rest.
        stages: kicks and drifts.
        velocity: whether the final velocity is wanted; without, None may stand in its place.
    """
    run = split_run(system, stages, velocity)
    if run is None or _is_watched(u, v, *run.coefficients):
        u, v = _plainly(
            system.pull, lambda v, pull, stage: system.kick(v, pull, stage.length, stage.form), u, v, stages
        )
    elif not torch.is_grad_enabled():
        u, v = _in_blocks(run, u, v, run.coefficients)
    else:
        u, v = _Run.apply(run, u, v, *run.coefficients)
    # Without the last kick it is that of no step's end.
    return u, v if velocity else None


def split_run(system: WaveSystem, stages: Sequence[Stage], velocity: bool = True) -> "SplitRun | None":
    """Return the run through a medium whose gradient is written out; None where it is not, and autograd finds it."""
    if system.transposed is None or not system.scales_in_kick:
        return None
    kicks = {(each.form, each.length): system.coefficients(each.form, each.length) for each in stages}
    return SplitRun(system.laplacian, system.transposed, stages, kicks, velocity)


def _is_watched(*tensors: Tensor | None) -> bool:
    """Return whether a compiler, a tracer, a transform of `torch.func` or forward mode follows single operations."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._are_functorch_transforms_active():
        return True
    return any(each is not None and forward_ad.unpack_dual(each).tangent is not None for each in tensors)


def _plainly(
    pull_of: Callable[[Tensor], Tensor],
    kick: Callable[[Tensor | None, Tensor, Stage], Tensor],
    u: Tensor,
    v: Tensor | None,
    stages: Sequence[Stage],
) -> State:
    pull = None
    for stage in stages:
        pull = pull_of(u) if pull is None else pull
        v = kick(v, pull, stage)
        if stage.drift:
            u, pull = torch.add(u, v, alpha=stage.drift), None
    return u, v


class SplitRun:
    """A run whose kicks have known coefficients, ``v⁺ = decay v + factor push L u``.

    Args:
        laplacian: the Laplacian, ``(B, C, *G) -> (B, C, *G)``, a fixed linear map.
        transposed: its adjoint.
        stages: kicks and drifts, at least one.
        kicks: the coefficients, by form and length.
        velocity: whether the final velocity is wanted.

    Attributes:
        coefficients: decay and push of each kick in turn; None for a decay of 1.
    """

    def __init__(
        self,
        laplacian: Callable[[Tensor], Tensor],
        transposed: Callable[[Tensor], Tensor],
        stages: Sequence[Stage],
        kicks: dict[tuple[KickForm, float], KickCoefficients],
        velocity: bool,
    ) -> None:
        self.laplacian = laplacian
        self.transposed = transposed
        self.stages = stages
        self.velocity = velocity
        self.coefficients = [each for decay, push, _ in kicks.values() for each in (decay, push)]
        numbers = {key: number for number, key in enumerate(kicks)}
        self.numbers = [numbers[each.form, each.length] for each in stages]
        self.factors = [factor for _, _, factor in kicks.values()]
        self.fresh = [not number or stages[number - 1].drift != 0 for number in range(len(stages))]

    def plainly(self, u: Tensor, v: Tensor | None, coefficients: Sequence[Tensor | None]) -> State:
        """Return the end of the run by operations that autograd knows."""
        numbers = dict(zip(((each.form, each.length) for each in self.stages), self.numbers, strict=True))

        def kick(v: Tensor | None, pull: Tensor, stage: Stage) -> Tensor:
            number = numbers[stage.form, stage.length]
            return kicked(v, pull, *_of(coefficients, number), self.factors[number])

        return _plainly(self.laplacian, kick, u, v, self.stages)

    def forwards(
        self, u: Tensor, v: Tensor | None, coefficients: Sequence[Tensor | None], pulls: list[Tensor] | None = None
    ) -> State:
        """Return the end of the run, overwriting all but the start as it goes, and append to ``pulls``, if given.

        Fresh memory costs more than the arithmetic.
        """
        pull, owns_u, owns_v = u, False, False
        for stage, number, fresh in zip(self.stages, self.numbers, self.fresh, strict=True):
            if fresh:
                pull = self.laplacian(u)
                if pulls is not None:
                    pulls.append(pull)
            decay, push = _of(coefficients, number)
            if v is not None and owns_v:
                v = (v if decay is None else v.mul_(decay)).addcmul_(push, pull, value=self.factors[number])
            else:
                v, owns_v = kicked(v, pull, decay, push, self.factors[number]), True
            if stage.drift:
                u, owns_u = u.add_(v, alpha=stage.drift) if owns_u else torch.add(u, v, alpha=stage.drift), True
        return u, v

    def followed(
        self, v: Tensor | None, coefficients: Sequence[Tensor | None], pulls: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Iterable[Before]:
        """Return, from the last kick to the first, what it was made of, from the velocity at the start and the pulls.

        Without its velocity where the decay of no kick is ``wanted``.
        """
        history: list[Before] = []
        fresh_pulls = iter(pulls)
        for number, fresh in zip(self.numbers, self.fresh, strict=True):
            pull = next(fresh_pulls) if fresh else history[-1].pull
            history.append(Before(pull, v))
            if any(wanted[::2]):
                v = kicked(v, pull, *_of(coefficients, number), self.factors[number])
        return reversed(history)

    def backwards(
        self,
        gradients: tuple[Tensor | None, Tensor | None],
        coefficients: Sequence[Tensor | None],
        wanted: Sequence[bool],
        history: Iterable[Before],
    ) -> list[Tensor | None]:
        """Return the gradients of displacement and velocity at the start, and of each coefficient.

        Args:
            gradients: those of displacement and velocity at the end; None for zero.
            coefficients: decay and push of each kick in turn.
            wanted: whether each of them needs its gradient; that of others may be None.
            history: what each kick was made of, from the last to the first.
        """
        to_u, to_v = gradients
        owns_u = owns_v = False
        found: list[Tensor | None] = [None] * len(coefficients)
        to_pull: Tensor | None = None
        steps = zip(reversed(self.stages), reversed(self.numbers), reversed(self.fresh), history, strict=True)
        for stage, number, fresh, before in steps:
            if stage.drift and to_u is not None:
                if to_v is None:
                    to_v = to_u * stage.drift
                else:
                    to_v = to_v.add_(to_u, alpha=stage.drift) if owns_v else to_v.add(to_u, alpha=stage.drift)
                owns_v = True
            if to_v is None:
                continue
            decay, push = _of(coefficients, number)
            for place, factor, other in (
                (2 * number, 1.0, before.velocity),
                (2 * number + 1, self.factors[number], before.pull),
            ):
                if wanted[place] and other is not None:
                    found[place] = _plus_product(found[place], to_v, other, factor)
            to_pull = _plus_product(to_pull, to_v, push, self.factors[number])
            if fresh:
                pulled, to_pull = self.transposed(to_pull), None
                to_u = pulled if to_u is None else to_u.add_(pulled) if owns_u else to_u.add(pulled)
                owns_u = True
            if decay is not None:
                to_v, owns_v = to_v.mul_(decay) if owns_v else to_v * decay, True
        return [to_u, to_v, *found]


def _of(coefficients: Sequence[Tensor | None], number: int) -> tuple[Tensor | None, Tensor]:
    """Return decay and push of a kick."""
    decay, push = coefficients[2 * number : 2 * number + 2]
    assert push is not None
    return decay, push


def _plus_product(total: Tensor | None, a: Tensor, b: Tensor, factor: float) -> Tensor:
    """Return ``total + factor a b``, in the memory of ``total``; None for zero."""
    if total is None:
        return a * b if factor == 1 else torch.addcmul(a.new_zeros(()), a, b, value=factor)
    return total.addcmul_(a, b, value=factor)


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: SplitRun, u: Tensor, v: Tensor | None, *coefficients: Tensor | None) -> State:
        pulls: list[Tensor] = []
        end = _in_blocks(run, u, v, coefficients, pulls)
        ctx.save_for_backward(u, v, *coefficients, *pulls)
        ctx.run = run
        ctx.set_materialize_grads(False)
        return end

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        run = ctx.run
        count = 2 + len(run.coefficients)
        # Once: checkpointing hands each of them out a single time.
        saved = ctx.saved_tensors
        given, pulls = saved[:count], saved[count:]
        if torch.is_grad_enabled():
            return None, *_differentiable_gradients(run, given, gradients, ctx.needs_input_grad[1:])
        wanted, each = ctx.needs_input_grad[3:], sum(run.fresh)
        gathered = Gathered(given)
        with without_autocast(given[0].device):
            for number, block in enumerate(blocks_of(*given)):
                _, v, *coefficients = (block.of(tensor) for tensor in given)
                history = run.followed(v, coefficients, pulls[number * each : (number + 1) * each], wanted)
                to_u, to_v = (block.of(tensor) for tensor in gradients)
                gathered.add(block, run.backwards((to_u, to_v), coefficients, wanted, history))
        return None, *gathered.gradients()


def _in_blocks(
    run: SplitRun, u: Tensor, v: Tensor | None, coefficients: Sequence[Tensor | None], pulls: list[Tensor] | None = None
) -> State:
    ends = []
    for block in blocks_of(u, v, *coefficients):
        start, velocity, *others = (block.of(tensor) for tensor in (u, v, *coefficients))
        assert start is not None
        ends.append(run.forwards(start, velocity, others, pulls))
    if len(ends) == 1:
        return ends[0]
    us, vs = zip(*ends, strict=True)
    return torch.cat(us), torch.cat(vs) if run.velocity else None


def _differentiable_gradients(
    run: SplitRun, given: Sequence[Tensor | None], gradients: tuple[Tensor | None, ...], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of what is ``given`` to a run, by operations that have gradients in their turn."""
    places = [place for place, each in enumerate(wanted) if each]

    def end(*tensors: Tensor) -> tuple[Tensor, ...]:
        replaced = dict(zip(places, tensors, strict=True))
        u, v, *coefficients = (replaced.get(place, each) for place, each in enumerate(given))
        assert u is not None
        ends = run.plainly(u, v, coefficients)
        return tuple(each for each, by in zip(ends, gradients, strict=True) if each is not None and by is not None)

    pulled_back = torch.func.vjp(end, *(given[place] for place in places))[1]
    found = dict(zip(places, pulled_back(tuple(each for each in gradients if each is not None)), strict=True))
    return [found.get(place) for place in range(len(given))]
