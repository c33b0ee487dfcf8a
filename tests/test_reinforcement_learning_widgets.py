"""Unit 16 beside its exercises: the three explorers."""

from __future__ import annotations

import numpy as np
import pytest
from panels import parts

from dlcourse.plot.loop import agent_and_environment
from dlcourse.rl.envs import episode, make
from dlcourse.rl.gridworld import GridWorld
from dlcourse.rl.tabular import value_iteration
from dlcourse.widgets.grid_pad import GridPad
from dlcourse.widgets.reinforcement_learning import (
    ARMS,
    MAPS,
    PLAYERS,
    PULLS,
    Arms,
    bandit_explorer,
    bandit_figure,
    duel,
    grid_explorer,
    grid_figure,
    replay_explorer,
    replay_figure,
    ride,
    swept,
)

pytestmark = pytest.mark.usefixtures("closed_figures")


# --- a bandit to play against UCB


def test_an_arms_nth_pull_pays_the_same_whatever_was_pulled_between():
    assert duel(3, [1]).paid == duel(3, [0, 4, 1]).paid
    assert duel(3, [1, 1]).paid == duel(3, [1, 0, 1]).paid != duel(3, [1]).paid


def test_values_and_counts_are_those_of_what_was_paid():
    paid = [duel(5, [2] * n).paid for n in (1, 2, 3)]
    now = duel(5, [2, 0, 2, 2])
    assert now.counts.tolist() == [1, 0, 3, 0, 0]
    assert now.values[2] == pytest.approx(np.mean(paid))
    assert now.values[1] == 0


def test_regret_is_what_the_pulled_arms_mean_less_than_the_best():
    now = duel(7, [0, 1, 2, 3, 4, int(duel(7, []).means.argmax())])
    lost = now.means.max() - now.means
    assert now.yours == pytest.approx(np.append(lost, 0).cumsum())


def test_ucb_pulls_every_arm_once_and_then_beats_pulling_them_in_turn():
    in_turn = [k % ARMS for k in range(PULLS)]
    games = [duel(game, in_turn) for game in range(60)]
    assert all(game.theirs[ARMS - 1] == pytest.approx(game.yours[ARMS - 1]) for game in games)
    assert np.mean([game.theirs[-1] for game in games]) < 0.5 * np.mean([game.yours[-1] for game in games])


def test_ucb_comes_back_to_the_best_arm_where_greed_is_stuck_after_an_unlucky_pull():
    now = duel(102, PLAYERS["greedy after one pull of each"](102))
    assert now.counts[now.means.argmax()] == 1
    assert np.diff(now.yours)[-10:].min() > 1
    assert np.diff(now.theirs)[-10:].max() == 0


@pytest.mark.parametrize(
    "pulled", [[ARMS], [-1], [0.5], [0] * (PULLS + 1)], ids=["no such arm", "negative", "half", "too many"]
)
def test_a_pull_that_cannot_be_is_an_error(pulled):
    with pytest.raises(ValueError, match="at most 40 numbers from 0 to 4"):
        duel(0, pulled)


def test_each_button_pulls_its_arm_and_the_game_ends_after_forty():
    arms = Arms()
    for button in arms.children:
        button.click()
    assert arms.value == [0, 1, 2, 3, 4]
    for _ in range(PULLS):
        arms.children[3].click()
    assert len(arms.value) == PULLS


def test_a_pull_redraws_and_says_what_was_paid_and_a_new_game_starts_anew():
    (arms, game), picture, sentence = parts(bandit_explorer())
    assert "You have 40 pulls" in sentence.value
    before = picture.value
    arms.children[1].click()
    assert picture.value != before
    assert f"Pull 1: arm 2 paid {duel(0, [1]).paid:.2f}. 39 pulls are left." in sentence.value
    assert picture.alt in sentence.value
    game.value = 4
    assert arms.value == []
    assert "You have 40 pulls" in sentence.value


def test_at_the_end_the_sentence_names_the_winner_and_the_best_arm():
    (arms, game), _, sentence = parts(bandit_explorer())
    game.value = 6
    best = int(duel(6, []).means.argmax())
    arms.value = [best] * PULLS
    assert f"You win. The best arm was {best + 1}, which you pulled 40 times." in sentence.value
    arms.value = [int(duel(6, []).means.argmin())] * PULLS
    assert "UCB wins." in sentence.value


