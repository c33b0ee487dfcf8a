"""The penalty on a critic's slopes that differ from 1 (Gulrajani et al. 2017, eq. 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case


def gradient_penalty(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    import torch

    x = (mix * real + (1 - mix) * fake).requires_grad_()
    (slopes,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return ((slopes.norm(dim=1) - 1) ** 2).mean()


def penalty_by_vmap(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    import torch

    def score(x: Any) -> Any:
        return D(x[None])[0, 0]

    slopes = torch.func.vmap(torch.func.grad(score))(fake + mix * (real - fake))
    lengths = (slopes * slopes).sum(1).sqrt()
    return torch.mean(lengths**2 - 2 * lengths + 1).reshape(1)


def penalty_one_by_one(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    import torch
    from torch.nn import functional as F  # noqa: N812

    lengths = []
    for r, f, m in zip(real, fake, mix, strict=True):
        x = torch.lerp(f, r, m)
        x.requires_grad = True
        slope = torch.autograd.grad(D(x.unsqueeze(0)).squeeze(), x, create_graph=True)[0]
        lengths.append(torch.linalg.vector_norm(slope))
    return F.mse_loss(torch.stack(lengths), torch.ones(len(lengths), dtype=real.dtype))


def penalty_inputs(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, label: str = "", head: str = "") -> Case:
        D = f"{d}, 5, 1, seed {rng.integers(1000)}{head}"
        real, fake = rng.normal(size=(2, n, d))
        return Case((D, real, fake + 0.5, rng.uniform(0.1, 0.9, size=(n, 1))), label)

    return [
        case(3, 2),
        case(4, 3),
        case(6, 2),
        case(5, 5),
        case(1, 3, "a single pair"),
        case(4, 2, "a discriminator that is steep", ", head times 30.0"),
        case(4, 2, "a discriminator that is nearly flat", ", head times 0.1"),
    ]


def between(real: Any, fake: Any, mix: Any) -> Any:
    return mix * real + (1 - mix) * fake


def variant(
    at: Callable[[Any, Any, Any], Any] = between,
    score: Callable[[Any], Any] = lambda logits: logits.sum(),
    graph: bool = True,
    length: Callable[[Any], Any] = lambda slopes: slopes.norm(dim=1),
    cost: Callable[[Any], Any] = lambda lengths: (lengths - 1) ** 2,
    pool: Callable[[Any], Any] = lambda costs: costs.mean(),
    handed: Callable[[Any], Any] = lambda penalty: penalty,
) -> Callable[..., Any]:
    """The penalty with one part exchanged."""

    def answer(D: Any, real: Any, fake: Any, mix: Any) -> Any:
        import torch

        x = at(real, fake, mix).clone().requires_grad_()
        (slopes,) = torch.autograd.grad(score(D(x)), x, create_graph=graph)
        return handed(pool(cost(length(slopes))))

    return answer


def of_the_weights(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    import torch

    slopes = torch.autograd.grad(D(between(real, fake, mix)).sum(), list(D.parameters()), create_graph=True)
    return (torch.cat([slope.flatten() for slope in slopes]).norm() - 1) ** 2


def weights_themselves(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    import torch

    return (torch.cat([weight.flatten() for weight in D.parameters()]).norm() - 1) ** 2


def by_backward(create_graph: bool) -> Callable[..., Any]:
    def answer(D: Any, real: Any, fake: Any, mix: Any) -> Any:
        x = between(real, fake, mix).requires_grad_()
        D(x).sum().backward(create_graph=create_graph)
        return ((x.grad.norm(dim=1) - 1) ** 2).mean()

    return answer


def cleared(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    """Right, and D's gradients are set to zero when ``backward`` has been there."""
    penalty = by_backward(create_graph=True)(D, real, fake, mix)
    D.zero_grad()
    return penalty


