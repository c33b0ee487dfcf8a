"""The training loop: the same steps as by hand, what it measures, and how it stops, resumes and shares the work."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import EPOCHS, RUNS, Ask, numpy_run, points, same, shared_run, torch_run

from dlcourse import data, nn, optim
from dlcourse.nn import functional as F  # noqa: N812
from dlcourse.train import Callback, EarlyStopping, History, NonFiniteLossError, checkpoint, fit, generators

PROGRAM = Path(__file__).with_name("training_runs.py")
X, Y = points()
ENGINES = ["numpy", "torch"]
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def parts(engine: str, sizes: tuple[int, ...] = (4, 16, 2), lr: float = 0.1) -> tuple[Any, Any, Any]:
    """A network of seeded weights, its loss, and SGD: equal in both engines."""
    twin = torch.nn.Sequential()
    torch.manual_seed(0)
    for a, b in itertools.pairwise(sizes):
        twin.extend([torch.nn.Linear(a, b), torch.nn.Tanh()])
    twin = twin[:-1]
    if engine == "torch":
        return twin, torch.nn.functional.cross_entropy, torch.optim.SGD(twin.parameters(), lr, momentum=0.9)
    layers = [nn.Linear(*layer.weight.shape[::-1]) if hasattr(layer, "weight") else nn.Tanh() for layer in twin]
    model = nn.Sequential(*layers)
    model.load_state_dict(twin.state_dict())
    return model, F.cross_entropy, optim.SGD(model.parameters(), lr, momentum=0.9)


def batches(size: int = 16) -> data.DataLoader:
    return data.DataLoader((X, Y), size)


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value).copy() for name, value in model.state_dict().items()}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def quiet(*args: Any, **options: Any) -> History:
    return fit(*args, **{"epochs": 1, "device": "cpu", **options})


# ---- the loop


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_takes_the_same_steps_as_the_loop_by_hand(engine):
    model, loss, optimizer = parts(engine)
    for _ in range(3):
        for x, y in batches():
            value = loss(*((model(x), y) if engine == "numpy" else (model(torch.tensor(x)), torch.tensor(y))))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    other, loss, optimizer = parts(engine)
    quiet(other, batches(), loss, optimizer, epochs=3)
    assert equal(weights(model), weights(other))


def test_both_engines_measure_the_same():
    ours, theirs = (
        quiet(*insert(parts(engine), batches()), epochs=4, val_loader=batches(30), max_norm=0.3) for engine in ENGINES
    )
    assert ours.keys() == theirs.keys() == {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)


def insert(made: tuple[Any, Any, Any], loader: Any) -> tuple[Any, ...]:
    model, loss, optimizer = made
    return model, loader, loss, optimizer


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_learns(engine):
    model, loss, optimizer = parts(engine, (4, 32, 32, 2))
    history = quiet(model, batches(), loss, optimizer, epochs=60)
    assert history["accuracy"][-1] >= 0.97
    assert history.epochs == 60
    assert not model.training


SCRIPT = """
import sys, numpy as np
from dlcourse import data, nn, optim, train
sys.stderr.isatty = lambda: {terminal}
model, loader = nn.Linear(2, 2), data.DataLoader((np.ones((4, 2), np.float32), np.zeros(4, int)), 2)
train.fit(model, loader, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), epochs=3, checkpoint={path!r})
print("torch" in sys.modules)
"""


def script(path: Path, terminal: bool, **environment: str) -> subprocess.CompletedProcess[str]:
    code = SCRIPT.format(path=str(path), terminal=terminal)
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=env)


def test_a_model_of_ours_is_trained_without_loading_torch(tmp_path):
    assert script(tmp_path / "a.npz", terminal=False).stdout == "False\n"


def test_the_bar_is_shown_only_where_somebody_can_see_it(tmp_path):
    seen = script(tmp_path / "a.npz", terminal=True).stderr
    assert "3 epochs: 100%" in seen
    assert "6/6" in seen
    assert "loss=" in seen
    assert script(tmp_path / "b.npz", terminal=True, TQDM_DISABLE="1").stderr == ""
    assert script(tmp_path / "c.npz", terminal=False).stderr == ""


def test_several_inputs_come_before_the_target():
    class Sum(nn.Module):
        def __init__(self):
            self.one, self.two = nn.Linear(4, 2), nn.Linear(1, 2)

        def forward(self, x, z):
            return self.one(x) + self.two(z)

    model = Sum()
    history = quiet(model, data.DataLoader((X, X[:, :1], Y), 10), F.cross_entropy, optim.SGD(model.parameters(), 0.1))
    assert history.epochs == 1


# ---- what is measured


@pytest.mark.parametrize("engine", ENGINES)
def test_the_loss_is_a_mean_over_examples_however_uneven_the_batches(engine):
    model, loss, optimizer = parts(engine, lr=0.0)
    whole = quiet(model, batches(100), loss, optimizer)
    pieces = quiet(model, batches(48), loss, optimizer)  # 48, 48 and 4
    np.testing.assert_allclose(pieces["loss"], whole["loss"], rtol=1e-6)
    np.testing.assert_allclose(pieces["accuracy"], whole["accuracy"], rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_validation_is_in_evaluation_mode_and_changes_nothing(engine):
    module = nn if engine == "numpy" else torch.nn
    model, loss, _ = parts(engine)
    modes = []

    class Spy(module.Module):
        def forward(self, x):
            modes.append((self.training, x.requires_grad))
            return x

    network = module.Sequential(*model, Spy())
    optimizer = (optim if engine == "numpy" else torch.optim).SGD(network.parameters(), 0.1)
    quiet(network, batches(50), loss, optimizer, epochs=2, val_loader=batches(100))
    assert modes == [(True, True), (True, True), (False, False)] * 2
    assert not network.training


@pytest.mark.parametrize("engine", ENGINES)
def test_metrics_of_your_own_get_plain_outputs(engine):
    model, loss, optimizer = parts(engine)
    kinds = []

    def wrong(outputs, target):
        kinds.append((type(outputs), type(target)))
        assert not getattr(outputs, "requires_grad", False)
        return (outputs.argmax(1) != target).sum() / len(target)

    history = quiet(model, batches(), loss, optimizer, metrics={"wrong": wrong}, val_loader=batches())
    assert history.keys() == {"loss", "wrong", "val_loss", "val_wrong", "lr"}
    expected = np.ndarray if engine == "numpy" else torch.Tensor
    assert set(kinds) == {(expected, expected)}


def test_regression_has_no_accuracy():
    model = nn.Linear(4, 4)
    history = quiet(model, data.DataLoader((X, X), 20), F.mse_loss, optim.SGD(model.parameters(), 0.1))
    assert history.keys() == {"loss", "lr"}


def test_a_history_is_drawn_with_its_best_epoch_in_the_title():
    history = History(
        {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0], "accuracy": [0.1, 0.2, 0.3], "lr": [1.0] * 3}
    )
    titles = [axes.get_title() for axes in history.plot().axes]
    assert titles == ["validation loss: best 1.5 in epoch 2", "accuracy: 0.3 at the end"]
    with pytest.raises(ValueError, match="no epoch was finished"):
        History().plot()


# ---- clipping, schedules


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_are_clipped_to_max_norm(engine):
    model, loss, _ = parts(engine)
    before = weights(model)
    optimizer = (optim if engine == "numpy" else torch.optim).SGD(model.parameters(), 1.0)
    quiet(model, batches(100), loss, optimizer, max_norm=0.01)
    moved = np.sqrt(sum(((value - before[name]) ** 2).sum() for name, value in weights(model).items()))
    assert moved == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("every", "rates"), [("epoch", [0.1, 0.05, 0.025]), ("step", [0.1 / 2, 0.1 / 8, 0.1 / 32])])
def test_a_schedule_goes_on_each_step_or_each_epoch(engine, every, rates):
    model, loss, optimizer = parts(engine)
    schedules = optim.lr_scheduler if engine == "numpy" else torch.optim.lr_scheduler
    halve = schedules.StepLR(optimizer, 1, 0.5)
    used = []

    class Note(Callback):
        def on_step_end(self, run):
            used.append(run.step)

    history = quiet(
        model, batches(50), loss, optimizer, epochs=3, schedule=halve, schedule_every=every, callbacks=[Note()]
    )
    assert used == [1, 2, 3, 4, 5, 6]
    # the epoch's last step; with a schedule by steps, the rate after it
    np.testing.assert_allclose(history["lr"], rates if every == "epoch" else [rate / 2 for rate in rates])


def test_a_schedule_that_waits_for_a_plateau_is_given_the_loss():
    model, loss, optimizer = parts("torch", lr=0.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    for group in optimizer.param_groups:
        group["lr"] = 1e-30  # the loss stays
    history = quiet(model, batches(), loss, optimizer, epochs=3, schedule=schedule)
    assert schedule.best == history["loss"][0]


# ---- early stopping


class Figures(Callback):
    """Overwrites the validation loss, so that a test knows it, and keeps each epoch's weights."""

    def __init__(self, values):
        self.values, self.weights = values, []

    def on_epoch_end(self, run):
        run.history["val_loss"][-1] = self.values[run.epoch - 1]
        self.weights.append(copy.deepcopy(weights(run.model)))