@pytest.mark.parametrize("name", sorted(PLAYERS))
def test_a_player_makes_forty_pulls_of_which_the_first_try_every_arm(name):
    pulled = PLAYERS[name](11)
    assert len(pulled) == PULLS
    assert pulled[:ARMS] == list(range(ARMS))


def test_the_greedy_player_pulls_what_has_paid_best_so_far():
    pulled = PLAYERS["greedy after one pull of each"](175)
    for t in range(ARMS, PULLS):
        assert pulled[t] == duel(175, pulled[:t]).values.argmax()
    assert len(set(pulled[ARMS:])) > 1  # it changes its mind in this game


def test_the_bandit_that_stands_still_tells_both_regrets():
    now = duel(102, PLAYERS["greedy after one pull of each"](102))
    title = bandit_figure(102, "greedy after one pull of each").axes[1].get_title()
    assert title == f"regret after 40 pulls: you {now.yours[-1]:.1f}, UCB {now.theirs[-1]:.1f}"


# --- a grid to paint on


@pytest.mark.parametrize("name", sorted(MAPS))
@pytest.mark.parametrize("slip", [0.0, 0.4])
def test_many_sweeps_find_the_values_of_value_iteration(name, slip):
    V, before = swept(MAPS[name], 200, 0.9, slip)
    solved = value_iteration(GridWorld(MAPS[name], slip=slip).transitions, gamma=0.9)
    assert np.allclose(V, solved.V, atol=1e-6)
    assert np.abs(V - before).max() < 1e-6


def test_worth_spreads_one_cell_a_sweep():
    rows = ("S---G",)
    for sweeps, expected in ((0, [0, 0, 0, 0]), (1, [0, 0, 0, 1]), (2, [0, 0, 0.5, 1]), (4, [0.125, 0.25, 0.5, 1])):
        assert swept(rows, sweeps, 0.5, 0.0)[0][:4].tolist() == expected


@pytest.mark.parametrize("name", sorted(MAPS))
def test_every_map_is_a_world_with_one_start(name):
    assert len(GridWorld(MAPS[name]).starts) == 1
    assert "".join(MAPS[name]).count("S") == 1


def test_paint_sweeps_discount_and_slip_redraw_and_say_what_the_start_is_worth():
    choice, panel = grid_explorer().children
    begin, brush = choice.children
    (pad, sweeps, gamma, slip), picture, sentence = parts(panel)
    seen = {picture.value}
    assert "After 3 sweeps with γ = 0.9 the start is worth 0.00; some value still moves by 0.81" in sentence.value
    for control, value in ((sweeps, 40), (gamma, 0.8), (slip, 0.4)):
        control.value = value
        seen.add(picture.value)
    expected = swept(MAPS["a wall with a gap"], 40, 0.8, 0.4)[0][24]
    assert f"the start is worth {expected:.2f}" in sentence.value
    pad.value = ["-----G", "-----H", "######", "------", "S-----"]
    seen.add(picture.value)
    assert "the start is worth 0.00; no value moves any more" in sentence.value
    assert len(seen) == 5
    assert picture.alt in sentence.value
    begin.value = "empty"
    assert pad.value == list(MAPS["empty"])
    brush.value = "coin: +1 at each visit"
    assert pad.brush == "1"


def test_the_pad_carries_map_and_brush_and_leaves_the_start_alone():
    pad = GridPad(value=["S-G"])
    assert pad.brush == "#"
    assert 'if (grid[i][j] !== "S")' in pad._esm
    assert "keydown" in pad._esm


def test_what_hardly_moves_any_more_is_not_said_to_move_by_nothing():
    _, panel = grid_explorer().children
    (_, sweeps, _, slip), _, sentence = parts(panel)
    slip.value, sweeps.value = 0.4, 40
    V, before = swept(MAPS["a wall with a gap"], 40, 0.9, 0.4)
    moved = np.abs(V - before).max()
    assert 1e-4 < moved < 0.005
    assert f"some value still moves by {moved:.2g} a sweep" in sentence.value
    assert "0.00 a sweep" not in sentence.value


def arrows(figure, ax=0):
    return len([patch for patch in figure.axes[ax].patches if type(patch).__name__ == "FancyArrow"])


