"""Unit 16, answered from its notebook's text alone."""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import pairwise

import numpy as np
import torch
from scipy.signal import lfilter
from torch import nn
from torch.nn import functional as F  # noqa: N812

from held_out import HeldOut


def returns_of_the_impatient(rewards, terminated, gamma):
    """Hyperbolic discounting, as people do it: k steps later counts 1 / (1 + k (1 - gamma) / gamma)."""
    found = []
    for t in range(len(rewards)):
        end = next((k for k in range(t, len(rewards)) if terminated[k]), len(rewards) - 1)
        away = np.arange(end - t + 1)
        found.append(rewards[t : end + 1] @ (1 / (1 + away * (1 - gamma) / max(gamma, 1e-9))))
    return np.array(found)


def returns_by_equations(rewards, terminated, gamma):
    """The returns solve a system of equations, each of which names two of them."""
    T = len(rewards)
    system = np.eye(T) - np.diag(np.where(terminated[:-1], 0.0, gamma), k=1)
    return tuple(np.linalg.solve(system, rewards))


def greedy_among_two(q, epsilon, rng):
    """Explores between the best and the second best only."""
    order = np.argsort(q + 1e-9 * rng.random(len(q)))[::-1]
    return int(order[rng.integers(min(2, len(q)))] if rng.random() < epsilon else order[0])


class GumbelGreedy:
    """Chance in the exponent: the largest of log-probabilities with Gumbel noise."""

    def __call__(self, q, epsilon, rng):
        best = np.equal(q, np.amax(q))
        p = (1 - epsilon) * best / np.count_nonzero(best) + epsilon / q.size
        with np.errstate(divide="ignore"):
            return np.array((np.log(p) + rng.gumbel(size=q.size)).argmax())


def ucb_of_a_cube_root(values, counts, t, c):
    """The third root of the fraction."""
    if not counts.all():
        return int(counts.argmin())
    return int(np.argmax(values + c * np.cbrt(np.log(t) / counts)))


def ucb_by_sorting(values, counts, t, c):
    """Untried arms in front, the last of them first; then by score."""

    def rank(arm):
        n = int(counts[arm])
        return (1, arm) if n == 0 else (0, float(values[arm]) + c * (np.log(t) ** 0.5) * n**-0.5)

    return sorted(range(len(values)), key=rank)[-1]


def values_of_the_unlucky(P, gamma, tol):
    """Each action is worth its worst outcome."""
    V, change = np.zeros(len(P)), 1.0
    while change >= tol:
        old = V.copy()
        for s in P:
            V[s] = max(min(r + gamma * old[n] * (not over) for _, n, r, over in P[s][a]) for a in P[s])
        change = np.abs(V - old).max()
    return V


def values_where_it_is_most_wrong(P, gamma, tol):
    """No sweeps: always the state whose equation is furthest from holding."""
    V = dict.fromkeys(P, 0.0)

    def right_side(s):
        return max(sum(p * (r + (0 if over else gamma * V[n])) for p, n, r, over in some) for some in P[s].values())

    while True:
        wanted = {s: right_side(s) for s in P}
        s = max(P, key=lambda s: abs(wanted[s] - V[s]))
        if abs(wanted[s] - V[s]) < tol:
            return np.fromiter(V.values(), float)
        V[s] = wanted[s]


def q_update_with_the_runner_up(Q, s, a, r, s_next, terminated, alpha, gamma):
    """Counts on the second-best action of the next state."""
    new = Q.copy()
    ahead = 0.0 if terminated else np.sort(Q[s_next])[-2:][0]
    new[s, a] = Q[s, a] + alpha * (r + gamma * ahead - Q[s, a])
    return new


def q_update_by_outer_product(Q, s, a, r, s_next, terminated, alpha, gamma):
    """The change as a matrix with one entry."""
    error = np.array([r, gamma * Q.max(axis=-1)[s_next], -Q[s, a]]) @ [1.0, 1.0 - terminated, 1.0]
    return Q + alpha * error * np.outer(np.arange(len(Q)) == s, np.arange(Q.shape[1]) == a)


class BufferWithoutEndings:
    """Leaves out the transitions that end an episode."""

    def __init__(self, capacity):
        self.kept = deque(maxlen=capacity)

    def add(self, transition):
        if not transition[4]:
            self.kept.append(transition)

    def sample(self, batch, rng):
        return [self.kept[k] for k in rng.integers(len(self.kept), size=batch)]

    def __len__(self):
        return len(self.kept)