@pytest.mark.parametrize("engine", ENGINES)
def test_early_stopping_restores_the_best_weights(engine):
    model, loss, optimizer = parts(engine)
    figures, stopping = Figures([5.0, 3.0, 4.0, 3.5, 3.0, 1.0]), EarlyStopping(3)
    history = quiet(model, batches(), loss, optimizer, epochs=6, val_loader=batches(), callbacks=[figures, stopping])
    assert history.epochs == 5
    assert (stopping.best, stopping.best_epoch) == (3.0, 2)
    assert equal(weights(model), figures.weights[1])


def test_early_stopping_restores_the_best_weights_also_after_the_last_epoch():
    model, loss, optimizer = parts("numpy")
    figures = Figures([5.0, 3.0, 4.0])
    quiet(model, batches(), loss, optimizer, epochs=3, val_loader=batches(), callbacks=[figures, EarlyStopping(3)])
    assert equal(weights(model), figures.weights[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_early_stopping_knows_after_a_resumption_what_was_best(engine, tmp_path):
    ends = []
    for broken_at in (None, 23, 0):  # in the fourth epoch; then the same call once more
        model, loss, optimizer = parts(engine)
        callbacks = [Figures([5.0, 3.0, 4.0, 4.0, 4.0, 1.0]), EarlyStopping(3), Ask(step=broken_at)]
        path = None if broken_at is None else tmp_path / "a"
        with contextlib.suppress(InterruptedError):
            quiet(
                model, batches(), loss, optimizer, epochs=6, val_loader=batches(), callbacks=callbacks, checkpoint=path
            )
            ends.append((weights(model), callbacks[1].best_epoch))
    (unbroken, best), (resumed, best_then) = ends
    assert best == best_then == 2
    assert equal(unbroken, resumed)


def test_a_higher_accuracy_is_better():
    stopping = EarlyStopping(2, "accuracy")
    model, loss, optimizer = parts("numpy")
    history = quiet(model, batches(), loss, optimizer, epochs=8, callbacks=[stopping])
    assert stopping.best == max(history["accuracy"]) > history["accuracy"][0]


def test_early_stopping_needs_its_figure():
    model, loss, optimizer = parts("numpy")
    with pytest.raises(
        ValueError, match=r"watches 'val_loss', but the history has loss, accuracy, lr; give fit a val_l"
    ):
        quiet(model, batches(), loss, optimizer, callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match="patience=0 must be at least 1"):
        EarlyStopping(0)


# ---- breaking off and going on


@posix
@pytest.mark.parametrize(("engine", "trials"), [("numpy", 4), ("torch", 3)])
def test_a_run_killed_at_random_moments_ends_as_the_unbroken_one(engine, trials, tmp_path):
    command = [sys.executable, str(PROGRAM), "kill", engine, str(trials), str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] >= trials / 2  # now and then a run is quicker than the shot
    assert counts["different"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_broken_off_at_any_step_ends_as_the_unbroken_one(engine, tmp_path):
    run, name = RUNS[engine]
    unbroken = run(None, callbacks=[Ask()])
    for step in (1, 4, 7, 8, 20, 35, 7 * EPOCHS):  # checkpoints: every 3 steps, and after the 7 of an epoch
        path = tmp_path / f"{step}-{name}"
        with pytest.raises(InterruptedError):
            run(path, callbacks=[Ask(step=step)])
        assert same(run(path, callbacks=[Ask()]), unbroken)


def shared_generator_run(path, broken=0):
    """One generator for everything."""
    rng = np.random.default_rng(7)
    model = nn.Sequential(nn.Linear(4, 8, rng=rng), nn.Dropout(0.5, rng=rng), nn.Linear(8, 2, rng=rng))
    loader = data.DataLoader((X, Y), 16, shuffle=True, rng=rng)
    history = quiet(model, loader, F.cross_entropy, optim.SGD(model.parameters(), 0.1), epochs=2, checkpoint=path,
                    checkpoint_every=path and 1, callbacks=[Ask(step=broken)])  # fmt: skip
    return model.state_dict(), dict(history)


def test_a_generator_shared_by_loader_and_layers_goes_on_too(tmp_path):
    unbroken = shared_generator_run(None)
    for step in (3, 7, 9):
        with pytest.raises(InterruptedError):
            shared_generator_run(tmp_path / f"{step}.npz", broken=step)
        assert same(shared_generator_run(tmp_path / f"{step}.npz"), unbroken)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_finished_run_is_read_not_repeated(engine, tmp_path):
    run, name = RUNS[engine]
    finished = run(tmp_path / name)
    assert same(run(tmp_path / name, callbacks=[Never()]), finished)
    assert same(run(tmp_path / name), finished)


class Never(EarlyStopping):
    """Early stopping that fails at any step."""

    def on_step_end(self, run):
        raise AssertionError("trained again")


Never.__name__ = "EarlyStopping"  # for a checkpoint it is the same


def test_a_run_that_was_stopped_stays_stopped(tmp_path):
    ends = [numpy_run(tmp_path / "a.npz", callbacks=[Ask(epoch=epoch)]) for epoch in (2, 99)]
    assert len(ends[1][1]["loss"]) == 2
    assert same(*ends)


def test_a_finished_run_goes_on_for_more_epochs(tmp_path):
    path = tmp_path / "a.npz"
    straight, loss, optimizer = parts("numpy")
    quiet(straight, batches(), loss, optimizer, epochs=4)
    for epochs in (2, 4):
        model, loss, optimizer = parts("numpy")
        quiet(model, batches(), loss, optimizer, epochs=epochs, checkpoint=path)
    assert equal(weights(straight), weights(model))


def test_without_resume_a_run_begins_anew(tmp_path):
    for _ in range(2):
        model, loss, optimizer = parts("numpy")
        history = quiet(model, batches(), loss, optimizer, checkpoint=tmp_path / "a.npz", resume=False)
        assert history.epochs == 1
        assert optimizer.state_dict()["state"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_checkpoint_is_whole_whatever_happens_while_it_is_written(place, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    checkpoint.replace(path, b"old")

    def power_cut(*args):
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(os, place, power_cut)
        with pytest.raises(InterruptedError):
            checkpoint.replace(path, b"new")
    assert path.read_bytes() == b"old"
    checkpoint.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_the_content_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, original=original: (calls.append(name), original(*args)))
    checkpoint.replace(tmp_path / "a", b"x")
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_after_the_step_and_the_run_goes_on_from_there(engine, tmp_path):
    run, name = RUNS[engine]

    class Press(Ask):
        def on_step_end(self, run):
            if run.step == 11:
                os.kill(os.getpid(), signal.SIGINT)

    Press.__name__ = "Ask"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(
            KeyboardInterrupt, match=r"interrupted in epoch 2 after 4 of its batches; saved in .*goes on"
        ):
            run(tmp_path / name, callbacks=[Press()])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    steps = []

    class Count(Ask):
        def on_step_end(self, run):
            steps.append(run.step)

    Count.__name__ = "Ask"
    assert same(run(tmp_path / name, callbacks=[Count()]), run(None, callbacks=[Ask()]))
    assert steps[0] == 12


@pytest.mark.parametrize("moment", ["last epoch", "last step"])
def test_ctrl_c_is_never_swallowed(moment):
    class Press(Callback):
        def on_step_end(self, run):
            if moment == "last step" and run.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

        def on_epoch_end(self, run):
            if moment == "last epoch":
                os.kill(os.getpid(), signal.SIGINT)

    model, loss, optimizer = parts("numpy")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            quiet(model, batches(50), loss, optimizer, callbacks=[Press()])
    finally:
        signal.signal(signal.SIGINT, before)


# ---- what a checkpoint may hold


def test_arrays_and_plain_values_come_back_as_they_were():
    state = {"a": [1, 2.5, None, True, "ü", (1, (2,))], 3: {0: np.arange(3, dtype=np.float32)}, "big": 2**127,
             "scalar": np.float32(0.1), "zero": np.zeros(()), "tiny": 5e-324, "inf": float("inf"), "{}": {}}  # fmt: skip
    back = checkpoint.decode(checkpoint.encode(state))
    assert back.pop("scalar").dtype == np.float32
    assert back.pop("zero").shape == ()
    np.testing.assert_array_equal(back.pop(3)[0], state[3][0], strict=True)
    assert back == {name: state[name] for name in back}
    assert back["a"][-1] == (1, (2,))


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()])])
def test_nothing_that_would_have_to_run_is_saved(value):
    with pytest.raises(TypeError, match=r"a checkpoint holds arrays|Python objects cannot be saved"):
        checkpoint.encode({"value": value})


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_code_in_a_checkpoint_is_run(engine, tmp_path):
    path, touched = tmp_path / "a", tmp_path / "touched"
    buffer = io.BytesIO()
    if engine == "numpy":
        np.savez(buffer, state=np.array([Bomb(touched)], dtype=object))
    else:
        torch.save({"format": Bomb(touched)}, buffer)
    path.write_bytes(buffer.getvalue())
    model, loss, optimizer = parts(engine)
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        quiet(model, batches(), loss, optimizer, checkpoint=path)
    assert not touched.exists()


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_every_kind_of_generator_draws_on_as_it_would_have(kind):
    rng = np.random.Generator(getattr(np.random, kind)(0))
    rng.random(5, np.float32)
    loader = {"loader": data.DataLoader((X,), rng=rng)}
    states = json.loads(json.dumps(generators.read(generators.find(loader))))
    expected = rng.random(4), np.random.rand(), __import__("random").random()  # noqa: NPY002
    generators.write(generators.find(loader), states)
    assert np.array_equal(rng.random(4), expected[0])
    assert (np.random.rand(), __import__("random").random()) == expected[1:]  # noqa: NPY002


