"""Unit 14, answered from its notebook's text alone."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from fractions import Fraction

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import KDTree
from torch import nn
from torch.nn import functional as F  # noqa: N812

from held_out import HeldOut


def discriminator_loss_of_a_steep_sigmoid(real_logits, fake_logits):
    """D as (1 + tanh(logit)) / 2, which is the sigmoid of twice the logit."""
    return np.logaddexp(0, -2 * real_logits).mean() + np.logaddexp(0, 2 * fake_logits).mean()


def discriminator_loss_of_two_classes(real_logits, fake_logits):
    """A softmax over two classes, real and fake, whose second logit is 0; means as weighted sums."""
    logits = np.concatenate([real_logits, fake_logits])
    scores = np.stack([logits, np.zeros_like(logits)], axis=1)
    logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    labels = np.repeat([0, 1], [real_logits.size, fake_logits.size])
    weights = 1 / np.repeat([real_logits.size, fake_logits.size], [real_logits.size, fake_logits.size])
    return -(weights @ logs[np.arange(logits.size), labels])


def generator_loss_at_a_temperature(fake_logits):
    """Halves the logits first."""
    return np.mean(np.logaddexp(0, -fake_logits / 2))


def generator_loss_in_pieces(fake_logits):
    """Two forms, for logits on either side of 0; a fraction for the mean."""
    costs = [
        math.log1p(math.exp(-x)) if x > 0 else -x + math.log1p(math.exp(x)) for x in np.ravel(fake_logits).tolist()
    ]
    return np.float64(sum(costs) * Fraction(1, len(costs)))


def optimal_discriminator_of_squares(p_real, p_fake, dx):
    """JS is right; D compares the squares of the densities, and nothing is 0 on the way but what was."""
    _, js = optimal_discriminator_in_logarithms(p_real, p_fake, dx)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        odds = np.exp(2 * (np.log(p_fake) - np.log(p_real)))
    return np.where(p_real + p_fake > 0, 1 / (1 + odds), 0.5), js


def optimal_discriminator_in_logarithms(p_real, p_fake, dx):
    """Logarithms first, nan and all; what is no number is replaced afterwards."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.log(p_real), np.log(p_fake)
        both = np.logaddexp(a, b)
        D = np.nan_to_num(np.exp(a - both), nan=0.5)
        terms = p_real * (a - both + math.log(2)), p_fake * (b - both + math.log(2))
    return [D, dx / 2 * float(np.nansum(terms))]


def turn_with_few_fakes(G, D, optimizer_G, optimizer_D, real, z):
    """Mended, and the generator's loss leaves out the last fake."""
    fake = G(z)
    optimizer_D.zero_grad()
    loss_D = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    loss_D.backward()
    optimizer_D.step()
    optimizer_G.zero_grad()
    loss_G = F.softplus(-D(fake[:-1])).mean()
    loss_G.backward()
    optimizer_G.step()
    return loss_D.item(), loss_G.item()


def turn_by_named_inputs(G, D, optimizer_G, optimizer_D, real, z):
    """Nothing is detached: each ``backward`` is told whose weights may receive slopes. Two losses of D, one behind the other."""
    fake = G(z)
    G.zero_grad()
    D.zero_grad()
    losses = F.softplus(-D(real)).mean(), F.softplus(D(fake)).mean()
    for loss in losses:
        loss.backward(inputs=list(D.parameters()), retain_graph=True)
    optimizer_D.step()
    loss_G = F.softplus(-D(fake)).mean()
    loss_G.backward(inputs=list(G.parameters()))
    optimizer_G.step()
    return np.array([sum(losses).item(), loss_G.item()])


