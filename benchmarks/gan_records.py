"""Train five GANs on the ring, each with settings that bring out one thing, and record what is seen of them.

    python benchmarks/gan_records.py            # into dlcourse/models/gan_records.csv

Exercise 14.11 shows them. Results hang on the machine and on PyTorch's version: look at the numbers it prints, and at
tests/test_adversaries.py, before you commit others.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"


import torch
from over_seeds import versions

from dlcourse.models.gan_records import RECORDS
from dlcourse.models.gan_torch import RingRun, RingSettings, train_ring_gan

STEPS, EVERY, PICTURES, SAMPLES = 1200, 20, 3, 120
SETTINGS = {
    "A": RingSettings(loss="minimax", beta1=0.5, lr_generator=1e-4, lr_discriminator=2e-3),
    "B": RingSettings(lr_discriminator=1e-6),
    "C": RingSettings(beta1=0.5, r1=0.1),
    "D": RingSettings(),
    "E": RingSettings(loss="minimax", beta1=0.5, lr_generator=2e-5, lr_discriminator=4e-3),
}


def rows(letter: str, run: RingRun) -> list[str]:
    """The lines of one training."""
    stretches = run.losses.reshape(-1, EVERY, 2).mean(1)  # (S, 2)
    found = [
        f"{letter};{name};{EVERY};{' '.join(f'{number:.3f}' for number in column)}"
        for name, column in zip(("loss_D", "loss_G"), stretches.T, strict=True)
    ]
    for step, samples in zip(run.frame_steps[1:], run.frames[1:], strict=True):
        found.append(f"{letter};samples;{step};{' '.join(f'{number:.2f}' for number in samples[:SAMPLES].ravel())}")
    return found


def main() -> None:
    """Train, print what came out, write the file."""
    torch.set_num_threads(1)
    lines = []
    for letter, settings in SETTINGS.items():
        run = train_ring_gan(settings, seed=0, steps=STEPS, frames=PICTURES + 1, progress=False)
        lines += rows(letter, run)
        print(letter, [(c.modes, round(c.quality, 2)) for c in run.coverage[::4]], run.losses[-1].round(3))
    head = [f"# python benchmarks/gan_records.py ({versions()})", "letter;what;step;numbers"]
    RECORDS.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