def test_generators_are_found_where_objects_keep_them():
    class Box:
        def __init__(self, **parts):
            self.__dict__ |= parts

    a, b, c = np.random.default_rng(0), torch.Generator(), np.random.default_rng(1)
    loader = Box(dataset=Box(transforms=[Box(rng=a), print]), sampler=Box(generator=b), again=a, module=np, kind=Box)
    assert generators.find({"loader": loader, "model": Box(deep=[{"x": c}])}) == {
        "loader.dataset.transforms.0.rng": a, "loader.sampler.generator": b, "model.deep.0.x": c,
    }  # fmt: skip


# ---- a loss that is no number


def broken(model, loader, loss, optimizer, **options):
    with pytest.raises(NonFiniteLossError) as caught:
        quiet(model, loader, loss, optimizer, **options)
    return caught.value


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_nan_in_the_input_is_found(engine):
    model, loss, optimizer = parts(engine)
    bad = X.copy()
    bad[35, 1], bad[37, 2] = np.nan, np.inf
    before = []

    class Keep(Callback):
        def on_step_end(self, run):
            before[:] = [weights(run.model)]

    error = broken(model, data.DataLoader((bad, Y), 16), loss, optimizer, callbacks=[Keep()])
    assert "the loss is nan in epoch 1, batch 3 (step 3 of the run)" in str(error)
    assert "Bad input: the batch's input holds NaN and infinity in rows 3, 5. Clean the data" in str(error)
    assert (error.epoch, error.batch_number, error.step) == (1, 3, 3)
    np.testing.assert_array_equal(np.asarray(error.batch[0]), bad[32:48])
    assert equal(weights(model), before[0])  # the step was not taken


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_were_nan_before_are_named(engine):
    model, loss, optimizer = parts(engine)
    arrays = weights(model)
    arrays["0.bias"][2] = np.nan
    model.load_state_dict(arrays if engine == "numpy" else {k: torch.tensor(v) for k, v in arrays.items()})
    said = str(broken(model, batches(), loss, optimizer))
    assert "The batch itself is finite" in said
    assert "The weights were NaN or infinite before this step already: 0.bias. An earlier step" in said
    assert "It is the first step" in said


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_makes_nan_of_good_outputs_is_blamed(engine):
    model, _, optimizer = parts(engine)
    said = str(broken(model, batches(), lambda outputs, target: (outputs * 0.0).log().mean(), optimizer))
    assert "the loss is -inf in epoch 1, batch 1" in said
    assert "Weights and outputs are finite, so the loss function itself is to blame: a log of 0" in said


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_makes_nan_is_blamed(engine):
    module = nn if engine == "numpy" else torch.nn

    class Bad(module.Module):
        def forward(self, x):
            return x / (x * 0.0)

    model, loss, _ = parts(engine)
    network = module.Sequential(*model, Bad())
    optimizer = (optim if engine == "numpy" else torch.optim).SGD(network.parameters(), 0.1)
    assert "The weights are finite, the model's outputs are not" in str(broken(network, batches(), loss, optimizer))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_growing_losses_point_to_the_learning_rate(engine):
    model, _, _ = parts(engine, (4, 4))
    optimizer = (optim if engine == "numpy" else torch.optim).SGD(model.parameters(), 1e6)
    squared = F.mse_loss if engine == "numpy" else torch.nn.functional.mse_loss
    said = str(broken(model, data.DataLoader((X, X), 10), squared, optimizer, epochs=20))
    assert "they grow, which points to the learning rate. Try a tenth of it" in said


