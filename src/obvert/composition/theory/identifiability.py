"""Block identifiability in numbers: which latents contrastive encoders keep, and which they drop.

In the limit of infinite data the minimiser of InfoNCE is F(x) = h(z_inv) with h invertible. So a regression of z_inv on the
features must explain all of it; of independent style nothing; of dependent style what z_inv explains of it and no more, hence
nothing of the residual z_dp - E[z_dp | z_inv]; and z_inv must explain the features in turn. h need not be linear: kernel ridge
regression tells what there is, linear regression what can be read off.

References:
    | Token-aware causal representation learning (2025), https://arxiv.org/abs/2510.26302
    | Identifiability Results for Multimodal Contrastive Learning (Daunhawer et al., 2023), https://arxiv.org/abs/2303.09166
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from obvert.composition.theory.scm import SCM
from obvert.composition.theory.training import Encoder, train
from obvert.core import ObvertError, Progress

HIDDEN = (96, 96, 96)
BATCH = 512
TEMPERATURE = 0.5
RATE = 3e-3
ROWS = 6000
"""Pairs that the regressions see: a quarter to fit, a quarter to choose on, half to test."""
WIDTHS = (1.0, 0.25, 0.0625)
"""Of the kernel: its squared width, as a share of the median squared distance."""
RIDGES = (1e-4, 1e-2, 1.0, 100.0)
BLOCKS = ("z_inv", "dependent style", "independent style", "residual")
"""What the features are asked to explain."""
OF_CONTENT = ("features, from z_inv", "dependent style, from z_inv")
"""What z_inv is asked to explain in turn."""


def experiment(model: SCM, *, steps: int = 1500, seed: int = 0, progress: Progress | None = None) -> dict[str, Tensor]:
    """Train two encoders on a model and see what they keep.

    Args:
        model: where pairs come from.
        steps: of the training.
        seed: of weights, training pairs and test pairs.
        progress: called with steps done, steps in all, the loss.

    Returns:
        "SIDE/BLOCK/HOW" -> R^2 in float64: image or text, one of `BLOCKS` or `OF_CONTENT`, and linear, kernel or theory.
    """
    d = model.image.size
    image, text = (Encoder((3 * d, *HIDDEN, 2 * d), 2 * seed + side) for side in (0, 1))

    def batch(draw: Generator) -> tuple[Tensor, Tensor]:
        _, pictures, texts = model.draw(BATCH, draw)
        return pictures.x, texts.x

    train(image, text, batch, steps=steps, temperature=TEMPERATURE, seed=2 * seed, lr=RATE, progress=progress)
    content, *views = model.draw(ROWS, Generator().manual_seed(2 * seed + 1))
    found: dict[str, Tensor] = {}
    for name, side, encoder, view in zip(("image", "text"), (model.image, model.text), (image, text), views, strict=True):
        with torch.no_grad():
            features = encoder(view.x)
        latents = (content, view.dependent, view.independent, view.dependent - view.expected)
        targets = dict(zip(BLOCKS, latents, strict=True))
        known = dict(zip(OF_CONTENT, (features, view.dependent), strict=True))
        explained = float(side.explained.mean())
        theory = dict(zip((*BLOCKS, *OF_CONTENT), (1.0, explained, 0.0, 0.0, 1.0, explained), strict=True))
        shares = {how: regress(features, targets) | regress(content, known) for how, regress in REGRESSIONS.items()}
        for how, values in (shares | {"theory": theory}).items():
            found |= {f"{name}/{block}/{how}": torch.tensor(value, dtype=torch.float64) for block, value in values.items()}
    return found


def linear(x: Tensor, targets: dict[str, Tensor]) -> dict[str, float]:
    """Held-out R^2 of least squares with a constant.

    Args:
        x: (M, k) what explains.
        targets: (M, d) each, what is explained.

    Returns:
        The mean over the columns of each.
    """
    fit, choose, test = _parts(len(x))
    rows = torch.cat((fit, choose))
    given = torch.cat((x.double(), torch.ones(len(x), 1, dtype=torch.float64)), 1)
    return {
        name: r_squared(given[test] @ torch.linalg.lstsq(given[rows], y[rows].double(), driver="gelsd").solution, y[test])
        for name, y in targets.items()
    }


def kernel(x: Tensor, targets: dict[str, Tensor]) -> dict[str, float]:
    """Held-out R^2 of ridge regression with a Gaussian kernel; width and ridge of each target are chosen on rows of their own.

    Args:
        x: (M, k) what explains.
        targets: (M, d) each, what is explained.

    Returns:
        The mean over the columns of each.
    """
    fit, choose, test = _parts(len(x))
    x = (x.double() - x[fit].double().mean(0)) / x[fit].double().std(0)
    squares = torch.cdist(x, x[fit]).square()
    usual = squares[fit].median()
    y = {name: target.double() for name, target in targets.items()}
    means = {name: target[fit].mean(0) for name, target in y.items()}
    centred = torch.cat([y[name][fit] - mean for name, mean in means.items()], 1)
    widths = [target.shape[1] for target in y.values()]
    best: dict[str, tuple[float, float]] = {}
    for width in WIDTHS:
        gram = torch.exp(-squares / (width * usual))
        for ridge in RIDGES:
            factor = torch.linalg.cholesky(gram[fit] + ridge * torch.eye(len(fit), dtype=torch.float64))
            found = gram @ torch.cholesky_solve(centred, factor)
            for (name, mean), part in zip(means.items(), found.split(widths, 1), strict=True):
                chosen_by = r_squared(part[choose] + mean, y[name][choose])
                if name not in best or chosen_by > best[name][0]:
                    best[name] = chosen_by, r_squared(part[test] + mean, y[name][test])
    return {name: share for name, (_, share) in best.items()}


def r_squared(found: Tensor, true: Tensor) -> float:
    """1 - E|found - true|^2 / E|true - E true|^2, the mean over columns.

    Args:
        found: (M, d).
        true: (M, d).

    Returns:
        At most 1; below 0 for what is worse than the mean.
    """
    true = true.double()
    return float((1 - (found - true).square().sum(0) / (true - true.mean(0)).square().sum(0)).mean())


REGRESSIONS = {"linear": linear, "kernel": kernel}


def _parts(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    if rows < 8:
        raise ObvertError(f"need 8 rows or more to fit, choose and test on, got {rows}")
    fit, choose, test = torch.arange(rows).split((rows // 4, rows // 4, rows - 2 * (rows // 4)))
    return fit, choose, test
