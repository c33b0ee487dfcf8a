"""The check system itself: what it says about answers of every kind, on an exercise made for these tests."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from dlcourse import checks
from dlcourse.checks import CheckFailed, evaluate, find
from dlcourse.checks.compare import Tolerance, alike
from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Fn, Rng, register, run_case


def standardize(x, scale):
    return scale * (x - x.mean(axis=0)) / x.std(axis=0)


def summed(x, scale):
    return scale * (x - x.sum(axis=0)) / x.std(axis=0)


def cases(rng):
    return [
        Case((np.array([[1.0, 2.5], [3.0, -1.0], [-2.0, 0.5]]), 1.5)),
        Case((rng.normal(size=(5, 4)), 0.7)),
        Case((rng.normal(size=(4, 3)) * 1e4, 2.0), "large entries"),
    ]


EXERCISE = Exercise(
    id="testing.standardize",
    kind="function",
    title="",
    points=2,
    minutes=1,
    difficulty=1,
    function="standardize",
    reference=standardize,
    inputs=cases,
    wrong=(Wrong("sum-for-mean", summed, "You subtract the sum. What is the center of the column?"),),
    hints=("a", "b", "c"),
)


@pytest.fixture(autouse=True)
def exercise(monkeypatch):
    known = {EXERCISE.id: EXERCISE}
    monkeypatch.setattr(checks, "_by_id", lambda: known)
    return known


def verdict(answer):
    return evaluate("testing.standardize", answer)


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (None, "not-defined"),
        ("standardize", "not-a-function"),
        (np.ones(3), "not-a-function"),
        (dict, "not-a-function"),
        (lambda x: x, "wrong-signature"),
        (lambda x, scale: None, "returned-none"),
        (lambda x, scale: (v for v in x), "wrong-type"),
        (lambda x, scale: "0.5", "wrong-type"),
        (lambda x, scale: standardize, "wrong-type"),
        (lambda x, scale: standardize(x, scale)[0], "first-only"),
        (lambda x, scale: standardize(x, scale).T, "transposed"),
        (lambda x, scale: standardize(x, scale).ravel(), "wrong-shape"),
        (lambda x, scale: standardize(x, scale).sum(axis=1), "summed"),
        (lambda x, scale: standardize(x, scale).astype(int), "wrong-dtype"),
        (lambda x, scale: standardize(x, scale).astype(object), "wrong-dtype"),
        (lambda x, scale: standardize(x, scale) * np.nan, "not-finite"),
        (lambda x, scale: -standardize(x, scale), "sign"),
        (lambda x, scale: standardize(x, scale) * len(x), "constant-factor"),
        (lambda x, scale: standardize(x, scale) / scale, "constant-factor"),
        (lambda x, scale: standardize(x, scale) * 2, "constant-factor"),
        (lambda x, scale: standardize(x, scale) + 0.25, "constant-offset"),
        (lambda x, scale: standardize(x, scale) + x, "off-by-argument"),
        (lambda x, scale: standardize(x, scale) * x, "off-by-argument"),
        (lambda x, scale: standardize(x, scale)[::-1], "reversed"),
        (lambda x, scale: np.roll(standardize(x, scale), 1, axis=0), "shifted-later"),
        (lambda x, scale: np.abs(standardize(x, scale)), "absolute"),
        (lambda x, scale: np.round(standardize(x, scale), 2), "two-digits"),
        (lambda x, scale: np.sort(standardize(x, scale), axis=None).reshape(x.shape), "reordered"),
        (lambda x, scale: x.copy(), "argument-returned"),
        (lambda x, scale: standardize(x, scale) * 0, "all-zero"),
        (lambda x, scale: standardize(x, scale) * (1 + 1e-4 * np.sign(x)), "nearly"),
        (lambda x, scale: np.where(x < 0, 7.0, standardize(x, scale)), "wrong-for-negative"),
        (lambda x, scale: np.where(np.arange(len(x))[:, None] == 0, standardize(x, scale), 9.0), "first-only"),
        (lambda x, scale: np.where(np.arange(len(x))[:, None] + 1 == len(x), 9.0, standardize(x, scale)), "last-missing"),
        (summed, "sum-for-mean"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_explained(answer, mistake):
    assert verdict(answer).mistake == mistake
    assert not verdict(answer).passed
    assert verdict(answer).points == 0


@pytest.mark.parametrize(
    "answer",
    [
        standardize,
        lambda x, scale: standardize(x, scale).tolist(),
        lambda x, scale: tuple(map(tuple, standardize(x, scale))),
        lambda x, scale: standardize(x, scale).astype(np.float32),
        lambda x, scale: np.array(
            [[scale * (v - m) / s for v, m, s in zip(r, x.mean(0), x.std(0), strict=True)] for r in x]
        ),
        lambda x, scale=1.0, extra=None: standardize(x, scale),
        lambda *args: standardize(*args),
        lambda x, scale: np.ma.masked_array(standardize(x, scale)),
        type("Callable", (), {"__call__": lambda self, x, scale: standardize(x, scale)})(),
    ],
)
def test_a_right_answer_written_differently_passes(answer):
    assert verdict(answer).passed, verdict(answer).message


def test_a_factor_is_named_by_what_it_equals_on_every_input():
    message = verdict(lambda x, scale: standardize(x, scale) * len(x)).message
    assert "times 3 " in message
    assert "`x.shape[0]`" in message


def test_an_argument_that_is_never_used_is_named():
    centered = replace(EXERCISE, reference=lambda x, scale: np.tanh(x * scale) + scale, wrong=())
    checks._by_id()[EXERCISE.id] = centered
    found = verdict(lambda x, scale: np.tanh(x * 0.3) + 0.11)
    assert found.mistake == "argument-ignored"
    assert "`scale`" in found.message


def test_a_logarithm_to_another_base_is_recognized_by_its_factor():
    logs = replace(EXERCISE, reference=lambda x, scale: np.log(1 + x * x) * scale, wrong=())
    checks._by_id()[EXERCISE.id] = logs
    assert "1 / ln 2" in verdict(lambda x, scale: np.log2(1 + x * x) * scale).message


def test_exchanged_arguments_are_named():
    def difference(a, b):
        return np.tanh(a) - b * b

    pairs = [Case((np.array([0.5, -2.0, 1.0]), np.array([1.5, 0.3, -0.2])))]
    checks._by_id()[EXERCISE.id] = replace(EXERCISE, reference=difference, inputs=lambda rng: pairs, wrong=())
    found = verdict(lambda a, b: difference(b, a))
    assert found.mistake == "arguments-exchanged"
    assert "`a` and `b`" in found.message


def test_an_input_changed_in_place_is_named():
    def answer(x, scale):
        right = standardize(x, scale)
        x -= 1
        return right

    found = verdict(answer)
    assert found.mistake == "input-mutated"
    assert "`x`" in found.message


def test_a_list_of_numbers_changed_in_place_is_named():
    def answer(pairs):
        pairs.reverse()
        return sum(a * b for a, b in pairs)

    exercise = replace(EXERCISE, reference=lambda pairs: sum(a * b for a, b in pairs), wrong=())
    checks._by_id()[EXERCISE.id] = replace(exercise, inputs=lambda rng: [Case(([(3, 2), (5, 1)],))])
    found = verdict(answer)
    assert found.mistake == "input-mutated"
    assert verdict(lambda pairs: sum(b * a for a, b in list(pairs))).passed


def test_a_wrong_word_is_shown_with_the_input_on_which_it_is_wrong():
    def words(x):
        return {"said": "large" if x > 2 else "small", "twice": 2 * x}

    exercise = replace(EXERCISE, reference=words, wrong=())
    checks._by_id()[EXERCISE.id] = replace(exercise, inputs=lambda rng: [Case((1.0,)), Case((3.0,), "a large number")])
    found = verdict(lambda x: {"said": "small", "twice": 2 * x})
    assert "not yet for a large number" in found.message
    assert ("your said", "'small'") in found.table
    assert ("expected said", "'large'") in found.table


def test_a_known_mistake_is_named_where_only_special_inputs_differ():
    found = verdict(lambda x, scale: summed(x, scale) if abs(x).max() < 100 else summed(x, scale) + 1)
    assert found.mistake == "sum-for-mean"
    assert found.lines[0].startswith("This is so on every ordinary input. ")


def test_where_only_special_inputs_fail_the_message_says_which():
    found = verdict(lambda x, scale: standardize(x, scale) * (1 if abs(x).max() < 100 else np.inf))
    assert found.lines[0].startswith("Right on ordinary inputs, not yet for large entries. ")


def test_two_mistakes_that_cannot_be_told_apart_are_both_told():
    twins = replace(EXERCISE, wrong=(*EXERCISE.wrong, Wrong("twin", summed, "Or this. Which one is it?")))
    checks._by_id()[EXERCISE.id] = twins
    found = verdict(summed)
    assert found.mistake == "sum-for-mean"
    assert "Or, since the result would be the same: Or this." in found.message


def test_an_exception_shows_the_learners_line_and_no_traceback():
    def answer(x, scale):
        return x @ x

    found = verdict(answer)
    assert found.mistake == "exception"
    assert ("in line", f"{answer.__code__.co_firstlineno + 1}: return x @ x") in found.table
    assert "Traceback" not in found.message


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, MemoryError, RecursionError, GeneratorExit, BaseException]
)
def test_whatever_an_answer_raises_ends_in_a_verdict(error):
    def answer(x, scale):
        raise error

    assert verdict(answer).mistake == "exception"


def test_an_endless_loop_ends_with_a_clear_message():
    checks._by_id()[EXERCISE.id] = replace(EXERCISE, seconds=0.3)

    def answer(x, scale):
        while True:
            try:  # noqa: SIM105 - learners do this
                sum(range(100))
            except:  # noqa: E722
                pass

    started = time.monotonic()
    assert verdict(answer).mistake == "timeout"
    assert time.monotonic() - started < 3


def test_an_endless_loop_ends_away_from_the_main_thread_too():
    checks._by_id()[EXERCISE.id] = replace(EXERCISE, seconds=0.3)
    found = []

    def answer(x, scale):
        while True:
            pass

    thread = threading.Thread(target=lambda: found.append(verdict(answer)))
    thread.start()
    thread.join(10)
    assert found[0].mistake == "timeout"


def test_an_answer_that_waits_is_stopped_too():
    checks._by_id()[EXERCISE.id] = replace(EXERCISE, seconds=0.2)
    started = time.monotonic()
    assert verdict(lambda x, scale: time.sleep(30)).mistake == "timeout"
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_ctrl_c_goes_through_and_is_not_taken_for_the_answers_own():
    def answer(x, scale):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        verdict(answer)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_global_randomness_does_not_decide_a_verdict_and_is_left_as_it_was():
    def answer(x, scale):
        return standardize(x, scale) + 1e-3 * np.random.random()  # noqa: NPY002

    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert verdict(answer).message == verdict(answer).message
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_warnings_and_prints_of_an_answer_do_not_leak(capfd, recwarn):
    def answer(x, scale):
        print("so far", x.shape)
        np.log(-np.ones(1))
        return standardize(x, scale)

    found = verdict(answer)
    assert found.passed
    assert "invalid value encountered in log" in found.message
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_an_answer_that_lies_about_equality_does_not_pass():
    class Liar:
        def __eq__(self, other):
            return True

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError

        __hash__ = None

    assert verdict(lambda x, scale: Liar()).mistake == "wrong-type"


def test_an_unknown_id_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"did you mean 'testing.standardize'"):
        find("testing.standardise")


def test_a_message_has_at_most_eight_lines_and_a_small_table():
    for answer in (summed, lambda x, scale: None, lambda x, scale: -standardize(x, scale), lambda x, scale: x @ x):
        found = verdict(answer)
        assert len(found.lines) <= 8
        assert len(found.table) <= 6


def test_a_failed_check_raises_an_assertion_error_with_one_line_for_a_traceback(capsys):
    from dlcourse import check

    with pytest.raises(AssertionError) as caught:
        check("testing.standardize", summed)
    assert isinstance(caught.value, CheckFailed)
    assert len(caught.value._render_traceback_()) == 1
    assert "You subtract the sum." in str(caught.value)
    out, err = capsys.readouterr()
    assert "You subtract the sum." in out
    assert err == ""


def test_a_passed_check_returns_none(capsys):
    from dlcourse import check

    assert check("testing.standardize", standardize) is None
    assert "Passed: testing.standardize" in capsys.readouterr().out


def test_arrays_of_text_of_two_shapes_are_not_alike():
    assert not alike(np.full((2, 2), "x"), np.full((3, 3), "x"), Tolerance(0, 0))
    assert alike(np.full((2, 2), "x"), np.full((2, 2), "x"), Tolerance(0, 0))


def test_an_array_of_text_is_called_so():
    found = verdict(lambda x, scale: np.full(x.shape, "x"))
    assert found.mistake == "wrong-type"
    assert "an array of text of shape (3, 2)" in found.message


def test_feedback_in_html_says_passed_in_words_and_escapes_the_learners_text():
    html = verdict(lambda x, scale: 1 / 0)._repr_mimebundle_()["text/html"]
    assert "Not yet" in html
    assert "lambda x, scale: 1 / 0" in html
    assert "Passed" in verdict(standardize)._repr_mimebundle_()["text/html"]


# --- values ---


def test_the_expected_value_is_never_shown():
    secret = replace(EXERCISE, kind="value", driver="value", reference={"a": 41.5, "b": 2.0}, inputs=lambda rng: [Case()], wrong=(
        Wrong("doubled", {"a": 83.0}, "Counted twice. Where does it come from?"),))  # fmt: skip
    checks._by_id()[EXERCISE.id] = secret
    for answer in ({"a": 1.0, "b": 2.0}, {"a": 41.0, "b": 3}, {"a": 83.0, "b": 2.0}, 5, None, {"a": 1.0}):
        assert "41.5" not in verdict(answer).message
    assert verdict({"a": 83.0, "b": 7.0}).mistake == "doubled"
    assert verdict({"a": 1.0, "b": 2.0}).lines[:2] == ("Not right yet: 'a'.", "Right: 'b'.")
    assert verdict(None).mistake == "stub"
    assert verdict({"a": 1.0}).mistake == "missing-key"
    assert verdict({"a": 41.5, "b": 2}).passed


# --- parts ---


def both(x, scale):
    return float(x.mean() * scale), x - scale


@pytest.mark.parametrize(
    ("answer", "mistake", "said"),
    [
        (lambda x, scale: both(x, scale)[::-1], "parts-exchanged", "in another order than asked for: (loss, dx)"),
        (lambda x, scale: both(x, scale)[0], "wrong-parts", "(loss, dx)"),
        (lambda x, scale: (both(x, scale)[0], -both(x, scale)[1]), "sign", "`loss` is right, `dx` is not."),
        (lambda x, scale: (both(x, scale)[0], None), "returned-none", "`dx` is None"),
        (
            lambda x, scale: (both(x, scale)[0] * 3, both(x, scale)[1]),
            "constant-factor",
            "`dx` is right, `loss` is not.",
        ),
    ],
)
def test_the_parts_of_a_result_are_looked_at_one_by_one(answer, mistake, said):
    checks._by_id()[EXERCISE.id] = replace(EXERCISE, reference=both, returns=("loss", "dx"), wrong=())
    assert verdict(answer).mistake == mistake
    assert said in verdict(answer).message
    assert verdict(lambda x, scale: list(both(x, scale))).passed


# --- drivers ---


class Counter:
    def __init__(self, start):
        self.count = start

    def add(self, n):
        self.count += n
        return self.count

    def __add__(self, other):
        return Counter(self.count + (other.count if isinstance(other, Counter) else other))


def test_a_script_makes_objects_calls_methods_and_reads_attributes():
    steps = [
        ["a", "new", 2],
        ["b", "+", "a", 3],
        ["c", "chain", "b", "+", 1, 1000],
        ["said", "call", "c", "add", 7],
        ["_", "call", "c", "add", 1],
        ["now", "get", "c", "count"],
    ]
    assert run_case("script", Counter, Case((steps,))).value == {"said": 1012, "now": 1013}


def test_epochs_go_on_with_the_same_generator():
    outcome = run_case("epochs", lambda rng: iter([rng.random()]), Case((Rng(1),)))
    first, second = outcome.value
    assert first != second
    assert first == (np.random.default_rng(1).random(),)


def test_an_endless_generator_is_bounded():
    def forever():
        while True:
            yield 1

    assert len(run_case("iterate", forever, Case()).value) == 10_000


def test_a_case_names_a_function():
    @register
    def doubled_for_this_test(x):
        return 2 * x

    assert run_case("call", lambda f: f(4), Case((Fn("doubled_for_this_test"),))).value == 8
