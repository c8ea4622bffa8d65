"""What the best text tower could reach on the picture features of a zoo model, by operator and atom.

Of a pair of pictures a text tower can at best give the two vectors that tell them apart best, whatever the captions. For each
pair of captions, pictures of both are drawn again and again, with other positions, angles, hues, backgrounds and noise;
two free unit vectors are fitted to two thirds of them by the four margins of a two by two, and asked about the rest:

    min mean softplus(-50 m),   m in {s_11 - s_12, s_22 - s_21, s_11 - s_21, s_22 - s_12}

Printed are group scores of the model's own texts, of the mean features of the pictures, and of the fitted vectors. Chance is 1/6.

Run: python benchmarks/repair_ceiling.py     (about three minutes; --captions 4 for a look)
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace as with_
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from obvert.composition.scene_pairs import KINDS, Pair, stream
from obvert.metrics import two_by_two
from obvert.models import load_dual
from obvert.zoo.counterfactuals import replace, swap
from obvert.zoo.exam import HELD_OUT, pictures
from obvert.zoo.scenes import RADII, Scene, caption, place, sample_background

DRAWS, FITTED, STEPS = 240, 160, 150


def redrawn(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene to a caption that says everything; all else is drawn again."""
    while (background := sample_background(rng)).tone != scene.background.tone:
        pass
    while True:
        radii = [float(rng.uniform(*RADII[thing.size])) for thing in scene.things]
        things = [
            with_(
                thing,
                x=x,
                y=y,
                radius=radius,
                angle=float(rng.uniform(-np.pi / 6, np.pi / 6)),
                tint=tuple(rng.normal(0, 0.05, 3).tolist()),
                phase=float(rng.uniform(0, 8)),
            )
            for thing, radius, (x, y) in zip(scene.things, radii, place(rng, radii), strict=True)
        ]
        found = Scene(things=tuple(things), background=background)
        if found.relation == scene.relation:
            return found


def both(pair: Pair, rng: np.random.Generator) -> tuple[Scene, Scene]:
    """Another pair of scenes with the same full captions, nuisances shared as in the first."""
    while True:
        before = redrawn(pair.before, rng)
        try:
            after = swap(before, pair.atom) if pair.operator == "swap" else replace(before, pair.atom, rng)
        except ValueError:
            continue
        if caption(after) == caption(pair.after):
            return before, after


def fitted(images: Tensor) -> Tensor:
    """(2, d) unit vectors that tell pairs (N, 2, d) apart best, from the means of their pictures on."""
    texts = images.mean(0).clone().requires_grad_()
    optimiser = torch.optim.Adam([texts], lr=0.02)
    for _ in range(STEPS):
        s = images @ normalize(texts, dim=1).T
        own, other = s.diagonal(dim1=1, dim2=2), torch.stack((s[:, 0, 1], s[:, 1, 0]), 1)
        loss = softplus(-50 * torch.cat((own - other, own - other.flip(1)), 1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return normalize(texts.detach(), dim=1)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--model", default="zoo/clip")
    options.add_argument("--captions", type=int, default=8)
    options.add_argument("--json", type=Path, help="also write the numbers to this file")
    given, rows = options.parse_args(), []
    model, rng = load_dual(given.model), np.random.default_rng(0)
    print(f"{'':18} {'own texts':>9} {'means':>6} {'fitted':>6}   group score, {given.captions} pairs of captions each")
    for i, (operator, atom, depth) in enumerate(KINDS):
        if depth > 1 or operator == "add":
            continue
        scores = []
        for pair in islice(stream(operator, atom, depth, seed=(HELD_OUT + 2003, i), most=100 * given.captions), given.captions):
            scenes = [scene for _ in range(DRAWS) for scene in both(pair, rng)]
            images = model.image_features(pictures(scenes)).cpu().unflatten(0, (-1, 2))
            learn, ask = images[:FITTED], images[FITTED:]
            told = model.text_features([caption(pair.before), caption(pair.after)]).cpu()
            vectors = (told, normalize(learn.mean(0), dim=1), fitted(learn))
            scores.append([two_by_two(ask @ texts.T).group.mean().item() for texts in vectors])
        own, means, best = np.mean(scores, 0)
        print(f"{operator + ' ' + atom:18} {own:9.2f} {means:6.2f} {best:6.2f}", flush=True)
        rows.append({"operator": operator, "atom": atom, "own": own, "means": means, "fitted": best, "captions": given.captions})
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