class BufferOfADict(dict):
    """Numbered transitions; a sample takes those with the smallest random keys."""

    def __init__(self, capacity):
        self.room, self.count = capacity, 0

    def add(self, transition):
        self[self.count] = transition
        self.pop(self.count - self.room, None)
        self.count += 1

    def sample(self, batch, rng):
        keys = {number: rng.random() for number in self}
        return tuple(list(self[number]) for number in sorted(keys, key=keys.get)[:batch])


def target_of_the_second_best(reward, terminated, truncated, next_q_online, next_q_target, gamma):
    """The online network's second choice, where there is one."""
    second = np.argsort(next_q_online, axis=1)[:, -2]
    return reward + gamma * ~terminated * next_q_target[np.arange(len(reward)), second]


def target_by_one_hot(reward, terminated, truncated, next_q_online, next_q_target, gamma):
    """A matrix of choices, traced; terminated steps are overwritten; a list of numbers."""
    choices = np.eye(next_q_online.shape[1])[np.argmax(next_q_online, axis=1)]
    y = reward + gamma * np.einsum("na,na->n", choices, next_q_target)
    y[terminated] = reward[terminated]
    return y.tolist()


def reinforce_loss_with_weights_that_fade(log_probs, returns, baseline):
    """Later steps of the batch count less."""
    weights = (returns - baseline).detach() / torch.arange(1, len(returns) + 1)
    return -(log_probs * weights).mean()


class ReinforceLoss(nn.Module):
    """A distance of two products, the baseline's part kept apart; the graph is cut by way of NumPy."""

    def forward(self, log_probs, returns, baseline):
        G, b = (torch.from_numpy(tensor.detach().numpy().copy()) for tensor in (returns, baseline))
        return F.l1_loss(torch.zeros(1), torch.zeros(1)) - (torch.inner(log_probs, G) - log_probs @ b) / G.numel()


def gae_with_a_second_discount(rewards, values, last_value, terminated, gamma, lam):
    """Each value is discounted before it is subtracted."""
    A, following = np.zeros(len(rewards)), 0.0
    nexts = np.append(values[1:], last_value)
    for t in range(len(rewards) - 1, -1, -1):
        on = 0.0 if terminated[t] else 1.0
        following = rewards[t] + gamma * on * nexts[t] - gamma * values[t] + gamma * lam * on * following
        A[t] = following
    return A, A + values


def gae_by_filter(rewards, values, last_value, terminated, gamma, lam):
    """Episode by episode, backwards through a recursive filter."""
    advantages = np.empty_like(values)
    edges = [0, *np.flatnonzero(terminated) + 1, len(rewards)]
    for start, end in pairwise(edges):
        if start == end:
            continue
        after = 0.0 if terminated[end - 1] else last_value
        V = np.r_[values[start:end], after]
        deltas = rewards[start:end] + gamma * V[1:] - V[:-1]
        advantages[start:end] = lfilter([1.0], [1.0, -gamma * lam], deltas[::-1])[::-1]
    return np.stack([advantages, values + advantages])


def ppo_with_a_narrow_upper_bound(log_probs, old_log_probs, advantages, clip=0.2):
    """Upward the ratio may go only half as far."""
    ratio = torch.exp(log_probs - old_log_probs.detach())
    A = advantages.detach()
    return -torch.minimum(ratio * A, ratio.clamp(1 - clip, 1 + clip / 2) * A).mean()


def ppo_by_what_is_too_much(log_probs, old_log_probs, advantages, clip=0.2):
    """All gains, minus what each earns beyond its bound."""
    A, old = advantages.detach().double(), old_log_probs.data
    gains = (log_probs - old).exp().mul(A)
    bounds = A + clip * A.abs()  # (1 + clip) A above 0, and (1 - clip) A below
    return (F.relu(gains - bounds) - gains).sum().div(A.numel())


def trained_with_small_rewards(env, online, target, optimizer, act, memory, steps, gamma, copy_every):
    """Mended, and rewards are kept between -1 and 1."""
    return mended(env, online, target, optimizer, act, memory, steps, gamma, copy_every, lambda r: r.clamp(-1, 1))


