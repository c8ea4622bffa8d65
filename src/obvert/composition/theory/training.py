"""Two small encoders and their contrastive training, for worlds in which the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import normalize

from obvert.composition.theory.info_nce import info_nce
from obvert.core import Progress

EVERY = 25
"""Steps between two looks at the loss."""


class Encoder(nn.Module):
    """A network of leaky ReLUs whose features have length 1."""

    def __init__(self, sizes: Sequence[int], seed: int) -> None:
        """Build it.

        Args:
            sizes: numbers in, of each hidden layer, and of the features.
            seed: of the weights.
        """
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [nn.Linear(*pair) for pair in pairwise(sizes)]
        self.layers = nn.Sequential(*(part for layer in layers for part in (layer, nn.LeakyReLU())))[:-1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, d) features of (N, k) inputs."""
        return normalize(self.layers(x), dim=1)


def train(
    image: nn.Module,
    text: nn.Module,
    batch: Callable[[Generator], tuple[Tensor, Tensor]],
    *,
    steps: int,
    temperature: float,
    seed: int,
    lr: float,
    progress: Progress | None = None,
) -> None:
    """Train both encoders in place with InfoNCE: Adam, its rate falling along a cosine.

    Args:
        image: pictures to features.
        text: texts to features.
        batch: draws pictures and texts, row by row of the same pairs.
        steps: how many batches.
        temperature: tau.
        seed: of the batches.
        lr: the first step size.
        progress: called with steps done, steps in all, the loss in nats.
    """
    draw = Generator().manual_seed(seed)
    optimiser = torch.optim.Adam([*image.parameters(), *text.parameters()], lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
    for step in range(1, steps + 1):
        pictures, texts = batch(draw)
        loss = info_nce(image(pictures), text(texts), temperature)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress and (step % EVERY == 0 or step == steps):
            progress(step, steps, loss.item())
