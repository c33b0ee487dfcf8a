"""One turn of the game (Goodfellow et al. 2014, algorithm 1), with three faults that raise no error."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.checks.gans.stepping_answers import (
    added_up,
    both,
    doubled_mean,
    fake_cost,
    frozen_for_good,
    graph_left_out,
    guarded,
    measured_afterwards,
    naive,
    noise_like,
    program,
    real_cost,
    train_step,
    train_step_by_autograd,
    train_step_without_grad,
    turn_inputs,
)

DETACH_LEFT = "the discriminator's loss still goes back through the fakes into the generator, where its slopes are added to the generator's own"
FORGET_LEFT = "the discriminator's gradients are never set to zero, so earlier ones pile up in it, those of the generator's loss among them"
MINIMAX_LEFT = "the generator still minimizes ln(1 - D), which hardly slopes where D sees through a fake"
EARLY = "The discriminator's gradients are set to zero behind its own step; the generator's `backward`, which comes later, fills them again, and the next turn begins with that"
FORGIVEN = "The generator's gradients are set to zero in time, but the discriminator's loss is still sent back through the generator, for nothing"

TRAIN_STEP = Exercise(
    id="gans.train_step",
    kind="program",
    title="Mend the game",
    points=4,
    minutes=25,
    difficulty=2,
    function="train_step",
    reference=train_step,
    alternatives=(train_step_without_grad, train_step_by_autograd),
    inputs=turn_inputs,
    driver="plays",
    blame=(
        "the way back", "form of the result", "loss_D of the first step", "who steps", "the generator in the whole turn",
        "the generator before the discriminator's step", "weights of D after the first step", "loss_G of the first step",
        "weights of G after the first step",
        "losses of all steps, D's and G's by turns", "weights of D at the end", "weights of G at the end",
    ),
    rtol=1e-4,
    atol=1e-7,
    seconds=20.0,
    forbid=("dlcourse.models",),
    wrong=(
        Wrong(
            "as-given",
            program(forget_D="never", minimax=True, forget_G="at the top", detach=False, retain=True),
            "This is still the turn as it was handed out, with all three faults. Print the first gradient of G and of D before and after each `backward`: whose loss has changed whose gradient?",
        ),
        Wrong(
            "detach-and-zero-left",
            program(forget_D="never", forget_G="at the top", detach=False, retain=True),
            f"One fault is mended, the generator's loss. Two are left: {DETACH_LEFT}; and {FORGET_LEFT}. Which of the two do you see in D's gradient after the first turn?",
        ),
        Wrong(
            "detach-and-minimax-left",
            program(minimax=True, forget_G="at the top", detach=False, retain=True),
            f"One fault is mended: D's gradients begin at zero. Two are left: {DETACH_LEFT}; and {MINIMAX_LEFT}. Which tensor could be cut off from its history, and where?",
        ),
        Wrong(
            "zero-and-minimax-left",
            program(forget_D="never", minimax=True),
            f"One fault is mended: no slope of the discriminator's loss reaches the generator. Two are left: {FORGET_LEFT}; and {MINIMAX_LEFT}. What is in D's gradient when the second turn begins?",
        ),
        Wrong(
            "detach-left",
            program(forget_G="at the top", detach=False, retain=True),
            f"Two faults are mended. One is left: {DETACH_LEFT}. Which tensor could be cut off from its history, and where?",
        ),
        Wrong(
            "zero-left",
            program(forget_D="never"),
            f"Two faults are mended. One is left: {FORGET_LEFT}. When does its gradient have to be zero?",
        ),
        Wrong(
            "minimax-left",
            program(minimax=True),
            f"Two faults are mended. One is left: {MINIMAX_LEFT}. Which loss does the task name, and what is its formula?",
        ),
        Wrong(
            "detach-forgiven",
            program(detach=False, retain=True),
            f"All numbers are right. {FORGIVEN}: the task asks that none of its slopes reach G. What keeps them out?",
        ),
        Wrong(
            "detach-forgiven-minimax-left",
            program(detach=False, retain=True, minimax=True),
            f"{FORGIVEN}; and {MINIMAX_LEFT}. What keeps slopes out, and which loss does the task name?",
        ),
        Wrong(
            "detach-forgiven-zero-left",
            program(detach=False, retain=True, forget_D="never"),
            f"{FORGIVEN}; and {FORGET_LEFT}. What keeps slopes out?",
        ),
        Wrong(
            "detach-forgiven-both-left",
            program(detach=False, retain=True, forget_D="never", minimax=True),
            f"{FORGIVEN}. Two faults are left: {FORGET_LEFT}; and {MINIMAX_LEFT}. Which is next?",
        ),
        Wrong(
            "forgotten-too-early",
            program(forget_D="after"),
            f"{EARLY}. When must its gradient be zero?",
        ),
        Wrong(
            "forgotten-too-early-minimax-left",
            program(forget_D="after", minimax=True),
            f"{EARLY}; and {MINIMAX_LEFT}. When must D's gradient be zero, and which loss does the task name?",
        ),
        Wrong(
            "forgotten-too-early-detach-left",
            program(forget_D="after", forget_G="at the top", detach=False, retain=True),
            f"{EARLY}; and {DETACH_LEFT}. When must D's gradient be zero, and what keeps slopes out of G?",
        ),
        Wrong(
            "graph-used-up",
            program(detach=False),
            "The discriminator's `backward` went through the fakes into the generator and used up the graph that the generator's own loss needs now. Should the discriminator's loss go that way at all?",
        ),
        Wrong(
            "generator-judged-too-early",
            program(order="G measured early"),
            "The generator's loss was computed before the discriminator's step, and its `backward` now finds weights that have changed. Which discriminator is to judge the fakes in the generator's half, the old one or the new one?",
        ),
        Wrong(
            "both-at-once",
            program(order="both at once"),
            "The discriminator's half is right. The generator answers the *old* discriminator: its loss is measured before the discriminator's step. In which order are the two halves asked for?",
        ),
        Wrong(
            "generator-first",
            program(order="G, D"),
            "The generator moves first, and the discriminator then judges the fakes made before. In which order are the two halves asked for?",
        ),
        Wrong(
            "generator-first-new-fakes",
            program(order="G, new fake, D"),
            "The generator moves first, and the discriminator then judges the new fakes. In which order are the two halves asked for?",
        ),
        Wrong(
            "one-sum",
            added_up(lambda fake: fake),
            "Both losses are added and sent back together, so each player descends the other's loss as well as its own. How many `backward` calls does a game of two need?",
        ),
        Wrong(
            "one-sum-with-the-fakes-cut-off",
            added_up(lambda fake: fake.detach()),
            "Both losses are added and sent back together. The generator follows its own; the discriminator follows the *sum*, and the generator's loss asks it to take fakes for real. How many `backward` calls does a game of two need?",
        ),
        Wrong(
            "generator-cut-off",
            program(cut_G=True),
            "The discriminator learns, the generator never moves: no slope of its loss reaches its weights. Are the fakes cut off from their history there, too? In which of the two losses must the way into G stay open?",
        ),
        Wrong(
            "generator-does-not-step",
            program(steps_by=lambda player: () if player == "G" else ("D",)),
            "The discriminator learns, the generator never moves, though its loss has been computed. Which call moves weights?",
        ),
        Wrong(
            "discriminator-does-not-step",
            program(steps_by=lambda player: () if player == "D" else ("G",)),
            "The discriminator never moves, though its loss is right. Which call moves weights?",
        ),
        Wrong(
            "nobody-steps",
            program(steps_by=lambda player: ()),
            "Both first losses are those of the untrained networks, and neither network ever moves. Which calls move weights?",
        ),
        Wrong(
            "discriminator-steps-again",
            program(steps_by=lambda player: ("D",) if player == "D" else ("G", "D")),
            "The discriminator steps a second time in the generator's half, with slopes that the generator's loss left in it: a step that helps the fakes. Whose step belongs behind the second `backward`?",
        ),
        Wrong(
            "wrong-optimizer-in-the-second-half",
            program(steps_by=lambda player: ("D",)),
            "In the generator's half the *discriminator* steps, along the generator's loss, so it learns to take fakes for real, and the generator never moves. Whose step belongs behind the second `backward`?",
        ),
        Wrong(
            "discriminator-steps-twice",
            program(steps_by=lambda player: ("D", "D") if player == "D" else ("G",)),
            "The discriminator takes two steps along the same slopes. How many does the task give it?",
        ),
        Wrong(
            "discriminator-steps-in-vain",
            program(forget_D="behind"),
            "The discriminator never moves: its gradients are set to zero between `backward` and `step`. In which order do these three calls make sense?",
        ),
        Wrong(
            "generator-steps-in-vain",
            program(forget_G="behind"),
            "The generator never moves: its gradients are set to zero between `backward` and `step`. In which order do these three calls make sense?",
        ),
        Wrong(
            "both-step-in-vain",
            program(forget_D="behind", forget_G="behind"),
            "Neither network moves: gradients are set to zero between `backward` and `step`. In which order do these three calls make sense?",
        ),
        Wrong(
            "generator-never-forgets",
            program(forget_G="never"),
            "The generator's gradients are never set to zero, so those of earlier turns pile up. When does its gradient have to be zero?",
        ),
        Wrong(
            "nobody-forgets",
            program(forget_D="never", forget_G="never"),
            "Neither player's gradients are ever set to zero: those of earlier turns pile up, and in the discriminator those that the generator's loss leaves there, too. When must a gradient be zero?",
        ),
        Wrong(
            "real-and-fake-exchanged",
            program(loss_of_D=lambda real, fake: both(fake, real)),
            "Your discriminator learns to call real images fake and fakes real. Which of the two should get large logits?",
        ),
        Wrong(
            "all-labels-exchanged",
            program(loss_of_D=lambda real, fake: both(fake, real), loss_of_G=lambda x: fake_cost(x).mean()),
            "Real and fake have changed places in both losses: the game is a sound one, in which a large logit means *fake*. What does D's logit stand for in exercise 1?",
        ),
        Wrong(
            "one-mean-over-all",
            program(loss_of_D=doubled_mean),
            "Right for equal numbers. The discriminator's loss is one mean over real images and fakes together, doubled, so with unequal numbers the more numerous kind counts more. By what is each of the two sums divided?",
        ),
        Wrong(
            "real-images-left-out",
            program(loss_of_D=lambda real, fake: fake_cost(fake).mean()),
            "The discriminator's loss lacks the real images, so it would do best to call everything fake. Which term is missing?",
        ),
        Wrong(
            "fakes-left-out",
            program(loss_of_D=lambda real, fake: real_cost(real).mean()),
            "The discriminator's loss lacks the fakes, so it would do best to call everything real. Which term is missing?",
        ),
        Wrong(
            "fakes-called-real-in-both",
            program(loss_of_D=lambda real, fake: real_cost(real).mean() + real_cost(fake).mean()),
            "In your discriminator's loss, the fakes are to be called real as well. Which sign does their logit have in softplus?",
        ),
        Wrong(
            "discriminator-halved",
            program(loss_of_D=lambda real, fake: both(real, fake) / 2),
            "The discriminator's loss is halved, and with it its step. Does the task's formula do that?",
        ),
        Wrong(
            "summed",
            program(loss_of_D=lambda real, fake: real_cost(real).sum() + fake_cost(fake).sum(), loss_of_G=lambda x: real_cost(x).sum()),
            "Both losses are sums over the batch. Which does the task ask for, sums or means?",
        ),
        Wrong(
            "discriminator-with-another-sign",
            program(loss_of_D=lambda real, fake: -both(real, fake)),
            "The discriminator's loss has the opposite sign, so each step makes it worse. Which sign should a cost have?",
        ),
        Wrong(
            "generator-with-the-discriminator",
            program(loss_of_G=lambda x: fake_cost(x).mean()),
            "The generator minimizes what the fakes cost the *discriminator*, so they become easier to see through. What does it want D to say of them?",
        ),
        Wrong(
            "generator-with-another-sign",
            program(loss_of_G=lambda x: -real_cost(x).mean()),
            "The generator's loss has the opposite sign, so the fakes become easier to see through. Which sign should a cost have?",
        ),
        Wrong(
            "wasserstein",
            program(loss_of_D=lambda real, fake: fake.mean() - real.mean(), loss_of_G=lambda x: -x.mean()),
            "Those are the losses of a Wasserstein GAN, means of the logits alone. Which losses does the task name?",
        ),
        Wrong(
            "least-squares",
            program(loss_of_D=lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(), loss_of_G=lambda x: ((x - 1) ** 2).mean()),
            "Those are the losses of a least-squares GAN. Which losses does the task name?",
        ),
        Wrong(
            "sigmoid-twice",
            program(loss_of_D=lambda real, fake: both(real.sigmoid(), fake.sigmoid()), loss_of_G=lambda x: real_cost(x.sigmoid()).mean()),
            "The logits go through a sigmoid twice: these losses take logits, and you hand them probabilities. What does D give?",
        ),
        Wrong(
            "logarithm-of-zero",
            program(loss_of_D=naive, loss_of_G=lambda x: -x.sigmoid().log().mean()),
            "Right, until the discriminator is sure: then you take the logarithm of a probability that has become 0. Which function did the code have that never overflows?",
        ),
        Wrong(
            "guard-added",
            program(loss_of_D=guarded, loss_of_G=lambda x: -(x.sigmoid() + 1e-8).log().mean()),
            "Right, until the discriminator is sure: then the 1e-8 inside your logarithms counts, and the slopes die. Which function did the code have that never overflows?",
        ),
        Wrong(
            "noise-of-its-own",
            program(noise=noise_like),
            "The discriminator's half is right. The generator's half draws noise of its own. Which noise does the task give to both?",
        ),
        Wrong(
            "noise-of-its-own-for-the-discriminator",
            program(noise_of_D=noise_like),
            "The discriminator judges fakes of noise of its own. Which noise does the task give to both halves?",
        ),
        Wrong(
            "generator-without-a-graph",
            graph_left_out,
            "In the generator's half, `backward` finds nothing to differentiate: no way leads from the loss through D back to the fakes. D may not *move* there; is that the same as keeping slopes from passing through it?",
        ),
        Wrong(
            "frozen-for-good",
            frozen_for_good,
            "The first turn is right. In the second, `backward` finds nothing to differentiate in the discriminator: it was frozen for the generator's half, and who thaws it?",
        ),
        Wrong(
            "losses-exchanged",
            program(handed=lambda D, G: (G.item(), D.item())),
            "The training is right. The two losses are handed back in the other order. Which does the task name first?",
        ),
        Wrong(
            "measured-afterwards",
            measured_afterwards,
            "The training is right. Both losses are measured again when both players have moved. At which moment does the task want each of them to be taken?",
        ),
        Wrong(
            "tensors-for-numbers",
            program(handed=lambda D, G: (D.detach(), G.detach())),
            "You hand back tensors, where numbers are asked for. Which method turns a tensor of one number into a number?",
        ),
        Wrong(
            "sum-of-the-losses",
            program(handed=lambda D, G: D.item() + G.item()),
            "You hand back the sum of both losses. Would anybody see from it who is winning?",
        ),
    ),
    hints=(
        "None of the faults raises an error. After each `backward`, print the norm of G's and of D's gradients: which of them should have changed?",
        "D's loss must not reach G; D's gradients must be zero when its own backward begins; and the generator's loss is the one of exercise 2.",
        "`D(fake.detach())` in the discriminator's half, an `optimizer_D.zero_grad()` before its backward (then `retain_graph` can go), and `F.softplus(-D(fake)).mean()` for the generator.",
    ),
    unlocks="Ten lines: all of a GAN's training, and each of its usual mistakes.",
)  # fmt: skip