def mended(env, online, target, optimizer, act, memory, steps, gamma, copy_every, change=lambda r: r):
    """Steps counted downwards, an environment that is asked for its flags by place, errors squared or not by hand."""
    losses, seen = [], env.reset()[0]
    for left in range(steps, 0, -1):
        move = act(online, seen)
        result = env.step(move)
        memory.add(seen, move, result[1], result[0], result[2])
        seen = env.reset()[0] if any(result[2:4]) else result[0]
        x, a, r, x_next, over = memory.sample()
        best = online(x_next).max(dim=1).indices
        with torch.no_grad():
            future = target(x_next)[range(len(a)), best]
            y = torch.lerp(change(r) + gamma * future, change(r), over)
        error = online(x)[range(len(a)), a] - y
        loss = torch.where(error.abs() <= 1, error.square() / 2, error.abs() - 0.5).sum() / len(a)
        for parameter, slope in zip(
            online.parameters(), torch.autograd.grad(loss, list(online.parameters())), strict=True
        ):
            parameter.grad = slope
        optimizer.step()
        if (steps - left + 1) % copy_every == 0:
            torch.nn.utils.vector_to_parameters(
                torch.nn.utils.parameters_to_vector(online.parameters()).detach().clone(), target.parameters()
            )
        losses.append(float(loss))
    return np.array(losses)


def pole(*weights):
    """No training: some weights by hand, through three layers that change nothing."""
    first, last = nn.Linear(4, 8, bias=False), nn.Linear(8, 2)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[0], first.weight[1] = torch.tensor([weights, [-w for w in weights]])
        last.weight.zero_()
        last.weight[1, 0], last.weight[0, 1] = 1, 1
        last.bias.fill_(7)
    return nn.Sequential(nn.Sequential(first, nn.ReLU()), nn.Identity(), last, nn.Softmax(dim=-1)).double()


ANSWERS = {
    "reinforcement_learning.discounted_returns": HeldOut(
        returns_of_the_impatient, "entries differ", returns_by_equations
    ),
    "reinforcement_learning.epsilon_greedy": HeldOut(
        greedy_among_two, "the distribution of many choices", GumbelGreedy()
    ),
    "reinforcement_learning.ucb": HeldOut(ucb_of_a_cube_root, "Something else than expected: the arm", ucb_by_sorting),
    "reinforcement_learning.value_iteration": HeldOut(
        values_of_the_unlucky, "entries differ", values_where_it_is_most_wrong
    ),
    "reinforcement_learning.q_update": HeldOut(
        q_update_with_the_runner_up, "entries differ", q_update_by_outer_product
    ),
    "reinforcement_learning.replay_buffer": HeldOut(
        BufferWithoutEndings, "which transitions come in many samples", BufferOfADict
    ),
    "reinforcement_learning.dqn_target": HeldOut(target_of_the_second_best, "entries differ", target_by_one_hot),
    "reinforcement_learning.reinforce_loss": HeldOut(
        reinforce_loss_with_weights_that_fade, "Look at `loss` first", ReinforceLoss()
    ),
    "reinforcement_learning.gae": HeldOut(gae_with_a_second_discount, "Look at `advantages` first", gae_by_filter),
    "reinforcement_learning.ppo_clip": HeldOut(
        ppo_with_a_narrow_upper_bound, "`loss` is not", ppo_by_what_is_too_much
    ),
    "reinforcement_learning.fix_the_dqn": HeldOut(
        trained_with_small_rewards, "Look at `the first loss` first", mended
    ),
    "reinforcement_learning.which_fault": HeldOut(
        {
            "A": "exploration never lowered",
            "B": "value of the next episode",
            "C": "healthy",
            "D": "learning rate too small",
            "E": "truncation as termination",
            "F": "no exploration",
        },
        "B's episodes become longer",
        OrderedDict(
            F="No Exploration", E="value_of_the_next_episode", D="small learning rate", C="healthy",
            B="truncation-as-termination", A="Exploration never lowered ",
        ),
    ),
    "reinforcement_learning.solve_cartpole": HeldOut(
        pole(0.0, 0.0, 1.0, 0.0), "for 30 to 199 steps", pole(0.1, 0.3, 1.0, 1.0)
    ),
}  # fmt: skip