def test_cells_whose_actions_are_all_worth_the_same_have_no_arrow():
    counts = [arrows(grid_figure([("empty", sweeps, 0.0)], "")) for sweeps in (0, 1, 40)]
    assert counts == [
        2,
        5,
        29,
    ]  # before any sweep the two cells beside the goal know their way; a sweep later their neighbors


def test_a_grid_that_stands_still_names_its_sweeps_and_its_slip():
    figure = grid_figure([("empty", 1, 0.0), ("empty", 4, 0.4)], "What is seen")
    assert [ax.get_title() for ax in figure.axes] == ["after 1 sweep", "after 4 sweeps, slip 0.4"]
    assert figure.get_suptitle() == "What is seen"


# --- a trained agent with its Q-values


def by_hand(observations):
    """Q-values of a rule that balances for long: push toward where the pole leans and turns."""
    score = observations[:, 2] + 0.3 * observations[:, 3] + 0.02 * observations[:, 0] + 0.05 * observations[:, 1]
    return np.stack([50 - score, 50 + score], axis=1)


def test_a_ride_is_the_episode_that_gymnasium_plays():
    played = episode(make("CartPole-v1"), lambda x: int(by_hand(x[None])[0].argmax()), seed=1)
    found = ride(by_hand, played.observations[0])
    first = slice(0, 30)  # what a start rounded to float32 changes grows from step to step
    assert np.allclose(found.observations[first], played.observations[first], atol=1e-4)
    assert found.values.argmax(axis=1)[first].tolist() == played.actions[first].tolist()


def test_a_ride_that_is_cut_short_has_not_fallen():
    start = (0.0, 0.0, 0.02, 0.0)
    fallen = ride(lambda x: np.tile([1.0, 0.0], (len(x), 1)), start)
    assert fallen.fell
    assert len(fallen.observations) < 15
    cut = ride(by_hand, start, most=20)
    assert not cut.fell
    assert len(cut.observations) == 20


def test_start_and_step_redraw_and_say_what_the_agent_thinks():
    (lean, speed, step), picture, sentence = parts(replay_explorer(by_hand))
    seen = {picture.value}
    assert "Step 0 of " in sentence.value
    assert "leans 3.0 degrees to the right" in sentence.value
    assert "it pushes right" in sentence.value
    lean.value = 0
    assert "the pole stands upright" in sentence.value
    for control, value in ((lean, -5), (speed, 1.0), (step, 7)):
        control.value = value
        seen.add(picture.value)
    assert len(seen) == 4
    now = ride(by_hand, (0.0, 1.0, np.deg2rad(-5), 0.0))
    assert f"Step 7 of {len(now.observations)}" in sentence.value
    assert f"pushing left is worth {now.values[7, 0]:.2f}, right {now.values[7, 1]:.2f}" in sentence.value
    assert picture.alt in sentence.value


def test_a_step_beyond_the_end_shows_the_last_one():
    (_, _, step), _, sentence = parts(replay_explorer(lambda x: np.tile([1.0, 0.0], (len(x), 1))))
    step.value = 499
    last = len(ride(lambda x: np.tile([1.0, 0.0], (len(x), 1)), (0.0, 0.0, np.deg2rad(3), 0.0)).observations) - 1
    assert f"Step {last} of {last + 1}, when the pole falls" in sentence.value


def test_the_replay_that_stands_still_draws_the_difference_of_the_values():
    figure = replay_figure(by_hand, 8.0, 0.0, 3)
    now = ride(by_hand, (0.0, 0.0, round(float(np.deg2rad(8)), 6), 0.0))
    values = figure.axes[2]
    assert values.get_ylabel() == "Q(right) − Q(left)"
    drawn = values.lines[1].get_ydata()
    assert np.allclose(drawn, (now.values[:, 1] - now.values[:, 0])[: len(drawn)])
    assert figure.axes[0].get_title() == f"step 3: push {'right' if now.values[3].argmax() else 'left'}"


# --- the loop as a picture


def test_the_loop_names_what_goes_there_and_what_comes_back():
    said = " ".join(text.get_text() for text in agent_and_environment().axes[0].texts)
    assert all(
        word in said for word in ("agent", "environment", "action", "observation", "reward", "terminated", "truncated")
    )
