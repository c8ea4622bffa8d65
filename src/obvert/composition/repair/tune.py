"""Repair of a dual encoder: its text tower is tuned, and its image side as far as is asked for.

    frozen   the image tower stays; features of images were taken once
    map      one linear map of these features is learned besides; it is folded into the matrix that the image tower ends in
    tuned    the image tower has changes of low rank, too, and runs again at every step

    L = contrastive + l1 focal + l2 apart(t, paraphrase) + l3 apart(T, T_0) + l4 crossed   see `obvert.composition.repair.losses`

Of a real pair, each picture is told from the other text and each text from the other picture. Mined negatives come with a
curriculum over their depth. All that is trained are matrices, so Muon trains them, its rate rising for a twentieth of the steps,
then falling along a cosine. Every block of steps is a piece of the run, so that an interrupted training goes on as if it had not
been.

References:
    | LoRA (Hu et al., 2021), https://arxiv.org/abs/2106.09685
    | Muon (Jordan et al., 2024), https://kellerjordan.github.io/posts/muon
    | NegCLIP (Yuksekgonul et al., 2023), https://arxiv.org/abs/2210.01936
    | CLoVe (Castro et al., 2024), for the interpolation of weights, https://arxiv.org/abs/2402.15021
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from obvert.composition.repair.lessons import Batch, Lessons
from obvert.composition.repair.losses import apart, contrastive, crossed, focal
from obvert.composition.repair.miner import allowed
from obvert.core import DualEncoder, ImageTower, ObvertError, Progress, Tunable, Tuning
from obvert.store import Run

TERMS = ("contrastive", "focal", "paraphrase", "keep", "crossed")
BLOCK = 100
"""Steps of a piece of the run."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """How a model is tuned."""

    rank: int | None = 16
    """Of the change of each matrix; None for one linear map of the features of texts."""
    image_tower: ImageTower | None = None
    """frozen; map, one linear map of its features; or tuned, changed as the text tower is, which takes several times as long.
    When not told, map where the image tower ends in a matrix, else frozen."""
    steps: int = 1500
    """Of training."""
    batch: int = 64
    """Lessons in a step, drawn from each category as often."""
    lr: float = 4e-3
    """Highest step size of Muon, measured as AdamW's; less for checkpoints of many weights, which 1e-3 moves far already."""
    focal: float = 2.0
    """l1, weight of telling a text from its hard negatives."""
    paraphrase: float = 1.0
    """l2, weight of texts that say the same staying together."""
    keep: float = 1.0
    """l3, weight of other texts staying where they are."""
    crossed: float = 1.0
    """l4, weight of real pairs, two by two."""
    tau: float = 0.02
    """Interaction that is asked of a real pair, about."""
    scale: float = 100.0
    """Of the logits, one over the temperature."""
    wrong: int = 4
    """Most mined negatives of a picture in a step."""
    depth: int = 3
    """Most operators of a mined negative; reached at the end of the training."""
    seed: int = 0
    """Of the adapters and the order."""

    def __post_init__(self) -> None:
        weights = (self.focal, self.paraphrase, self.keep, self.crossed)
        whole = min(self.steps, self.batch, self.wrong, self.depth, 1 if self.rank is None else self.rank) >= 1
        if not (whole and self.seed >= 0 and min(self.lr, self.tau, self.scale) > 0 and min(weights) >= 0):
            need = "rank, steps, batch, wrong and depth of 1 or more, lr, tau and scale above 0, weights and seed of 0 or more"
            raise ObvertError(f"need {need}, got {self}")

    def __call__(
        self, model: Tunable, lessons: Lessons, *, run: Run | None = None, progress: Progress | None = None
    ) -> tuple[Tuning, Tensor]:
        """Tune a copy of a model.

        Args:
            model: stays as it is.
            lessons: the features of their images are the model's.
            run: where finished blocks of steps are kept.
            progress: called with steps done, steps in all and the loss.

        Returns:
            The tuned copy, and the terms of the loss at each step, (steps, 5) in the order of `TERMS`.

        Raises:
            ObvertError: for a torch without Muon, or a model that cannot be tuned so.
        """
        if not hasattr(torch.optim, "Muon"):
            raise ObvertError(f"need torch 2.9 or later for Muon to train, got {torch.__version__}")
        tuning = model.tuning(self.rank, image_tower=self.image_tower or image_tower_of(model), seed=self.seed)
        named = tuning.parameters()
        optimiser = torch.optim.Muon(named.values(), lr=self.lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        kept = model.text_features(lessons.kept)
        seen: list[Tensor] = []
        for start in range(0, self.steps, BLOCK):

            def block(start: int = start) -> dict[str, Tensor]:
                terms = []
                for step in range(start, min(start + BLOCK, self.steps)):
                    for group in optimiser.param_groups:
                        group["lr"] = self.lr * share(step, self.steps)
                    rng = np.random.default_rng((self.seed, step))
                    depth = allowed(step, self.steps, self.depth)
                    batch = lessons.batch(rng, self.batch, depth=depth, wrong=self.wrong)
                    parts = self._terms(tuning, kept, batch, lessons)
                    total = self._total(parts)
                    optimiser.zero_grad()
                    total.backward()
                    torch.nn.utils.clip_grad_norm_(named.values(), 1.0)
                    optimiser.step()
                    terms.append(parts.detach().cpu())
                    if progress:
                        progress(step + 1, self.steps, total.item())
                return {"terms": torch.stack(terms), **_state(named, optimiser)}

            piece = run.piece(f"steps-{start}", block) if run else block()
            _restore(named, optimiser, piece)
            seen.append(piece["terms"])
        return tuning, torch.cat(seen)

    def _terms(self, tuning: Tuning, kept: Tensor, batch: Batch, lessons: Lessons) -> Tensor:
        """(5,) the terms, unweighted."""
        hard = [text for mine in batch.hard for text in mine]
        still = [lessons.kept[i] for i in batch.kept]
        asked = [*batch.texts, *hard, *(text for pair in batch.again for text in pair), *still]
        rows = {text: row for row, text in enumerate(dict.fromkeys(asked))}
        features = tuning.features(list(rows))

        def told(texts: list[str]) -> Tensor:
            return features[[rows[text] for text in texts]]

        pictures, texts = lessons.images.seen(tuning, batch.pictures).to(kept), told(batch.texts)
        own = set(batch.texts)
        pairs = torch.tensor(batch.pairs, dtype=torch.int64)[:, None] + torch.arange(2)
        flat, other = pairs.flatten(), pairs.flip(1).flatten()
        words = focal(pictures, texts, [told(mine) for mine in batch.hard], self.scale)
        views = focal(texts[flat], pictures[flat], list(pictures[other, None]), self.scale)
        return torch.stack(
            (
                contrastive(pictures, texts, told([text for text in dict.fromkeys(hard) if text not in own]), self.scale),
                words + views,
                apart(told([one for one, _ in batch.again]), told([other for _, other in batch.again])),
                apart(told(still), kept[batch.kept]),
                crossed(pictures[pairs], texts[pairs], self.tau),
            )
        )

    def _total(self, terms: Tensor) -> Tensor:
        return (terms * terms.new_tensor((1.0, self.focal, self.paraphrase, self.keep, self.crossed))).sum()


def image_tower_of(model: DualEncoder) -> ImageTower:
    """What is done to the image side of a model when nothing is told: a map where both of its towers end in a matrix."""
    try:
        model.projections()
    except ObvertError:
        return "frozen"
    return "map"


def share(step: int, steps: int) -> float:
    """Share of the highest step size: up in a twentieth of the steps, then down along a cosine to 2 %."""
    rise = max(1, steps // 20)
    return min(1.0, (step + 1) / rise) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


MOMENTS = ("momentum_buffer",)


def _state(named: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights and moments as a piece of a run."""
    found = {f"weight/{name}": p.detach() for name, p in named.items()}
    return found | {f"{key}/{name}": optimiser.state[p][key] for name, p in named.items() for key in MOMENTS}


def _restore(named: dict[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer, piece: dict[str, Tensor]) -> None:
    for name, p in named.items():
        p.data.copy_(piece[f"weight/{name}"])
        moments = {key: piece[f"{key}/{name}"] for key in MOMENTS}
        optimiser.state[p] = {key: value.to(p) for key, value in moments.items()}
