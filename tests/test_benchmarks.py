"""The benchmarks' own logic: that a missed floor is noticed, that both engines do the same, that the page is up to date."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dlcourse.models.runs import Run, read_runs


@pytest.fixture(scope="module")
def engine(benchmark_script):
    return benchmark_script("engine")


def row(case, ratio):
    return {
        "case": case.key, "title": case.title, "columns": case.columns, "times": [1.0, 2.0], "ratio": ratio,
        "quartiles": [ratio, ratio], "goal": case.goal, "floor": case.floor, "at_most": case.at_most, "rounds": 1,
    }  # fmt: skip


@pytest.fixture
def measured(engine, monkeypatch):
    """``measured({key: [ratio, ...]})``: run the benchmark on these measurements instead of real ones."""

    def run(ratios, *arguments):
        left = {key: list(values) for key, values in ratios.items()}
        monkeypatch.setattr(engine, "CASES", [case for case in engine.CASES if case.key in ratios])
        monkeypatch.setattr(engine, "measure", lambda case, rounds: row(case, left[case.key].pop(0)))
        monkeypatch.setattr(engine, "machine", lambda: {"cpu": "made up"})
        monkeypatch.setattr(engine.os, "sched_setaffinity", lambda *_: None, raising=False)
        return engine.main(arguments)

    return run


def test_ratios_above_the_floors_exit_0(measured):
    assert measured({"mlp": [0.79], "gpt_memory": [1.9]}, "--floors") == 0


@pytest.mark.parametrize(("key", "ratio"), [("mlp", 0.77), ("lstm_length", 7.6), ("gpt_memory", 2.1)])
def test_a_floor_missed_twice_exits_1_and_names_the_case(measured, capsys, key, ratio):
    assert measured({"chain": [1.0], key: [ratio, ratio]}, "--floors") == 1
    assert capsys.readouterr().err.strip() == f"below 60% of the goal, twice: {key}"


def test_a_floor_missed_once_is_measured_again(measured):
    assert measured({"mlp": [0.5, 1.3]}, "--floors") == 0


def test_without_floors_a_miss_is_shown_and_exits_0(measured, capsys):
    assert measured({"mlp": [0.5]}) == 0
    assert "(goal missed)" in capsys.readouterr().out


def test_the_floor_of_an_upper_limit_lies_above_it(engine):
    assert {case.key: case.floor for case in engine.CASES if case.at_most} == {"lstm_length": 7.5, "gpt_memory": 2.0}


def test_json_holds_the_machine_and_a_row_for_each_case(measured, tmp_path):
    measured({"mlp": [1.5], "chain": [1.2]}, "--json", str(tmp_path / "out.json"))
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["machine"] == {"cpu": "made up"}
    assert [(row["case"], row["ratio"]) for row in result["cases"]] == [("mlp", 1.5), ("chain", 1.2)]


@pytest.mark.parametrize("key", ["small_mlp", "cnn8", "small_ops"])
def test_a_case_is_measured_after_equal_losses(engine, key):
    case = next(case for case in engine.CASES if case.key == key)
    measured = engine.measure(dataclasses.replace(case, steps=1), rounds=2)
    assert measured.keys() == row(case, 1.0).keys()
    assert measured["rounds"] == 2
    assert measured["quartiles"][0] <= measured["ratio"] <= measured["quartiles"][1]


def test_losses_that_differ_are_refused(engine):
    case = next(case for case in engine.CASES if case.key == "small_ops")
    torchs, ours = case.start()
    with pytest.raises(AssertionError, match="the losses differ"):
        engine.alternate(dataclasses.replace(case, start=lambda: (torchs, lambda: ours() * 1.01)), rounds=1)


def test_the_committed_results_cover_all_cases(engine):
    result = json.loads(engine.RESULTS.read_text())
    assert [row["case"] for row in result["cases"]] == [case.key for case in engine.CASES]
    for case, row in zip(engine.CASES, result["cases"], strict=True):
        assert (row["title"], row["goal"], row["floor"]) == (case.title, case.goal, case.floor)
    assert {"cpu", "numpy", "torch", "numpy_blas", "torch_blas"} <= result["machine"].keys()


def test_the_page_shows_the_committed_results(engine):
    text = engine.PAGE.read_text()
    assert engine.page(text, json.loads(engine.RESULTS.read_text())) == text, "run benchmarks/engine.py --page"


def test_the_figure_is_made_from_the_results(engine, tmp_path):
    engine.figure(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert engine.FIGURE.exists()


def test_the_two_scalar_engines_learn_alike(benchmark_script):
    scalar = benchmark_script("scalar_engine")
    numbers = (scalar.Value, scalar.Closures)
    ours, theirs = [scalar.training(number, 8, scalar.nullcontext) for number in numbers]
    losses = [ours() for _ in range(10)]
    assert losses == pytest.approx([theirs() for _ in range(10)], abs=1e-9)
    assert losses[-1] < losses[0]


def test_a_table_over_seeds_is_read_as_it_was_written(benchmark_script, tmp_path):
    tables, path = benchmark_script("over_seeds"), tmp_path / "runs.csv"
    rows = [("task", "model", 20, seed, 0.25 + seed, 100, 1.5) for seed in (0, 1)]
    tables.write(path, "some.py", "task;model;length", rows)
    assert read_runs(path) == {("task", "model", "20"): [Run(0, 0.25, 100, 1.5), Run(1, 1.25, 100, 1.5)]}
    assert path.read_text("utf-8").startswith("# python benchmarks/some.py (Python 3.")
    assert "0.2500  1.2500   100 steps, 1.5 s" in tables.table(rows)


@pytest.mark.parametrize(
    "name", ["attention", "gan_records", "gans", "image_to_image", "recurrent_networks", "transformers"]
)
def test_a_script_that_trains_over_seeds_says_how_to_run_it(benchmark_script, name):
    script = benchmark_script(name)
    assert f"python benchmarks/{name}.py" in script.__doc__
    assert script.main
