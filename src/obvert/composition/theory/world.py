"""A composition world: sentences of a few words, whose order says who is what, and pictures that show it.

A bag of words is said in any of its arrangements; the first is the canonical one. Of the pairs, a share rho has an arrangement
drawn evenly, the others have the canonical one. A bag-of-words encoder cannot tell the arrangements of a bag apart, an
order-aware one can, and the loss that each comes to at best is known:

    floor_bag(N) = E log(1 + n_bag),  floor_seq(N) = E log(1 + n_seq),  Delta L(N) = E log[(1 + n_bag) / (1 + n_seq)]

with n the other pairs of a batch of N that have the same bag, or the same sequence. At rho = 0 the floors are equal: nothing in
the data asks for the order. There the pseudo-optimal encoder g o pi, which puts the words into canonical order first, has the
very loss of g on every batch, and cannot tell a swap.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from obvert.composition.theory.gap_link import selected
from obvert.composition.theory.info_nce import floor, info_nce
from obvert.composition.theory.scm import Mixing, mixing
from obvert.composition.theory.training import Encoder, train
from obvert.core import ObvertError, Progress
from obvert.metrics.contrast import above, two_by_two

ENCODERS = ("bag of words", "order-aware")
CANONICAL = "pseudo-optimal"
"""The order-aware encoder of words in canonical order."""
HIDDEN, FEATURES = (128, 128), 32
BATCH = 128
"""Pairs in a step of the training; the losses are measured at the world's own N."""
TEMPERATURE = 0.07
RATE = 3e-3
BATCHES = 500
"""On which a loss is measured."""
TIED = 1e-6
"""Inner products that differ by no more are equal."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Which sentences there are and how often each is said."""

    rho: float
    """Share of the pairs whose arrangement is drawn evenly, in [0, 1]; the others have the canonical one."""
    words: int = 8
    """In the language."""
    length: int = 3
    """Words of a sentence, all different."""
    batch: int = 64
    """N, pairs among which the loss is measured."""
    noise: float = 0.05
    """Deviation of the noise in what a picture shows."""
    seed: int = 0
    """Of how pictures show sentences."""

    def __post_init__(self) -> None:
        if not (0 <= self.rho <= 1 and 2 <= self.length <= self.words and self.batch >= 2 and self.noise >= 0):
            raise ObvertError(f"need rho in [0, 1], 2 <= length <= words, 2 pairs or more and noise of 0 or more, got {self}")

    @cached_property
    def sequences(self) -> Tensor:
        """(bags, arrangements, length) words; the first arrangement of each bag is the canonical one."""
        bags = torch.tensor(list(combinations(range(self.words), self.length)))
        return bags[:, torch.tensor(list(permutations(range(self.length))))]

    @cached_property
    def placed(self) -> Tensor:
        """(bags, arrangements, length x words) 1 where a word stands at a place."""
        return one_hot(self.sequences, self.words).float().flatten(2)

    @cached_property
    def counts(self) -> Tensor:
        """(bags, words) 1 where a bag has a word."""
        return one_hot(self.sequences[:, 0], self.words).sum(1).float()

    @cached_property
    def shares(self) -> Tensor:
        """(bags, arrangements) of the pairs."""
        bags, ways, _ = self.sequences.shape
        share = torch.full((bags, ways), self.rho / ways, dtype=torch.float64)
        share[:, 0] += 1 - self.rho
        return share / bags

    @cached_property
    def swaps(self) -> Tensor:
        """(length (length - 1) / 2,) the arrangements that exchange two words of the canonical one."""
        moved = self.sequences[0] != self.sequences[0, 0]
        return (moved.sum(1) == 2).nonzero().flatten()

    @cached_property
    def mixing(self) -> Mixing:
        """How pictures show sentences."""
        return mixing(self.words * self.length, Generator().manual_seed(self.seed))

    @property
    def floors(self) -> dict[str, float]:
        """The least loss in nats of each encoder among N pairs."""
        shares = (self.shares.sum(1), self.shares.flatten())
        return {name: floor(share, self.batch) for name, share in zip(ENCODERS, shares, strict=True)}

    def draw(self, count: int, generator: Generator) -> Tensor:
        """(count,) sequences, numbered bag by bag."""
        return torch.multinomial(self.shares.flatten(), count, replacement=True, generator=generator)

    def pictures(self, drawn: Tensor, generator: Generator) -> Tensor:
        """(N, length x words) a picture of each sequence (N,), all noise its own."""
        shown = self.placed.flatten(0, 1)[drawn]
        return self.mixing(shown + self.noise * torch.randn(shown.shape, generator=generator))


