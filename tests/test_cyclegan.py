"""The unpaired domains, the translation between them, and what many runs of it came to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as TF  # noqa: N812

from dlcourse.data import load_digits
from dlcourse.data.domains import SIZE, Domains, colored_digits, enlarge, read_digits, stroke_digits, thicken
from dlcourse.models import cyclegan_torch
from dlcourse.models.cyclegan_torch import CycleGAN, Discriminator, Generator, Pool, judge, train_cyclegan, translate
from dlcourse.models.image_runs import measured

BOTH = [colored_digits, stroke_digits]
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    return load_digits(images=True)


def still(channels=1):
    """Generators that return the picture as it is."""
    model = CycleGAN(channels)
    for generator in (model.to_b, model.to_a):
        torch.nn.init.zeros_(generator.last.weight)
    return model


class Reader(torch.nn.Module):
    """Says which of ten test digits it sees, by the nearest."""

    def __init__(self, known):
        super().__init__()
        self.known = torch.from_numpy(known).flatten(1)

    def forward(self, images):
        return -torch.cdist(images.flatten(1), self.known)


# ---- domains


def test_enlarging_is_pytorchs_bilinear_interpolation_of_the_framed_digit(digits):
    framed = TF.pad(torch.from_numpy(digits[1]), (1, 1, 1, 1))
    expected = TF.interpolate(framed, size=SIZE, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(enlarge(digits[1]), expected.numpy(), atol=1e-6)


def test_thickening_takes_the_largest_of_nine(digits):
    images = rng.random((3, 2, 9, 7)).astype(np.float32)
    expected = TF.max_pool2d(torch.from_numpy(images), 3, stride=1, padding=1)
    np.testing.assert_array_equal(thicken(images), expected.numpy())


@pytest.mark.parametrize("load", BOTH)
def test_pictures_are_float32_between_0_and_1(load):
    domains = load()
    for images in (domains.a, domains.b, domains.test_a, domains.test_b):
        assert images.dtype == np.float32
        assert 0 <= images.min() < images.max() <= 1


def test_shapes_of_the_domains():
    assert colored_digits().a.shape == (673, 3, 16, 16)
    assert colored_digits().b.shape == (674, 3, 16, 16)
    assert stroke_digits().test_b.shape == stroke_digits().test_a.shape == (450, 1, 16, 16)


def test_no_digit_is_in_both_domains():
    domains = stroke_digits()
    in_a, in_b = ({image.tobytes() for image in images} for images in (thicken(domains.a), domains.b))
    assert in_a.isdisjoint(in_b)
    assert len(in_a) + len(in_b) == 1347


def test_another_seed_divides_the_digits_otherwise_and_tests_on_the_same():
    one, same, other = stroke_digits(1), stroke_digits(1), stroke_digits(2)
    np.testing.assert_array_equal(one.a, same.a)
    np.testing.assert_array_equal(one.test_b, other.test_b)
    assert np.abs(one.a - other.a).max() > 0.5


@pytest.mark.parametrize("load", BOTH)
def test_the_digit_is_read_back_from_domain_a(load, digits):
    domains = load()
    np.testing.assert_allclose(read_digits(domains.test_a), digits[1], atol=1e-5)
    np.testing.assert_array_equal(domains.test_labels, digits[3])


def test_test_pictures_are_true_pairs():
    strokes, colored = stroke_digits(), colored_digits()
    np.testing.assert_array_equal(thicken(strokes.test_a), strokes.test_b)
    np.testing.assert_allclose(colored.test_b[:, 0], 0.1 + 0.8 * colored.test_a[:, 0], atol=1e-6)  # red: .1 and .9
    np.testing.assert_allclose(colored.test_b[:, 2], 0.8 - 0.7 * colored.test_a[:, 0], atol=1e-6)  # blue: .8 and .1


@pytest.mark.parametrize("function", [enlarge, read_digits])
@pytest.mark.parametrize("shape", [(5, 64), (8, 8), (5, 2, 16, 16), (5, 8, 8, 1)])
def test_pictures_of_another_shape_are_refused(function, shape):
    with pytest.raises(ValueError, match="give") as caught:
        function(np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value)
    assert function.__name__ in str(caught.value)


# ---- networks


def test_a_fresh_generator_nearly_returns_its_picture():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 16, 16)
    difference = (Generator(3)(images) - images).abs().mean()
    assert 0 < difference < 0.05


def test_a_pixel_outside_of_0_to_1_keeps_a_gradient():
    generator = Generator(1)
    torch.nn.init.constant_(generator.last.bias, 5.0)
    generator(torch.ones(2, 1, 16, 16)).sum().backward()
    assert (generator.last.bias.grad > 0).all()


def test_a_discriminator_scores_sixteen_patches():
    assert Discriminator(3)(torch.zeros(5, 3, 16, 16)).shape == (5, 1, 4, 4)


def test_the_first_batch_leaves_a_pool_as_it_came():
    images = torch.rand(6, 1, 2, 2)
    assert torch.equal(Pool(torch.Generator().manual_seed(0)).mix(images), images)


def test_a_pool_gives_back_old_pictures_among_the_new_and_keeps_no_more_than_its_size():
    pool = Pool(torch.Generator().manual_seed(0), size=3)
    ages = []
    for step in range(40):
        mixed = pool.mix(torch.full((8, 1, 1, 1), float(step)))
        ages += (step - mixed.flatten()).tolist()
    assert len(pool.batches) == 3
    assert 0.5 < np.mean(np.array(ages) == 0) < 0.9
    assert max(ages) >= 2


def test_translations_are_cut_to_the_range_of_pixels():
    generator = Generator(1)
    torch.nn.init.constant_(generator.last.bias, 5.0)
    out = translate(generator, np.ones((2, 1, 16, 16)))
    assert out.dtype == np.float32
    assert out.max() == 1


# ---- training


def small(load=stroke_digits, **options):
    domains = load()
    return train_cyclegan(domains.a, domains.b, **{"steps": 3, "width": 4, "progress": False} | options)


def test_training_is_the_same_from_the_same_seed_and_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (small(seed=seed) for seed in (1, 1, 2))
    assert one.history == same.history != other.history
    assert len(one.history) == 3
    assert not one.training
    assert torch.equal(before, torch.random.get_rng_state())


def test_generators_and_discriminators_change_and_can_be_trained_further():
    trained = small(steps=2)
    torch.manual_seed(0)
    fresh = CycleGAN(1, 4)
    for (name, after), before in zip(trained.named_parameters(), fresh.parameters(), strict=True):
        assert after.requires_grad, name
        assert not torch.equal(after, before), name


def test_the_generators_loss_leaves_no_gradient_in_the_discriminators(monkeypatch):
    seen = []
    step = cyclegan_torch.descend

    def watched(optimizer, loss):
        step(optimizer, loss)
        seen.append([p.grad is None for p in model.judge_a.parameters()])

    torch.manual_seed(0)
    model, images = CycleGAN(1, 4), torch.rand(2, 1, 16, 16)
    monkeypatch.setattr(cyclegan_torch, "descend", watched)
    optimizers = [
        torch.optim.Adam([*one.parameters(), *other.parameters()])
        for one, other in ((model.to_b, model.to_a), (model.judge_a, model.judge_b))
    ]
    pools = Pool(torch.Generator()), Pool(torch.Generator())
    cyclegan_torch._update(model, images, images, optimizers, pools, 10.0, 1.0)
    assert all(seen[0])  # after the generators' step
    assert not any(seen[1])


def test_the_cycle_loss_in_the_history_is_without_its_weight():
    steps = [small(seed=1, steps=1, cycle=weight).history[0] for weight in (0.0, 10.0)]
    assert steps[0][2] == steps[1][2] > 0
    assert steps[1][0] - steps[0][0] == pytest.approx(10 * steps[0][2], rel=1e-4)


def test_an_interrupt_returns_the_networks_as_far_as_they_came_and_none_of_them_frozen(monkeypatch):
    step, calls = cyclegan_torch.descend, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 5:  # the third step of the generators
            raise KeyboardInterrupt
        step(*arguments)

    monkeypatch.setattr(cyclegan_torch, "descend", interrupted)
    model = small(steps=50)
    assert len(model.history) == 2
    assert not model.training
    assert all(p.requires_grad for p in model.parameters())


def test_colors_are_learned_without_a_pair():
    domains = colored_digits()
    model = train_cyclegan(domains.a, domains.b, steps=120, width=8, progress=False)
    translated = judge(model, domains, Reader(read_digits(domains.test_a[:10])))
    assert np.abs(domains.test_a - domains.test_b).mean() > 0.3
    assert translated.to_b < 0.2
    assert translated.to_a < 0.1


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((5, 1, 8, 8), (5, 1, 16, 16), "a of shape"),
        ((5, 1, 16, 16), (5, 256), "b of shape"),
        ((0, 1, 16, 16), (5, 1, 16, 16), "a of shape"),
        ((5, 1, 16, 16), (5, 3, 16, 16), "a has 1 channels and b 3"),
    ],
)
def test_pictures_that_cannot_be_trained_on_are_refused(a, b, said):
    with pytest.raises(ValueError, match=said):
        train_cyclegan(np.zeros(a, np.float32), np.zeros(b, np.float32), steps=1, progress=False)


def test_no_steps_are_refused():
    pictures = np.zeros((5, 1, 16, 16), np.float32)
    with pytest.raises(ValueError, match="steps=0; give at least 1"):
        train_cyclegan(pictures, pictures, steps=0, progress=False)


# ---- judging


def test_pictures_left_as_they_are_have_the_domains_difference_and_keep_their_labels():
    whole = colored_digits()
    domains = Domains(whole.a, whole.b, whole.test_a[:10], whole.test_b[:10], np.arange(10))
    translated = judge(still(3), domains, Reader(read_digits(domains.test_a)))
    difference = float(np.abs(domains.test_a - domains.test_b).mean())
    assert translated.to_b == pytest.approx(difference, abs=1e-6)
    assert translated.to_a == pytest.approx(difference, abs=1e-6)
    assert translated.round_trip == pytest.approx(0, abs=1e-6)
    assert translated.labels == 1


def test_labels_count_those_that_are_read_rightly():
    whole = stroke_digits()
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 0, 0, 0])  # three are wrong
    domains = Domains(whole.a, whole.b, whole.test_a[:10], whole.test_b[:10], labels)
    assert judge(still(), domains, Reader(read_digits(domains.test_a))).labels == pytest.approx(0.7)


# ---- what many runs came to


def results(task, setting, measure):
    return np.array([run.result for run in measured()[task, setting, measure]])


@pytest.mark.parametrize(("task", "most"), [("color", 0.05), ("strokes", 0.08)])
def test_the_recorded_runs_reach_the_goals(task, most):
    for direction in ("to_b", "to_a"):
        assert len(results(task, "both losses", direction)) == 3
        assert results(task, "both losses", direction).max() <= most
    assert results(task, "both losses", "labels").min() >= 0.93


def test_without_the_cycle_loss_alone_the_recorded_strokes_lose_their_digits():
    assert results("strokes", "no cycle loss", "labels").max() < results("strokes", "both losses", "labels").min() - 0.2


def test_every_recorded_setting_has_three_seeds_and_its_steps():
    for (task, setting, measure), runs in measured().items():
        once = setting in {"untranslated", "bicubic"}
        assert [run.seed for run in runs] == ([0] if once else [0, 1, 2]), (task, setting, measure)
        assert all((run.steps == 0) == once for run in runs)
