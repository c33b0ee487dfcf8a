"""What unit 16's later exercises say of losses, trainings, records and poles, held against these themselves."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from dlcourse.checks import evaluate, find
from dlcourse.checks.exercise import cases_of
from dlcourse.checks.reinforcement_learning import balance, curves
from dlcourse.checks.reinforcement_learning.advantages_answers import gae
from dlcourse.checks.reinforcement_learning.balance import good, linear, told
from dlcourse.checks.reinforcement_learning.bootstrapping_answers import dqn_target
from dlcourse.checks.reinforcement_learning.clipping_answers import ppo_clip
from dlcourse.checks.reinforcement_learning.policy_loss import reinforce_loss
from dlcourse.checks.reinforcement_learning.training import FAULTS, LEFT
from dlcourse.checks.reinforcement_learning.training_answers import program, train_q_network
from dlcourse.drivers import learners
from dlcourse.drivers.environments import (
    AS_IT_CAME,
    EPISODES,
    INPUTS,
    LONGEST,
    NO_GRAPH,
    NO_SLOPE,
    NOT_FINITE,
    ONE_NUMBER,
    ONE_SCORE,
    POLICY,
    USED_UP,
    Chooser,
    ScriptedEnv,
    balances,
    clips_ratios,
    replayed,
    starts,
    trains_on_a_script,
    weighs_log_probs,
)
from dlcourse.rl import policy_gradient_torch
from dlcourse.rl.dqn_torch import DQNAgent, DQNConfig

TOPIC = "reinforcement_learning"


def first_case(name: str, number: int = 0) -> list[Any]:
    return cases_of(find(f"{TOPIC}.{name}"), 0)[number].materialize()


# --- losses


def test_the_reference_advantages_equal_those_that_policies_are_trained_with():
    for case in cases_of(find(f"{TOPIC}.gae"), 0):
        ours, theirs = gae(*case.args), policy_gradient_torch.gae(*case.args)
        assert all(np.allclose(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_example_of_each_task_has_the_numbers_that_its_text_says():
    assert dqn_target(*first_case("dqn_target")).tolist() == [3.0, 1.0, 1.75]
    advantages, returns = gae(*first_case("gae"))
    assert (advantages.tolist(), returns.tolist()) == ([-0.5, 0.0, -0.5, -2.0], [1.5, 1.0, 2.5, 2.0])
    logs = torch.tensor([0.5, 0.25]).log()
    assert round(reinforce_loss(logs, torch.tensor([3.0, 1.0]), torch.tensor([1.0, 0.0])).item(), 3) == 1.386
    now, old = torch.tensor([0.75, 0.75]).log(), torch.tensor([0.5, 0.5]).log()
    assert round(ppo_clip(now, old, torch.tensor([1.0, -1.0])).item(), 6) == 0.15


def test_each_case_of_the_clip_has_ratios_inside_its_bounds_above_and_below_them():
    for seed in range(20):
        for case in cases_of(find(f"{TOPIC}.ppo_clip"), seed)[1:4]:
            new, old, A, clip = case.args
            ratio = np.exp(new - old)
            for side in (ratio < 1 - 1.01 * clip, ratio > 1 + 1.01 * clip, np.abs(ratio - 1) < 0.99 * clip):
                assert {1.0, -1.0} <= set(np.sign(A[side]))


def test_a_right_loss_moves_nothing_but_the_log_probabilities():
    found = weighs_log_probs(reinforce_loss, *first_case("reinforce_loss"))
    assert (found["slope in returns"], found["slope in baseline"]) == (NO_SLOPE, NO_SLOPE)
    assert found["what was handed in"] == AS_IT_CAME
    advantages = np.array([2.0, -1.0, -1.0])
    assert np.allclose(found["slope in log_probs"], -advantages / 3)


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (lambda lp, R, b: 0.5, "a number, not a tensor"),
        (lambda lp, R, b: np.zeros(3), "an array, not a tensor"),
        (lambda lp, R, b: (lp, R), "2 values"),
        (lambda lp, R, b: lp, "a tensor of shape (3,)"),
        (lambda lp, R, b: "loss", "a number, not a tensor"),
        (lambda lp, R, b: int, "the class int"),
    ],
    ids=["number", "array", "pair", "each", "text", "class"],
)
def test_what_is_no_loss_is_told_by_its_form(answer: Any, form: str):
    assert weighs_log_probs(answer, *first_case("reinforce_loss"))["form of the result"].startswith(form[:20])


def test_a_loss_that_was_sent_back_already_is_told_as_such():
    def answer(log_probs: Any, returns: Any, baseline: Any) -> Any:
        loss = (log_probs * returns).exp().mean()
        loss.backward()
        return loss

    assert weighs_log_probs(answer, *first_case("reinforce_loss"))["form of the result"] == USED_UP


def test_a_loss_that_hangs_on_nothing_and_one_that_changes_its_inputs_are_told():
    def answer(log_probs: Any, old: Any, advantages: Any, clip: float) -> Any:
        with torch.no_grad():
            old += 1
        return torch.tensor(1.0)

    found = clips_ratios(answer, *first_case("ppo_clip"))
    assert found["form of the result"] == ONE_NUMBER
    assert found["slope in log_probs"] == NO_GRAPH
    assert found["what was handed in"] == "old_log_probs changed"
    assert clips_ratios(lambda *args: None, *first_case("ppo_clip")) is None


def test_tensors_that_were_cut_off_in_place_are_told():
    def answer(log_probs: Any, returns: Any, baseline: Any) -> Any:
        baseline.detach_()
        return reinforce_loss(log_probs, returns, baseline)

    assert weighs_log_probs(answer, *first_case("reinforce_loss"))["what was handed in"] == "baseline cut off"


def test_where_no_clip_is_handed_over_it_is_that_of_the_task():
    log_probs, old, advantages, _ = first_case("ppo_clip")
    left_out, told_so = clips_ratios(ppo_clip, log_probs, old, advantages), clips_ratios(ppo_clip, log_probs, old, advantages, 0.2)  # fmt: skip
    assert left_out["loss"] == told_so["loss"]
    assert any(len(case.args) == 3 for case in cases_of(find(f"{TOPIC}.ppo_clip"), 0))


# --- a training


def test_the_scripted_environment_ends_as_its_script_says():
    env, endings = ScriptedEnv("2 terminated, 3 truncated, 1 both", 0), []
    for _ in range(4):
        env.reset()
        steps = 0
        while True:
            *_, terminated, truncated, _ = env.step(steps % 2)
            steps += 1
            if terminated or truncated:
                break
        endings.append((steps, terminated, truncated))
    assert endings == [(2, True, False), (3, False, True), (1, True, True), (2, True, False)]
    assert env.after_the_end == 0
    env.step(0)
    assert env.after_the_end == 1


def test_what_is_done_does_not_depend_on_what_is_learned():
    case = first_case("fix_the_dqn")
    right, wrong = (
        trains_on_a_script(answer, *case) for answer in (train_q_network, program(loss_of="squares", copy="none"))
    )
    assert not np.array_equal(right["weights of online"], wrong["weights of online"])
    for part in ("observations acted on", "actions remembered", "next observations remembered", "rewards remembered"):
        assert np.array_equal(right[part], wrong[part])


def test_the_chooser_notes_who_was_asked():
    networks = [nn.Linear(3, 2) for _ in range(3)]
    chooser = Chooser(0, {id(networks[0]): "online", id(networks[1]): "target"})
    for network in networks:
        assert chooser(network, np.zeros(3)) in (0, 1)
    assert chooser.asked == ["online", "target", "another network"]


def test_each_choice_of_faults_that_are_left_is_told_with_all_of_them():
    for many in (1, 2, 3):
        for left in combinations(FAULTS, many):
            options = {key: value for name in left for key, value in FAULTS[name].items()}
            message = evaluate(f"{TOPIC}.fix_the_dqn", program(**options)).message
            assert [name for name in FAULTS if LEFT[name] in message] == list(left)


def test_a_column_against_a_row_is_the_same_fault_either_way_round():
    for squeeze in ("neither", "y alone"):
        assert evaluate(f"{TOPIC}.fix_the_dqn", program(squeeze=squeeze)).mistake == "left-square"


@pytest.mark.parametrize(("part", "name"), [(tuple, "a tuple"), (lambda both: both[1], "a dict")], ids=["both", "info"])
def test_what_is_no_observation_is_told_before_it_is_acted_on(part: Any, name: str):
    def answer(env: Any, online: Any, target: Any, optimizer: Any, act: Any, *rest: Any) -> Any:
        return act(online, part(env.reset()))

    assert trains_on_a_script(answer, *first_case("fix_the_dqn")) == {
        "form of the result": f"{name} for an observation"
    }


def test_huber_and_squares_differ_in_the_cases():
    """Errors beyond 1 occur, or the two losses would be twice each other."""
    case = first_case("fix_the_dqn")
    huber, squares = (trains_on_a_script(program(loss_of=loss), *case) for loss in ("huber", "squares"))
    ratio = huber["the first loss"] / squares["the first loss"]
    assert not np.isclose(ratio, 0.5)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (0.5, "a number"),
        ([], "an empty list"),
        ([torch.tensor(1.0)], "a Tensor among the losses"),
        (["1"], "a list of other things"),
        (np.zeros((2, 2)), "an array of another form"),
        ([1.0, 2.0], "losses, while nothing is remembered"),
    ],
    ids=["number", "empty", "tensors", "text", "matrix", "made-up"],
)
def test_what_is_no_list_of_losses_of_a_training_is_told_by_its_form(given: Any, form: str):
    assert trains_on_a_script(lambda *args: given, *first_case("fix_the_dqn")) == {"form of the result": form}


# --- records


@pytest.fixture(scope="module")
def records() -> dict[str, learners.Record]:
    return learners.learner_records()


def test_the_letters_belong_to_the_faults_that_the_exercise_says():
    for letter, fault in learners.BY_LETTER.items():
        assert curves.RIGHT[letter] == ("healthy" if fault == "none" else fault)


def test_what_is_said_of_each_record_can_be_seen_in_it(records: dict[str, learners.Record]):
    truth = learners.true_value()
    late = {letter: record.returns[-300:].mean() for letter, record in records.items()}
    early = {letter: record.returns[:100].mean() for letter, record in records.items()}
    value = {letter: record.values[-1] for letter, record in records.items()}
    assert abs(value["A"] - truth) < 0.6
    assert abs(value["C"] - truth) < 0.6
    hundreds = records["A"].returns.reshape(6, 100).mean(axis=1)
    assert ((hundreds > 18) & (hundreds < 23)).all()
    assert early["B"] < 25 < 29 < late["B"] < 32
    assert np.ptp(records["B"].values[-300:]) < 3
    assert abs(records["B"].values[-300:].mean() - 13) < 0.5
    assert early["C"] < 23 < 30 < late["C"]
    assert (np.diff(records["D"].values[::60]) > 0.2).all()
    assert value["D"] < 5
    assert value["E"] > truth + 2
    assert abs(value["E"] - 1 / (1 - learners.GAMMA)) < 0.1
    assert ((hundreds := records["F"].returns.reshape(6, 100).mean(axis=1)) < 17).all()
    assert hundreds.max() < min(late[letter] for letter in "ABCDE")
    assert np.abs(records["F"].values[-400:] - 10).max() < 1.5


@pytest.mark.parametrize("seed", range(4))
def test_each_fault_shows_whatever_the_seed(seed: int):
    value = {fault: learners.learner_record(fault, seed).values[-1] for fault in ("none", *learners.FAULTS)}
    truth = learners.true_value()
    assert abs(value["none"] - truth) < 1
    assert abs(value["exploration never lowered"] - truth) < 1
    assert value["truncation as termination"] < truth - 2.5
    assert value["value of the next episode"] > truth + 2
    assert value["no exploration"] < truth - 5
    assert value["learning rate too small"] < truth / 2


def test_the_true_value_is_that_of_tilting_to_the_middle():
    """By playing: 1 for each step before the fall, discounted, without a clock."""
    rng, falls = np.random.default_rng(0), []
    for _ in range(2000):
        place, steps = learners.MIDDLE, 0
        while 0 <= place < learners.PLACES and steps < 400:
            push = 1 if place < learners.MIDDLE else -1
            place += -push if rng.random() < learners.GUST else push
            steps += 1
        falls.append((1 - learners.GAMMA**steps) / (1 - learners.GAMMA))
    assert abs(np.mean(falls) - learners.true_value()) < 0.3


def test_a_fault_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"learner_record: fault='bad luck'; choose one of truncation as"):
        learners.learner_record("bad luck", 0)


# --- a pole


def sequential(*weights: float) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(4, 2, bias=False)).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[-w for w in weights], weights]))
    return network


def test_a_network_and_its_description_do_the_same():
    by_torch, by_hand = balances(sequential(0.1, 0.3, 1.0, 1.0)), balances(good)
    assert by_torch["form"] == by_hand["form"] == POLICY
    assert np.array_equal(by_torch["actions"], by_hand["actions"])


def test_a_single_linear_layer_plays_as_the_sequential_around_it_does():
    network = sequential(0.1, 0.3, 1.0, 1.0)
    assert np.array_equal(balances(network[0])["actions"], balances(network)["actions"])


def test_whatever_is_handed_over_in_place_of_a_policy_is_named():
    """Nobody is told no more than that something is not right yet."""
    strange = {
        "an-optimizer": torch.optim.SGD(nn.Linear(4, 2).parameters()),
        "something-else": {"policy": sequential(0.1, 0.3, 1.0, 1.0)},
        "other-layers": nn.Sequential(nn.Linear(4, 2), nn.Softplus()),
        "layers-do-not-fit": nn.Sequential(nn.Linear(4, 8), nn.Linear(7, 2)),
        "no-layers": nn.Sequential(),
        "other-scores": nn.Sequential(nn.Linear(4, 3)),
        "numbers-alone": 500.0,
        "class-alone": nn.Sequential,
    }
    for name, answer in strange.items():
        assert evaluate(f"{TOPIC}.solve_cartpole", answer).mistake == name


def test_replayed_poles_stand_as_long_as_gymnasiums():
    gymnasium = pytest.importorskip("gymnasium")
    actions = balances(linear(0.0, 0.0, 1.0, 0.0))["actions"]
    lengths, left = replayed(actions)
    env = gymnasium.make("CartPole-v1")
    for k in range(10):
        env.reset()
        env.unwrapped.state = starts()[k]
        for t in range(LONGEST):
            *_, terminated, truncated, _ = env.step(int(actions[t, k]))
            if terminated or truncated:
                break
        assert lengths[k] == t + 1
    assert not left.any()


def test_a_cart_that_runs_off_is_told_from_a_pole_that_falls():
    lengths, left = replayed(balances(linear(0.0, 0.0, 0.0, 1.0))["actions"])
    assert left.all()
    assert lengths.max() < LONGEST


def test_actions_by_chance_and_networks_that_are_not_trained_last_as_long_as_the_exercise_says():
    rng = np.random.default_rng(0)
    by_chance = [replayed(rng.integers(0, 2, size=(LONGEST, EPISODES)))[0].mean() for _ in range(10)]
    assert 20.5 < np.mean(by_chance) < 23.5
    means = []
    for seed in range(9):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
        means.append(replayed(balances(network)["actions"])[0].mean())
    assert 9 < np.median(means) < 11


def test_what_is_played_again_must_be_actions():
    for strange in (np.zeros((3, 3), int), np.full((LONGEST, EPISODES), 2), np.zeros((LONGEST, EPISODES))):
        with pytest.raises(ValueError, match="replayed: no actions of 100 CartPoles"):
            replayed(strange)
    form = {"form": POLICY, "actions": "none", "worst": "none"}
    with pytest.raises((ValueError, TypeError)):
        balance.fate_of_the_pole(cases_of(find(f"{TOPIC}.solve_cartpole"), 0)[0], form)


@pytest.mark.parametrize(
    ("network", "form"),
    [
        (nn.Sequential(nn.Linear(3, 2)), INPUTS),
        (nn.Sequential(nn.Linear(4, 1)), ONE_SCORE),
        (nn.Sequential(nn.Linear(4, 3)), "what comes out for each observation has shape (3,)"),
        (nn.ModuleList([nn.Linear(4, 2)]), "a Module of another class than Sequential"),
        ({"0.weight": np.zeros((2, 4))}, "weights alone"),
    ],
    ids=["inputs", "critic", "three-actions", "module-list", "weights"],
)
def test_what_is_no_policy_is_told_by_its_form(network: Any, form: str):
    assert balances(network) == {"form": form}


def test_a_network_that_gives_nan_is_told_as_such():
    network = nn.Sequential(nn.Linear(4, 2))
    nn.init.constant_(network[0].weight, float("nan"))
    assert balances(network) == {"form": NOT_FINITE}


def test_how_the_pole_fares_is_told_by_how_long_it_stands():
    for weights, words in (
        ((0.1, 0.3, 1.0, 1.0), "it stands"),
        ((-0.1, -0.3, -1.0, -1.0), "it would stand with the smallest score"),
        ((0.0, 0.0, 1.0, 0.0), "some time"),
        ((0.0, -0.3, 1.0, 1.0), "a long time"),
    ):
        found = balances(linear(*weights))
        assert told(found["actions"], found["worst"]) == words


def test_a_trained_agents_network_passes_and_the_agent_itself_is_told_as_such():
    policy = nn.Sequential(nn.Linear(4, 2))
    with torch.no_grad():
        policy[0].weight.copy_(torch.tensor([[-0.1, -0.3, -1.0, -1.0], [0.1, 0.3, 1.0, 1.0]]))
        policy[0].bias.zero_()
    agent = policy_gradient_torch.PolicyAgent("REINFORCE", policy)
    assert evaluate(f"{TOPIC}.solve_cartpole", agent.policy).passed
    assert evaluate(f"{TOPIC}.solve_cartpole", agent).mistake == "whole-agent"
    assert evaluate(f"{TOPIC}.solve_cartpole", DQNAgent(policy, DQNConfig())).mistake == "whole-dqn"
    assert evaluate(f"{TOPIC}.solve_cartpole", F.softmax).mistake == "a-function"


def test_nothing_is_answered_yet_where_the_policy_is_none():
    assert evaluate(f"{TOPIC}.solve_cartpole", None).mistake == "stub"
    assert evaluate(f"{TOPIC}.which_fault", dict.fromkeys("ABCDEF")).mistake == "stub"