def marked(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    """Right, and the real samples ask for gradients from now on."""
    import torch

    real.requires_grad_()
    x = between(real, fake, mix)
    (slopes,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return ((slopes.norm(dim=1) - 1) ** 2).mean()


def in_an_end(which: str) -> Callable[..., Any]:
    """The slope with respect to one of the two samples that a point is mixed from."""

    def answer(D: Any, real: Any, fake: Any, mix: Any) -> Any:
        import torch

        ends = {"real": real.clone().requires_grad_(), "fake": fake.clone().requires_grad_()}
        (slopes,) = torch.autograd.grad(
            D(between(ends["real"], ends["fake"], mix)).sum(), ends[which], create_graph=True
        )
        return ((slopes.norm(dim=1) - 1) ** 2).mean()

    return answer


def slope_of_the_line(D: Any, real: Any, fake: Any, mix: Any) -> Any:
    """The quotient of differences between the ends in place of a slope."""
    rise = (D(real) - D(fake))[:, 0].abs()
    return ((rise / (real - fake).norm(dim=1) - 1) ** 2).mean()


def drawn_anew(real: Any, fake: Any, mix: Any) -> Any:
    import torch

    return between(real, fake, torch.rand_like(mix))


def one_for_all(real: Any, fake: Any, mix: Any) -> Any:
    return between(real, fake, mix[0])


GRADIENT_PENALTY = Exercise(
    id="gans.gradient_penalty",
    kind="function",
    title="Punish slopes that are not 1",
    points=3,
    minutes=20,
    difficulty=3,
    function="gradient_penalty",
    reference=gradient_penalty,
    alternatives=(penalty_by_vmap, penalty_one_by_one),
    inputs=penalty_inputs,
    driver="penalizes",
    blame=("form of the result", "penalty", "slopes of the penalty in the weights of D", "gradients in the weights of D", "graph behind real, fake and mix"),
    rtol=1e-4,
    atol=1e-7,
    forbid=("dlcourse.models",),
    wrong=(
        Wrong(
            "one-not-subtracted",
            variant(cost=lambda n: n**2),
            "You average the squared lengths themselves, which pulls every slope to 0. To which length does this penalty pull it?",
        ),
        Wrong(
            "one-subtracted-from-the-square",
            variant(cost=lambda n: (n**2 - 1) ** 2),
            "You subtract 1 from the *squared* length, and square again. Which length has the arrow (3, 4), and from what does the formula subtract 1?",
        ),
        Wrong(
            "not-squared",
            variant(cost=lambda n: n - 1),
            "You average length minus 1, which is smallest for a flat discriminator. What makes a slope of 0 as bad as a slope of 2?",
        ),
        Wrong(
            "absolute-value",
            variant(cost=lambda n: (n - 1).abs()),
            "You average the distance of the lengths from 1. What does the formula do with it before it averages?",
        ),
        Wrong(
            "squares-minus-one",
            variant(cost=lambda n: n**2 - 1),
            "You average squared length minus 1, which is smallest for a flat discriminator. In which order does the formula square and subtract?",
        ),
        Wrong(
            "one-sided",
            variant(cost=lambda n: (n - 1).clamp(min=0) ** 2),
            "Only slopes above 1 cost anything with you, a variant that the paper mentions. What does a slope of 1/2 cost by the task's formula?",
        ),
        Wrong(
            "mean-length-first",
            variant(pool=lambda lengths: (lengths.mean() - 1) ** 2, cost=lambda n: n),
            "You average the lengths before you subtract 1 and square, so a slope of 0 and one of 2 together cost nothing. Which comes first?",
        ),
        Wrong(
            "one-length-for-all",
            variant(length=lambda slopes: slopes.norm()),
            "You take one length of the slopes of all examples together. Over which axis does each example have a length of its own?",
        ),
        Wrong(
            "length-over-the-batch",
            variant(length=lambda slopes: slopes.norm(dim=0)),
            "Your lengths run over axis 0, the examples: one for each coordinate. Over which axis does each example have a length of its own?",
        ),
        Wrong(
            "each-coordinate",
            variant(length=lambda slopes: slopes),
            "You pull each *coordinate* of each slope to 1. Of what does the formula take the distance from 1?",
        ),
        Wrong(
            "length-by-absolute-values",
            variant(length=lambda slopes: slopes.abs().sum(dim=1)),
            "Your lengths are sums of absolute values. Which length has the arrow (3, 4)?",
        ),
        Wrong(
            "largest-coordinate",
            variant(length=lambda slopes: slopes.abs().max(dim=1).values),
            "Your lengths are those of the largest coordinate alone. Which length has the arrow (3, 4)?",
        ),
        Wrong(
            "root-of-the-mean",
            variant(length=lambda slopes: (slopes**2).mean(dim=1).sqrt()),
            "Under the root you take the *mean* of the squared coordinates. Which length has the arrow (3, 4)?",
        ),
        Wrong(
            "mean-score",
            variant(score=lambda logits: logits.mean()),
            "You differentiate the *mean* of D's outputs, so each slope is divided by the number of examples. Which one number of all outputs has each example's own slope?",
        ),
        Wrong(
            "slope-of-the-probability",
            variant(score=lambda logits: logits.sigmoid().sum()),
            "You take the slope of the sigmoid of D's output. Of what does the formula take it?",
        ),
        Wrong(
            "slope-of-the-loss",
            variant(score=lambda logits: (1 + (-logits).exp()).log().sum()),
            "You take the slope of a loss of D's output. Of what does the formula take it?",
        ),
        Wrong(
            "slope-of-the-square",
            variant(score=lambda logits: (logits**2).sum()),
            "You take the slope of the *square* of D's output. Of what does the formula take it?",
        ),
        Wrong(
            "at-the-real-samples",
            variant(at=lambda real, fake, mix: real),
            "You take the slopes at the real samples, as the R1 penalty does. Where does this one take them?",
        ),
        Wrong(
            "at-the-fakes",
            variant(at=lambda real, fake, mix: fake),
            "You take the slopes at the fakes. Where does this penalty take them?",
        ),
        Wrong(
            "r1",
            variant(at=lambda real, fake, mix: real, cost=lambda n: n**2),
            "That is the R1 penalty without its factor: the mean squared length of the slopes at the real samples. Where does this one take the slopes, and to which length does it pull them?",
        ),
        Wrong(
            "r1-halved",
            variant(at=lambda real, fake, mix: real, cost=lambda n: n**2 / 2),
            "That is the R1 penalty: half the mean squared length of the slopes at the real samples. Where does this one take the slopes, and to which length does it pull them?",
        ),
        Wrong(
            "mix-turned-round",
            variant(at=lambda real, fake, mix: (1 - mix) * real + mix * fake),
            "With you, `mix` is the share of the *fake*. Of which of the two is it the share by the task?",
        ),
        Wrong(
            "in-the-middle",
            variant(at=lambda real, fake, mix: (real + fake) / 2),
            "`mix` has no effect: you take the slopes halfway between. Where on the line does the task want each pair's point?",
        ),
        Wrong(
            "sum-for-mixture",
            variant(at=lambda real, fake, mix: mix * real + fake),
            "Your points are not between: the share of the fake is always 1. What do the two shares add up to?",
        ),
        Wrong(
            "difference-added-to-the-real",
            variant(at=lambda real, fake, mix: real + mix * (real - fake)),
            "Your points lie beyond the real sample, away from the fake. In which direction is the fake, seen from there?",
        ),
        Wrong(
            "mix-drawn-anew",
            variant(at=drawn_anew),
            "You draw shares of your own. Which argument holds them already?",
        ),
        Wrong(
            "one-share-for-all",
            variant(at=one_for_all),
            "All pairs get the first pair's share. How many shares does `mix` hold?",
        ),
        Wrong(
            "real-and-fakes-apart",
            lambda D, real, fake, mix: (
                variant(at=lambda real, fake, mix: real)(D, real, fake, mix)
                + variant(at=lambda real, fake, mix: fake)(D, real, fake, mix)
            ),
            "You add a penalty at the real samples and one at the fakes. Where does the task want the slopes to be taken?",
        ),
        Wrong(
            "slope-in-the-real-samples",
            in_an_end("real"),
            "You differentiate with respect to `real`, which moves the point by its share alone, so each slope comes out times `mix`. In which x does the formula take the slope?",
        ),
        Wrong(
            "slope-in-the-fakes",
            in_an_end("fake"),
            "You differentiate with respect to `fake`, which moves the point by its share alone, so each slope comes out times 1 - `mix`. In which x does the formula take the slope?",
        ),
        Wrong(
            "slope-between-the-ends",
            slope_of_the_line,
            "You divide the difference of two scores by the distance of their samples, and `mix` has no effect. How do you get the slope at one point, in all directions?",
        ),
        Wrong(
            "weights-for-inputs",
            of_the_weights,
            "You take the slope of D's output in its *weights*. With respect to what does the formula differentiate?",
        ),
        Wrong(
            "size-of-the-weights",
            weights_themselves,
            "You punish the size of D's weights, and the samples have no effect. Which slope is meant?",
        ),
        Wrong(
            "summed",
            variant(pool=lambda costs: costs.sum()),
            "You sum over the examples, so a larger batch has a larger penalty. By what should the sum be divided?",
        ),
        Wrong(
            "largest",
            variant(pool=lambda costs: costs.max()),
            "Only the example with the worst slope counts. What does the formula take of all of them?",
        ),
        Wrong(
            "halved",
            variant(handed=lambda penalty: penalty / 2),
            "Your penalty is half of the one asked for. Does this formula have the factor?",
        ),
        Wrong(
            "times-ten",
            variant(handed=lambda penalty: 10 * penalty),
            "Your penalty has the weight of 10 already, by which the paper multiplies it later. Is it part of this formula?",
        ),
        Wrong(
            "negative",
            variant(handed=lambda penalty: -penalty),
            "Your penalty is negative, so minimizing it would drive the slopes away from 1. Which sign should a cost have?",
        ),
        Wrong(
            "no-graph",
            variant(graph=False),
            "The number is right, but nothing can be learned from it: its own slope in the weights of D is missing. Is it cut off from its graph, or were the slopes taken without one? (Which argument of `torch.autograd.grad` keeps it?)",
        ),
        Wrong(
            "graph-begun-anew",
            variant(length=lambda slopes: slopes.detach().requires_grad_().norm(dim=1)),
            "The number is right, but its slope in the weights of D is 0: the graph begins anew at the slopes of D, as if they were data. What keeps them tied to the weights that they come from?",
        ),
        Wrong(
            "number-for-tensor",
            variant(handed=lambda penalty: penalty.item()),
            "You hand back a plain number. What will be differentiated in the weights of D, and can a number be?",
        ),
        Wrong(
            "lengths-detached",
            variant(cost=lambda n: (n - 1) * (n.detach() - 1)),
            "The number is right, but its slope in the weights of D is half of what it should be: one of two factors is cut off from its graph. Where is something detached?",
        ),
        Wrong(
            "each-example",
            variant(pool=lambda costs: costs),
            "You hand back a penalty for each example. Which one number is asked for?",
        ),
        Wrong(
            "gradients-cleared",
            cleared,
            "The penalty is right, but the gradients that D's weights had before are gone: another loss may have put them there. Which function gives slopes without writing them anywhere, so that nothing needs to be cleared?",
        ),
        Wrong(
            "real-samples-marked",
            marked,
            "The penalty is right, but one of the tensors that you were given asks for gradients from now on, and whoever uses it next makes a graph of it. Which tensor of your own do you differentiate in?",
        ),
        Wrong(
            "gradients-left-behind",
            by_backward(create_graph=True),
            "The penalty is right, but `backward` has left slopes of D's *output* in the gradients of its weights, where the next step would follow them. Which function gives slopes without writing them anywhere?",
        ),
        Wrong(
            "gradients-left-behind-no-graph",
            by_backward(create_graph=False),
            "The number is right, but its own slope in the weights of D is missing, and `backward` has left slopes of D's output in their gradients. Which function gives slopes without writing them anywhere, and can keep their graph?",
        ),
    ),
    hints=(
        "First the points between, one for each pair. They are what you differentiate with respect to, so they need `requires_grad_()`.",
        "`torch.autograd.grad(scores.sum(), x, create_graph=True)` gives the slope of each score in its own x: the sum's slope is that, because no example's score depends on another's x.",
        "`slopes.norm(dim=1)` has one length for each example; minus 1, squared, averaged. `create_graph=True` is what lets the penalty be differentiated again.",
    ),
    unlocks="A slope inside a loss: the first time in this course that you differentiate twice.",
)  # fmt: skip