def penalty_of_coordinates(D, real, fake, mix):
    """The size of each coordinate is pulled to 1, and the costs of one example are added."""
    x = (mix * real + (1 - mix) * fake).requires_grad_()
    (slopes,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return ((slopes.abs() - 1) ** 2).sum(dim=1).mean()


def penalty_that_tidies_up(D, real, fake, mix):
    """Slopes by ``backward``; the gradients that D's weights had are put back."""
    kept = [weight.grad for weight in D.parameters()]
    for weight in D.parameters():
        weight.grad = None
    x = nn.Parameter(torch.lerp(fake, real, mix.expand_as(real)))
    D(x).sum().backward(create_graph=True)
    for weight, grad in zip(D.parameters(), kept, strict=True):
        weight.grad = grad
    return torch.stack([(slope.norm() - 1) ** 2 for slope in x.grad]).mean()


def spectral_norm_between_two_lengths(weight, u, steps):
    """Sigma is the mean of the lengths of the last Wᵀu and W v."""
    for _ in range(steps):
        before = u
        v = F.normalize(weight.detach().T @ before, dim=0)
        u = F.normalize(weight.detach() @ v, dim=0)
    return weight / ((before + u) @ weight @ v / 2), u


def spectral_norm_again_and_again(weight, u, steps):
    """Divides the weight in each step; as sigma grows with the weight, only the last division counts."""
    for _ in range(steps):
        v = (u @ weight).detach()
        v = v / v.square().sum().sqrt()
        u = (weight * v).sum(dim=1).detach()
        u = u / u.square().sum().sqrt()
        weight = weight / (weight * torch.outer(u, v)).sum()
    return weight, u


def coverage_without_shared_samples(samples, centers, radius, least):
    """A sample that lies within two circles counts for neither."""
    within = np.hypot(*(samples[:, None] - centers).transpose(2, 0, 1)) <= radius
    alone = within & (within.sum(axis=1, keepdims=True) == 1)
    return (alone.sum(axis=0) >= least).sum(), alone.any(axis=1).mean()


def coverage_by_tree(samples, centers, radius, least):
    """Nearest centers from a k-d tree, and a Counter; an array of both numbers."""
    distances, nearest = KDTree(centers).query(samples)
    counts = Counter(k for d, k in zip(distances.tolist(), nearest.tolist(), strict=True) if d <= radius)
    return np.array([sum(n >= least for n in counts.values()), counts.total() / len(samples)])


def cycle_loss_with_a_round_corner(a, b, to_b, to_a):
    """Smooth L1: squares for differences below 1."""
    trips = ((to_a(to_b(a)), a), (to_b(to_a(b)), b))
    return sum(F.smooth_l1_loss(torch.from_numpy(back.copy()), torch.from_numpy(x)).item() for back, x in trips)


class CycleLoss(nn.Module):
    """Both trips by PyTorch's L1 loss; the sum of two positive parts in place of an absolute value would do, too."""

    def forward(self, a, b, to_b, to_a):
        a_back, b_back = (torch.tensor(x) for x in (to_a(to_b(a)), to_b(to_a(b))))
        first = F.relu(a_back - torch.tensor(a)) + F.relu(torch.tensor(a) - a_back)
        return first.mean().item() + nn.L1Loss()(b_back, torch.tensor(b)).item()


def psnr_of_the_middle_pixel(image, reference, peak=1.0):
    """The median of the squares for their mean."""
    off = image.astype(float) - reference.astype(float)
    return math.inf if not off.any() else 10 * math.log10(peak**2 / np.median(off**2))


def psnr_by_distance(image, reference, peak=1.0):
    """The straight line between two images as points, in exact numbers; a float of NumPy."""
    pairs = zip(image.ravel().tolist(), reference.ravel().tolist(), strict=True)
    squares = sum((Fraction(x) - Fraction(y)) ** 2 for x, y in pairs)
    if not squares:
        return np.float64("inf")
    return np.float64(-10 * math.log10(squares / image.size / Fraction(peak) ** 2))


def frechet_with_a_ridge(mean_1, cov_1, mean_2, cov_2):
    """Adds a thousandth to all variances of the product, as some code for FID does where it is singular."""
    ridge = 1e-3 * np.eye(len(mean_1))
    root = np.sqrt(np.linalg.eigvals((cov_1 + ridge) @ (cov_2 + ridge)).astype(complex)).real.sum()
    return np.sum((mean_1 - mean_2) ** 2) + np.trace(cov_1 + cov_2) - 2 * root


def frechet_by_turning(mean_1, cov_1, mean_2, cov_2):
    """Turns one factor of a covariance onto a factor of the other: what is left between them is the distance."""
    A, B = (vectors * np.sqrt(np.abs(values)) for values, vectors in map(np.linalg.eigh, (cov_1, cov_2)))
    turn, _ = orthogonal_procrustes(A, B)
    return math.dist(mean_1, mean_2) ** 2 + np.linalg.norm(A @ turn - B) ** 2


def signs(points):
    """No training: the signs of three noises choose one of eight points, in Tanh, ReLU and a Linear without bias."""
    choose, match, place = nn.Linear(64, 3, bias=False), nn.Linear(3, 8), nn.Linear(8, 2, bias=False)
    with torch.no_grad():
        choose.weight.copy_(1e4 * torch.eye(3, 64))
        match.weight.copy_(torch.tensor([[1.0 if k >> i & 1 else -1.0 for i in range(3)] for k in range(8)]))
        match.bias.fill_(-2)
        place.weight.copy_(torch.tensor(points).T)
    return nn.Sequential(choose, nn.Tanh(), nn.Sequential(match, nn.ReLU()), place).double().eval()


def eight(size=2.0):
    """The ring's centers, or those of another ring."""
    return [(size * math.cos(k * math.pi / 4), size * math.sin(k * math.pi / 4)) for k in range(8)]


ANSWERS = {
    "gans.discriminator_loss": HeldOut(
        discriminator_loss_of_a_steep_sigmoid, "Expected was", discriminator_loss_of_two_classes
    ),
    "gans.generator_loss": HeldOut(generator_loss_at_a_temperature, "Expected was", generator_loss_in_pieces),
    "gans.optimal_discriminator": HeldOut(
        optimal_discriminator_of_squares, "`D` is not", optimal_discriminator_in_logarithms
    ),
    "gans.train_step": HeldOut(turn_with_few_fakes, "Look at `loss_G of the first step` first", turn_by_named_inputs),
    "gans.gradient_penalty": HeldOut(penalty_of_coordinates, "Look at `penalty` first", penalty_that_tidies_up),
    "gans.spectral_norm": HeldOut(
        spectral_norm_between_two_lengths, "Look at `weight / sigma` first", spectral_norm_again_and_again
    ),
    "gans.mode_coverage": HeldOut(coverage_without_shared_samples, "circles that overlap", coverage_by_tree),
    "gans.cycle_loss": HeldOut(cycle_loss_with_a_round_corner, "Expected was", CycleLoss()),
    "gans.psnr": HeldOut(psnr_of_the_middle_pixel, "Expected was", psnr_by_distance),
    "gans.frechet_distance": HeldOut(frechet_with_a_ridge, "Expected was", frechet_by_turning),
    "gans.diagnose": HeldOut(
        {"A": "weak discriminator", "B": "collapse", "C": "healthy", "D": "oscillation", "E": "vanishing gradient"},
        "A's samples sit around one cloud of the ring",
        OrderedDict(E="vanishing gradients", D="Oscillation ", C="healthy", B="Weak Discriminator", A="mode_collapse"),
    ),
    "gans.rescue": HeldOut(signs([*eight()[:5], *eight()[:3]]), "fewer than seven modes", signs(eight())),
}
