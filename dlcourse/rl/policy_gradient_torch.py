"""Policy gradients: raise the probability of actions that turned out better than expected.

The gradient of the expected return is the mean of ∇ log π(a|s)·(how good it turned out) (Williams 1992). Three ways to say
how good, each a function that reads on its own: REINFORCE takes the return of the whole episode, minus the mean over the
episodes beside it; A2C asks a second network, the critic, what was to be expected (Mnih et al. 2016), with generalized advantage
estimation (Schulman et al. 2016); PPO uses each batch several times and clips what it gains by it (Schulman et al. 2017).

Several environments are played side by side: one forward pass chooses N actions.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.rl.envs import VectorCartPole
from dlcourse.rl.networks_torch import one_thread
from dlcourse.rl.policies_torch import PolicyAgent, load_policy, save_policy
from dlcourse.rl.trial_torch import GymnasiumVector, Maker, Rollout, Trial

__all__ = [
    "GymnasiumVector",
    "PolicyAgent",
    "gae",
    "load_policy",
    "save_policy",
    "train_a2c",
    "train_ppo",
    "train_reinforce",
]

Array = np.ndarray


def gae(
    rewards: Array, values: Array, last_value: Array, terminated: Array, gamma: float, lam: float,
    truncated: Array | None = None, final_values: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Generalized advantage estimation (Schulman et al. 2016, eq. 16): TD errors, each followed by those after it, times (γλ)ᵏ.

    Parameters
    ----------
    rewards, values, terminated : (T,) or (T, N), of T steps of one or N environments; values of the states acted in
    last_value : () or (N,), of the state after the last step
    gamma : discount γ
    lam : λ; 0 trusts the critic after one step, 1 sums all rewards
    truncated : (T,) or (T, N), steps whose episode was broken off; None if none was
    final_values : (T,) or (T, N), of the states that the steps led to; read where truncated

    Returns
    -------
    advantages, and returns (advantages plus values): (T,) or (T, N)

    Notes
    -----
    After a terminated step nothing is worth anything. After a truncated one the state it led to is worth what the critic
    says, though the next row belongs to another episode.
    """
    if truncated is None or final_values is None:
        truncated, final_values = np.zeros_like(terminated), np.zeros_like(values)
    next_values = np.concatenate([values[1:], np.asarray(last_value)[None]])
    next_values = np.where(terminated, 0, np.where(truncated, final_values, next_values))
    errors = rewards + gamma * next_values - values
    advantages = np.zeros_like(errors)
    following = np.zeros_like(errors[0])
    for t in reversed(range(len(errors))):
        going_on = ~(terminated[t] | truncated[t])
        following = errors[t] + gamma * lam * going_on * following
        advantages[t] = following
    return advantages, advantages + values


# ---- the three methods


def train_reinforce(
    env: str | Maker = VectorCartPole, *, seed: int = 0, steps: int = 200_000, n: int = 16, lr: float = 1e-2,
    gamma: float = 0.99, baseline: bool = True, width: int = 64, stop_at: float | None = 485.0, progress: bool = True,
) -> PolicyAgent:  # fmt: skip
    """REINFORCE (Williams 1992): n whole episodes for an update, each action weighed with the return that followed it.

    The baseline is the mean return at the same time step over those of the n episodes that still run. Interrupt the
    training (Kernel, Interrupt), and you get the agent as far as it came.

    Parameters
    ----------
    env : name of an environment of Gymnasium's, or ``maker(n, rng)``, which returns n of them side by side
    seed : of weights, actions and environments; validation has environments of its own
    steps : of all environments together, at most; the last update may take a few more
    n : episodes for an update
    lr : Adam's learning rate, which falls in a line to a tenth over ``steps``
    gamma : discount of one step
    baseline : whether one is subtracted
    width : units of each of the two hidden layers
    stop_at : training ends when 20 greedy episodes, and then 80 more, average at least this; None never ends it. The value
        suits CartPole
    progress : whether to show a bar, with the mean return of the last episodes

    Returns
    -------
    The agent, with its learning curves.

    Raises
    ------
    ValueError
        If the environment's observations or actions are of another kind, or an option lies outside its bounds.
    """
    trial = Trial("REINFORCE", env, seed=seed, steps=steps, n=n, lr=lr, width=width, stop_at=stop_at, gamma=gamma)
    policy = trial.agent.policy
    with trial.bar(progress), one_thread(), suppress(KeyboardInterrupt):
        for played in trial.whole_episodes(look_every=5):
            returns = discounted(played.rewards, gamma)  # (T, N)
            running = played.running
            weights = returns - mean_of(returns, running) if baseline else returns
            weights = weights / (weights[running].std() + 1e-8)  # one learning rate for short episodes and long ones

            observations, actions = played.flat()
            log_probs, _ = judged(policy, observations, actions)  # (T·N,)
            counted = torch.from_numpy(running).flatten()
            loss = -(log_probs * torch.from_numpy(weights).float().flatten())[counted].mean()
            trial.descend(loss)
    return trial.agent