def experiment(world: World, *, steps: int = 1000, seed: int = 0, progress: Progress | None = None) -> dict[str, Tensor]:
    """Train a bag-of-words and an order-aware encoder in a world, and see what they come to.

    Args:
        world: where pairs come from.
        steps: of each training.
        seed: of weights and pairs.
        progress: called with steps done, steps in all, the loss.

    Returns:
        "ENCODER/MEASURE" in float64 for both encoders and the pseudo-optimal one: what `measure` finds.
    """
    found: dict[str, Tensor] = {}
    inputs = {ENCODERS[0]: world.counts[:, None].expand(-1, world.shares.shape[1], -1), ENCODERS[1]: world.placed}
    for name, said in inputs.items():
        image, text = (
            Encoder((size, *HIDDEN, FEATURES), 2 * seed + side)
            for side, size in enumerate((world.placed.shape[2], said.shape[2]))
        )

        def batch(generator: Generator, said: Tensor = said) -> tuple[Tensor, Tensor]:
            drawn = world.draw(BATCH, generator)
            return world.pictures(drawn, generator), said.flatten(0, 1)[drawn]

        train(image, text, batch, steps=steps, temperature=TEMPERATURE, seed=2 * seed, lr=RATE, progress=progress)
        with torch.no_grad():
            texts = text(world.counts)[:, None].expand(*world.shares.shape, -1) if name == ENCODERS[0] else _each(text, said)
            found |= {f"{name}/{key}": value for key, value in measure(world, image, texts, seed).items()}
            if name == ENCODERS[1]:
                canonical = texts[:, :1].expand_as(texts)
                found |= {f"{CANONICAL}/{key}": value for key, value in measure(world, image, canonical, seed).items()}
    return found


def measure(world: World, image: Encoder, texts: Tensor, seed: int) -> dict[str, Tensor]:
    """Loss, swaps told, and how far a picture is from that of the swap, of a pair of encoders.

    Args:
        world: where pairs come from.
        image: the pictures' encoder.
        texts: (bags, arrangements, d) features of every sentence.
        seed: of the pictures; the same for encoders to compare.

    Returns:
        loss: in nats, the mean over batches of N; swap: share of canonical pictures v nearer to their text t than to op t; group:
        the same and of v' of op t, both ways, two by two; apart: mean |<F(v) - F(v'), G(t)>|. Ties count what chance wins.
    """
    draw = Generator().manual_seed(2 * seed + 1)
    drawn = world.draw(BATCHES * world.batch, draw)
    shown, said = image(world.pictures(drawn, draw)), texts.flatten(0, 1)[drawn]
    losses = info_nce(shown.unflatten(0, (BATCHES, -1)), said.unflatten(0, (BATCHES, -1)), TEMPERATURE)
    every = torch.arange(world.shares.numel())
    pictures = image(world.pictures(every, draw)).view_as(texts)
    v, t = (
        torch.stack((f[:, :1].expand_as(f[:, world.swaps]), f[:, world.swaps]), 2).flatten(0, 1).double()
        for f in (pictures, texts)
    )
    scores = v @ t.mT
    return {
        "loss": losses.double().mean(),
        "swap": above(scores[:, 0, :1], scores[:, 0, 1:], TIED).mean(),
        "group": two_by_two(scores, TIED).group.mean(),
        "apart": selected(v[:, 0], v[:, 1], t[:, 0]).abs().mean(),
    }


def _each(text: Encoder, said: Tensor) -> Tensor:
    features: Tensor = text(said.flatten(0, 1)).view(*said.shape[:2], -1)
    return features