def test_nan_in_validation_stops_too():
    model, loss, optimizer = parts("numpy")
    bad = np.full_like(X, np.nan)
    with np.errstate(all="ignore"):
        said = str(broken(model, batches(), loss, optimizer, val_loader=data.DataLoader((bad, Y), 60)))
    assert "the loss is nan in validation after epoch 1, batch 1" in said


# ---- mistakes


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"epochs": 0}, ValueError, "epochs=0; it must be a whole number of at least 1"),
        ({"epochs": 2.0}, ValueError, r"epochs=2\.0"),
        ({"epochs": None}, ValueError, "epochs=None"),
        ({"loader": []}, ValueError, "loader is empty"),
        ({"val_loader": []}, ValueError, "val_loader is empty"),
        ({"loader": iter([(X, Y)])}, TypeError, "loader is an iterator, which is used up after one epoch"),
        ({"loader": 5}, TypeError, "loader is a int; give batches"),
        ({"loader": [X]}, ValueError, r"a batch of the loader is a ndarray; it must be inputs and a target"),
        ({"loader": [(X,)]}, ValueError, r"is 1 part; it must be inputs and a target, .* an autoencoder's is \(X, X\)"),
        (
            {"model": abs},
            TypeError,
            "model is a builtin_function_or_method; give a module of dlcourse.nn or of torch.nn",
        ),
        ({"optimizer": 0.1}, TypeError, "optimizer is a float; give an optimizer"),
        ({"max_norm": 0.0}, ValueError, r"max_norm=0\.0; it must be above 0"),
        ({"checkpoint_every": 5}, ValueError, "checkpoint_every=5 needs a file"),
        ({"checkpoint_every": 0, "checkpoint": "a"}, ValueError, "checkpoint_every=0; it must be a whole number"),
        ({"checkpoint": "."}, ValueError, r"checkpoint='\.' is a folder"),
        ({"schedule_every": "batch"}, ValueError, "schedule_every='batch'; choose 'step' or 'epoch'"),
        ({"metrics": {"loss": abs}}, ValueError, r"metrics has the names \['loss'\]"),
        ({"callbacks": [print]}, TypeError, "is no Callback"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments_are_explained(engine, change, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, loss, optimizer = parts(engine)
    given = {"model": model, "loader": batches(), "loss": loss, "optimizer": optimizer, "epochs": 1, "device": "cpu"}
    with pytest.raises(error, match=said):
        fit(**{**given, **change})


@pytest.mark.parametrize("engine", ENGINES)
def test_an_optimizer_of_another_model_is_found(engine):
    model, loss, _ = parts(engine)
    with pytest.raises(ValueError, match="the optimizer holds none of the model's parameters"):
        quiet(model, batches(), loss, parts(engine)[2])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_must_be_one_number_with_a_gradient(engine):
    model, loss, optimizer = parts(engine)
    with pytest.raises(ValueError, match=r"the loss has shape \(16,\); it must be one number: take its \.mean\(\)"):
        quiet(model, batches(), lambda outputs, target: loss(outputs, target, reduction="none"), optimizer)
    with pytest.raises(TypeError, match="the loss returned a float, not a tensor"):
        quiet(model, batches(), lambda outputs, target: loss(outputs, target).item(), optimizer)
    with pytest.raises(ValueError, match="the loss does not depend on the model's parameters; was something detached"):
        quiet(model, batches(), lambda outputs, target: loss(outputs.detach(), target), optimizer)


def test_a_loader_without_a_length_may_turn_out_empty():
    class Stream:
        def __init__(self, items):
            self.items = items

        def __iter__(self):
            return iter(self.items)

    model, loss, optimizer = parts("numpy")
    assert quiet(model, Stream([(X, Y)]), loss, optimizer).epochs == 1
    with pytest.raises(ValueError, match="the loader gave no batches"):
        quiet(model, Stream([]), loss, optimizer)
    with pytest.raises(ValueError, match="val_loader gave no batches"):
        quiet(model, batches(), loss, optimizer, val_loader=Stream([]))


def test_models_of_ours_have_no_other_device_and_no_second_process(monkeypatch):
    model, loss, optimizer = parts("numpy")
    with pytest.raises(ValueError, match="device='cuda', but NumPy's models compute on the CPU"):
        quiet(model, batches(), loss, optimizer, device="cuda")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="NumPy's models train in one process; start the script without torchrun"):
        quiet(model, batches(), loss, optimizer)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_device_that_is_not_there_is_named():
    model, loss, optimizer = parts("torch")
    with pytest.raises(ValueError, match=r"device='cuda', but PyTorch finds only .*cpu.* here; device='auto' takes"):
        quiet(model, batches(), loss, optimizer, device="cuda")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_checkpoint_of_another_run_is_refused(engine, tmp_path):
    path = tmp_path / "a"
    model, loss, optimizer = parts(engine)
    quiet(model, batches(), loss, optimizer, checkpoint=path)

    def again(made=None, **options):
        model, loss, optimizer = made or parts(engine)
        loader = options.pop("loader", batches())
        return quiet(model, loader, loss, optimizer, checkpoint=path, epochs=2, **options)

    with pytest.raises(ValueError, match=r"is the checkpoint of another model or run: (.|\n)*shape(.|\n)*resume=False"):
        again(parts(engine, (4, 8, 2)))
    model, loss, _ = parts(engine)
    adam = (optim if engine == "numpy" else torch.optim).Adam(model.parameters())
    with pytest.raises(ValueError, match="another run: optimizer was 'SGD' and is 'Adam'; delete it"):
        again((model, loss, adam))
    with pytest.raises(ValueError, match=r"callbacks was \[\] and is \['EarlyStopping'\]"):
        again(callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match="number of batches was 7 and is 10"):
        again(loader=batches(10))
    shuffled = data.DataLoader((X, Y), 16)
    shuffled.rng = None
    with pytest.raises(ValueError, match=r"the generators \['loader.rng'\] are only in the checkpoint or only in this"):
        again(loader=shuffled)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read as a checkpoint of a"):
        again()
    other = parts("torch" if engine == "numpy" else "numpy")
    quiet(*insert(other, batches()), checkpoint=path, resume=False)
    with pytest.raises(ValueError, match=f"cannot be read as a checkpoint of a {engine} model"):
        again()


# ---- PyTorch's own


def test_a_compiled_model_takes_the_same_steps_and_shares_its_checkpoints(tmp_path):
    plain, loss, optimizer = parts("torch")
    quiet(plain, batches(), loss, optimizer, epochs=3, val_loader=batches())
    path = tmp_path / "a.pt"
    model, loss, optimizer = parts("torch")
    quiet(
        torch.compile(model, backend="eager"),
        batches(),
        loss,
        optimizer,
        epochs=2,
        val_loader=batches(),
        checkpoint=path,
    )
    model, loss, optimizer = parts("torch")
    quiet(model, batches(), loss, optimizer, epochs=3, val_loader=batches(), checkpoint=path)
    assert equal(weights(plain), weights(model))


def test_mixed_precision_changes_nothing_on_the_cpu():
    results = []
    for mixed in (False, True):
        model, loss, optimizer = parts("torch")
        quiet(model, batches(), loss, optimizer, mixed_precision=mixed, max_norm=0.1)
        results.append(weights(model))
    assert equal(*results)


@posix
def test_two_processes_learn_what_one_does(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(PROGRAM)]
    done = subprocess.run([*command, "share", str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (pickle.loads((tmp_path / f"{rank}.pickle").read_bytes()) for rank in (0, 1))
    assert all(same((first[name][0], 0), (second[name][0], 0)) for name in first), "the processes' weights differ"
    for name, loader in (("whole", "whole"), ("wrapped", "whole"), ("sampler", "sampler")):
        (expected, (history, _)), (shared, (shared_history, _)) = shared_run(loader), first[name]
        for key in expected:
            np.testing.assert_allclose(shared[key], expected[key], rtol=0, atol=1e-6, err_msg=f"{name}: {key}")
        for key in history:
            np.testing.assert_allclose(shared_history[key], history[key], rtol=0, atol=1e-6, err_msg=f"{name}: {key}")
    assert first["sampler"][1][1] == 4, "DistributedSampler.set_epoch was not called"
    assert [len(each["asked"][1][0]["loss"]) for each in (first, second)] == [3, 3], "one asked, both must stop"
    assert all(same(each["unbroken"], each["resumed"]) for each in (first, second)), "a resumed run differs"


# ---- on a GPU


@cuda
@pytest.mark.parametrize("mixed", [False, True])
def test_a_model_learns_on_the_gpu(mixed):
    model, loss, optimizer = parts("torch", (4, 32, 32, 2))
    history = fit(
        model, batches(), loss, optimizer, epochs=60, val_loader=batches(), max_norm=1.0, mixed_precision=mixed
    )
    assert next(model.parameters()).device.type == "cuda"
    assert history["accuracy"][-1] >= 0.97


@cuda
def test_the_gpu_takes_nearly_the_cpus_steps():
    ends = []
    for device in ("cpu", "cuda"):
        model, loss, optimizer = parts("torch")
        fit(model, batches(), loss, optimizer, epochs=2, device=device)
        ends.append(weights(model.cpu()))
    for name in ends[0]:
        np.testing.assert_allclose(ends[1][name], ends[0][name], rtol=0, atol=1e-4)


@cuda
@pytest.mark.parametrize("mixed", [False, True])
def test_a_run_broken_off_on_the_gpu_ends_as_the_unbroken_one(mixed, tmp_path):
    options = {"device": "cuda", "mixed_precision": mixed}
    unbroken = torch_run(None, callbacks=[Ask()], **options)
    for step in (5, 11, 20):
        with pytest.raises(InterruptedError):
            torch_run(tmp_path / f"{step}.pt", callbacks=[Ask(step=step)], **options)
        assert same(torch_run(tmp_path / f"{step}.pt", callbacks=[Ask()], **options), unbroken)


@cuda
def test_an_optimizer_follows_its_model_to_the_gpu():
    model, loss, optimizer = parts("torch")
    for device in ("cpu", "cuda"):
        fit(model, batches(), loss, optimizer, epochs=1, device=device)
    assert {value["momentum_buffer"].device.type for value in optimizer.state.values()} == {"cuda"}