def train_a2c(
    env: str | Maker = VectorCartPole, *, seed: int = 0, steps: int = 200_000, n: int = 16, length: int = 16,
    lr: float = 3e-3, gamma: float = 0.99, lam: float = 1.0, entropy: float = 0.01, width: int = 64,
    stop_at: float | None = 485.0, progress: bool = True,
) -> PolicyAgent:  # fmt: skip
    """Advantage actor-critic (Mnih et al. 2016), its environments in step: an update after every few steps.

    It has the parameters of :func:`train_reinforce` (without ``baseline``), and

    Parameters
    ----------
    length : steps of each environment for an update
    lam : λ of :func:`gae`; 1, the rewards to the end of the rollout, as in the paper
    entropy : weight of the entropy, which keeps the policy from being sure too soon

    Raises
    ------
    ValueError
        If the environment's observations or actions are of another kind, or an option lies outside its bounds.
    """
    trial = Trial(
        "A2C", env, seed=seed, steps=steps, n=n, lr=lr, width=width, stop_at=stop_at, length=length, gamma=gamma,
        lam=lam, entropy=entropy,
    )  # fmt: skip
    agent = trial.agent
    with trial.bar(progress), one_thread(), suppress(KeyboardInterrupt):
        for played in trial.rollouts(length, look_every=40):
            advantages, returns = estimated(agent, played, gamma, lam)  # (T·N,)
            observations, actions = played.flat()

            log_probs, entropies = judged(agent.policy, observations, actions)
            policy_loss = -(log_probs * advantages).mean() - entropy * entropies.mean()
            trial.descend(policy_loss + critic_loss(agent.critic, observations, returns))
    return agent


def train_ppo(
    env: str | Maker = VectorCartPole, *, seed: int = 0, steps: int = 200_000, n: int = 16, length: int = 128,
    epochs: int = 6, minibatch: int = 256, clip: float = 0.2, lr: float = 2e-3, gamma: float = 0.99, lam: float = 0.95,
    entropy: float = 0.01, width: int = 64, stop_at: float | None = 485.0, progress: bool = True,
) -> PolicyAgent:  # fmt: skip
    """Proximal policy optimization (Schulman et al. 2017): each batch is used several times, and the gain by that is clipped.

    It has the parameters of :func:`train_a2c`, and

    Parameters
    ----------
    epochs : passes over the steps just played
    minibatch : steps for one update
    clip : ε of the paper's eq. 7: nothing is gained by changing a probability by a larger factor than 1 ± ε

    Raises
    ------
    ValueError
        If the environment's observations or actions are of another kind, or an option lies outside its bounds.
    """
    trial = Trial(
        "PPO", env, seed=seed, steps=steps, n=n, lr=lr, width=width, stop_at=stop_at, length=length, gamma=gamma,
        lam=lam, entropy=entropy, epochs=epochs, minibatch=minibatch, clip=clip,
    )  # fmt: skip
    agent = trial.agent
    with trial.bar(progress), one_thread(), suppress(KeyboardInterrupt):
        for played in trial.rollouts(length, look_every=4):
            advantages, returns = estimated(agent, played, gamma, lam)  # (T·N,)
            observations, actions = played.flat()
            with torch.no_grad():
                old_log_probs, _ = judged(agent.policy, observations, actions)

            for _ in range(epochs):
                order = torch.from_numpy(trial.rng.permutation(len(actions)))
                for start in range(0, len(order), minibatch):
                    rows = order[start : start + minibatch]
                    log_probs, entropies = judged(agent.policy, observations[rows], actions[rows])
                    ratio = (log_probs - old_log_probs[rows]).exp()
                    gain = torch.minimum(ratio * advantages[rows], ratio.clamp(1 - clip, 1 + clip) * advantages[rows])
                    policy_loss = -gain.mean() - entropy * entropies.mean()
                    trial.descend(policy_loss + critic_loss(agent.critic, observations[rows], returns[rows]))
    return agent


# ---- what their losses are made of


def judged(policy: nn.Module, observations: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The log-probabilities of the actions, and the policy's entropies: (N, O), (N,) -> (N,), (N,)."""
    log_probs = F.log_softmax(policy(observations), dim=-1)  # (N, A)
    return log_probs.gather(-1, actions[..., None])[..., 0], -(log_probs.exp() * log_probs).sum(-1)


def critic_loss(critic: nn.Module | None, observations: torch.Tensor, returns: torch.Tensor) -> torch.Tensor:
    """Half the mean squared error of the values."""
    assert critic is not None
    return F.mse_loss(critic(observations)[..., 0], returns) / 2


def estimated(agent: PolicyAgent, played: Rollout, gamma: float, lam: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages of mean 0 and deviation 1, and returns: (T·N,) each. Arrays of NumPy, so no gradient flows through them."""
    values, led_to = agent.values(played.observations), agent.values(played.final)
    advantages, returns = gae(
        played.rewards, values, led_to[-1], played.terminated, gamma, lam, played.truncated, led_to
    )
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return torch.from_numpy(advantages).float().flatten(), torch.from_numpy(returns).float().flatten()


def discounted(rewards: Array, gamma: float) -> Array:
    """What follows each step of an episode, discounted to it: (T, N) -> (T, N)."""
    returns = np.zeros_like(rewards)
    following = np.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        following = rewards[t] + gamma * following
        returns[t] = following
    return returns


def mean_of(values: Array, running: Array) -> Array:
    """The mean of each row over the episodes that run: (T, N) -> (T, 1)."""
    means: Array = (values * running).sum(1, keepdims=True) / running.sum(1, keepdims=True)
    return means
