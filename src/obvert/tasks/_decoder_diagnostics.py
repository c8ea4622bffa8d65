"""Why an iteration goes where it goes: cocoercivity of E o D along it, and its outermost eigenvalues at the truth.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), section 4
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

import torch
from torch import Tensor

from obvert.core import Autoencoder
from obvert.methods.decoder_inversion import DecoderInversion
from obvert.metrics import cocoercivity, local_spectrum
from obvert.report import Block, Curves, Table
from obvert.solvers import InertialKM
from obvert.tasks._latent_curves import Truth

LATER = 3
"""The limit is taken so many times later than the last point that is looked at, as the paper does: 300 after 100."""
OUTERMOST = 12
"""Eigenvalues looked for, at each of `SPECTRA` pictures."""
SPECTRA = 3


def diagnose(model: Autoencoder, given: Truth, *, steps: int = 100, count: int = 8) -> list[Block]:
    """Diagnostics of an autoencoder.

    Args:
        model: the autoencoder.
        given: latents and their pictures.
        steps: points of the iteration, which goes on three times as long.
        count: pictures, the first ones.

    Returns:
        Curves of cocoercivity, their table, and the spectra.
    """
    pictures, true = given.pictures[:count], given.latents[:count]
    method = DecoderInversion(
        solver=InertialKM(step_size=0.1, inertia=0.5), max_steps=LATER * steps, stop=None, snapshots=range(steps + 1)
    )
    found = method(model, pictures)
    points = torch.stack([found.solution.snapshots[k] for k in range(steps + 1)])

    def through(z: Tensor) -> Tensor:
        return model.encode(model.decode(z))

    images = torch.stack([through(z) for z in points])
    beta = {
        "against where it ends": cocoercivity(points, images, found.x, through(found.x)),
        "against the truth": cocoercivity(points, images, true, through(true)),
    }
    least = {name: values.nan_to_num(torch.inf).amin(0) for name, values in beta.items()}
    rows = [
        {"least cocoercivity": name, "mean": v.mean().item(), "share positive": (v > 0).double().mean().item()}
        for name, v in least.items()
    ]
    medians = {name: values.nanmedian(1).values.tolist() for name, values in beta.items()}
    spectra = [local_spectrum(through, z[None], size=OUTERMOST).abs().tolist() for z in true[:SPECTRA]]
    return [
        Curves(
            title=f"Cocoercivity of E o D along the way, {model.card.name}",
            x_label="step of Krasnoselskii-Mann",
            y_label="cocoercivity",
            series={name: (range(steps + 1), values) for name, values in medians.items()},
            lines={"bound": 0.0},
            note=f"Medians over {len(pictures)} pictures; the end is the point after {LATER * steps} steps.",
        ),
        Table(title=f"Its least value, {model.card.name}", rows=rows, note=f"Over {steps} steps, means over pictures."),
        Curves(
            title=f"Outermost eigenvalues of E o D at the true latents, {model.card.name}",
            x_label="eigenvalue, largest first",
            y_label="modulus",
            series={f"picture {i}": (range(1, len(v) + 1), v) for i, v in enumerate(spectra, 1)},
            lines={"a perfect pair": 1.0},
            note="Near 1, encoder and decoder undo each other; a plain step of size r diverges past a modulus of 2 / r.",
        ),
    ]
