"""MIMIC: the picture in which a vision-language model sees a concept, inside as well as in its answer.

    min over pictures x:   g1 CE(answer | x, question) + g2 sum over layers |moments(x) - moments*| + priors(x)

Moments are the mean and the variance of a layer's tokens; those wanted are of real pictures of the concept, or, without
pictures, of what the model expects when it is told in words what there is to see (`expect`). It is descent on pixels.

`naive`  the answer alone, on the network's own numbers.
`v1`     as first published: Adam from noise, pixels clipped, the seams of patches, total variations of both powers, the norm.
         Its verifier, statistics of a further network, is a prior: `FeatureStatistics.of(network, real)`.
`v2`     as published later: no verifier, variance within patches, edges spared, jitter, a blur now and then, AdamW.
`ours`   among natural pictures: a sum of grids, coarse before fine, that must be read so in several views and to several
         questions; the layers of the picture tower looked at in those views, too. The weight of the layers was chosen on
         zoo/vlm-2 with zoo/clip and zoo/vlm as judges, on twelve concepts at one seed; the rest is that of `CaptionInversion`.

References:
    | MIMIC: Multimodal Inversion for Model Interpretation and Conceptualization (2025)
    | https://arxiv.org/abs/2508.07833
    | Dreaming to Distill: Data-free Knowledge Transfer via DeepInversion (Yin et al., 2020)
    | https://arxiv.org/abs/1912.08795
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

from torch import Tensor

from obvert.core import Inversion, Objective, ObvertError, Parametrisation, Progress, Reader, Solver, View
from obvert.core.autoencoder import Media
from obvert.methods._expectations import of_pictures, of_words, patch_of
from obvert.methods._reading import ReaderInversion, part, what_it_is
from obvert.objectives.alignment import Alignment
from obvert.objectives.feature_statistics import Divergence, Moments
from obvert.objectives.l2 import L2
from obvert.objectives.patch_seam import PatchSeam
from obvert.objectives.patch_variance import PatchVariance
from obvert.objectives.total_variation import TotalVariation
from obvert.parametrisations.coarse_to_fine import CoarseToFine
from obvert.parametrisations.free import Free
from obvert.parametrisations.multi_resolution import MultiResolution
from obvert.parametrisations.pixels import Pixels
from obvert.solvers.adam import Adam
from obvert.solvers.blurred import Blurred
from obvert.solvers.clipped import Clipped
from obvert.solvers.scheduled_adam import ScheduledAdam
from obvert.views.affine import Affine
from obvert.views.colour_shift import ColourShift
from obvert.views.jitter import Jitter
from obvert.views.noise import Noise

Version = Literal["naive", "v1", "v2", "ours"]
PIXELS = Pixels()
STD = PIXELS.spread


@dataclass(frozen=True, kw_only=True)
class MIMIC(ReaderInversion):
    """Concepts -> pictures. What is None is the version's own; `settled` tells it."""

    version: Version = "ours"
    """Whose settings are taken where none are told."""
    space: Literal["medium", "network"] | None = None  # type: ignore[assignment]
    parametrisation: Parametrisation | None = None  # type: ignore[assignment]
    views: tuple[View, ...] | None = None  # type: ignore[assignment]
    looks: int | None = None  # type: ignore[assignment]
    priors: tuple[Objective, ...] | None = None  # type: ignore[assignment]
    solver: Solver[Any] | None = None  # type: ignore[assignment]
    steps: int | None = None  # type: ignore[assignment]
    prompts: tuple[str, ...] = ()
    """Questions to which the concept is the answer; the reader's own when empty."""
    reading: float | None = None
    """Weight of the answer's cross-entropy."""
    features: float | None = None
    """Weight of the layers' moments; 0 for none."""
    divergence: Divergence | None = None
    """How far apart moments are: "l2" or "kl"."""
    layers: tuple[str, ...] | None = None
    """Of the reader, whose moments count; all of its image tower when None. Those of its language model count with `expect`."""
    expect: bool = False
    """Without real pictures, take the moments that the language model has when it is told the concept in words."""
    patch: int | None = None
    """Edge of the tower's patches in pixels, for the priors on seams and patches; read from its patch embedding when None."""
    checkpointing: bool = False
    """Run layers again in the backward pass, for less memory."""
    media: ClassVar[Media] = "picture"

    def __post_init__(self) -> None:
        if self.version not in PRESETS:
            raise ValueError(f"need a version of {', '.join(PRESETS)}, got {self.version!r}")
        if self.divergence not in (None, "l2", "kl"):
            raise ValueError(f"need divergence 'l2' or 'kl', got {self.divergence!r}")
        if self.patch is None:
            self.settled(16)  # which is checked
            return
        super().__post_init__()
        weights = (self.reading or 0.0, self.features or 0.0)
        if not min(weights) >= 0 or not max(weights):
            raise ValueError(f"need weights >= 0, not both 0, got reading {self.reading} and features {self.features}")

    def settled(self, patch: int) -> MIMIC:
        """The same with the version's settings where none are told, for a tower of patches of so many pixels."""
        steps, patch = STEPS[self.version] if self.steps is None else self.steps, self.patch or patch
        given = PRESETS[self.version](max(1, steps), patch) | {"steps": steps, "patch": patch}
        return replace(self, **{name: value for name, value in given.items() if getattr(self, name) is None})

    def __call__(
        self,
        model: Reader,
        target: Sequence[str],
        *,
        real: Sequence[Tensor] | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Inversion:
        """Invert a vision-language model.

        Args:
            model: a reader of pictures.
            target: B concepts, as texts of any length that it should answer.
            real: of each concept, real pictures (N, 3, H, W) in [0, 1], whose moments are wanted.
            seed: of the start and of the views.
            progress: called with (steps done, total, mean error).

        Returns:
            As for every inversion of a reader; `texts` are its answers to the first of the prompts.

        Raises:
            ObvertError: for a model of other media, one without layers to look at, pictures for other concepts than the
                targets, or texts that it cannot say.
        """
        if not isinstance(model, Reader) or model.medium.media != self.media:
            raise ObvertError(f"need a reader of pictures, got {what_it_is(model)}")
        texts = [target] if isinstance(target, str) else list(target)
        method = self.settled(patch_of(model))
        if method.features and real is None and not method.expect:
            warnings.warn(
                "no real pictures of the concept: the layers' moments are left out (give real, or expect=True)", stacklevel=2
            )
            method = replace(method, features=0.0)
        asked = [model.ask(prompt) for prompt in method.prompts] or [model]
        answer = model.answer(texts)
        targets = method.targets(asked, texts, real)

        def fits(rows: slice) -> list[Objective]:
            return [
                Alignment(
                    reader=reader,
                    answer=part(answer, rows),
                    targets={layer: (mean[rows], variance[rows]) for layer, (mean, variance) in wanted.items()},
                    reading=method.reading or 0.0,
                    weight=method.features or 0.0,
                    divergence=method.divergence or "l2",
                )
                for reader, wanted in zip(asked, targets, strict=True)
            ]

        if not method.checkpointing:
            return method._invert(asked[0], texts, answer, fits, seed, progress)
        with model.checkpointed():
            return method._invert(asked[0], texts, answer, fits, seed, progress)

    def targets(
        self, asked: Sequence[Reader], texts: Sequence[str], real: Sequence[Tensor] | None
    ) -> list[Mapping[str, Moments]]:
        """For each question, {layer: moments (B, d)} that are wanted; none where they have no weight."""
        if not self.features:
            return [{} for _ in asked]
        if real is not None:
            found = of_pictures(asked[0], real, texts, self.layers)
            return [found for _ in asked]
        return [of_words(reader, texts, self.layers) for reader in asked]


def _naive(steps: int, patch: int) -> dict[str, Any]:
    return {
        "space": "network",
        "parametrisation": Free(),
        "views": (),
        "looks": 1,
        "priors": (),
        "solver": Adam(lr=0.05),
        "reading": 1.0,
        "features": 0.0,
        "divergence": "l2",
    }


def _v1(steps: int, patch: int) -> dict[str, Any]:
    adam = ScheduledAdam(lr=0.3, least=1e-5, horizon=steps, warmup=0.0, until=1.0, betas=(0.5, 0.9))
    return _published() | {
        "priors": (5e-4 / STD**2 * PatchSeam(patch=patch), variation(), 3e-4 / STD * L2(power=1, centre=0.5)),
        "solver": Clipped(inner=adam, low=-PIXELS.limit, high=PIXELS.limit),
    }


def _v2(steps: int, patch: int) -> dict[str, Any]:
    adamw = ScheduledAdam(lr=0.05, least=1e-4, horizon=steps, warmup=0.0, until=1.0, weight_decay=0.01)
    clipped = Clipped(inner=adamw, low=-PIXELS.limit, high=PIXELS.limit)
    patches = (5e-4 / STD**2 * PatchSeam(patch=patch), 5e-4 / STD**2 * PatchVariance(patch=patch))
    return _published() | {
        "views": (Jitter(pixels=16, border="wrap"),),
        "priors": (*patches, variation(edges=1.0), 3e-4 / STD * L2(power=1, centre=0.5)),
        "solver": Blurred(inner=clipped, every=max(1, steps // 20), deviation=1.0, horizon=steps),
    }


def variation(edges: float = 0.0) -> Objective:
    """Total variation of both powers as both versions of the paper weigh it; `edges` as in `TotalVariation`."""
    of = partial(TotalVariation, diagonals=True, edges=edges)
    return 7e-4 / STD * of() + 4e-4 / STD**2 * of(power=2)


def _published() -> dict[str, Any]:
    """What both versions of the paper have in common; priors are weighed as there, where pixels are divided by `STD`."""
    return {
        "space": "medium",
        "parametrisation": PIXELS,
        "views": (),
        "looks": 1,
        "reading": 0.005,
        "features": 0.04,
        "divergence": "l2",
    }


def _ours(steps: int, patch: int) -> dict[str, Any]:
    return {
        "space": "medium",
        "parametrisation": CoarseToFine(inner=MultiResolution(scale=0.02, fine=2)),
        "views": (Affine(degrees=10, zoom=1.3, shift=0.12), ColourShift(), Noise(least=10, most=30)),
        "looks": 2,
        "priors": (0.5 * TotalVariation(),),
        "solver": Adam(lr=0.02),
        "reading": 1.0,
        "features": 0.5,
        "divergence": "l2",
    }


PRESETS: dict[str, Callable[[int, int], dict[str, Any]]] = {"naive": _naive, "v1": _v1, "v2": _v2, "ours": _ours}
"""Settings of each version, for so many steps and pixels a patch."""
STEPS = {"naive": 1000, "v1": 5000, "v2": 1500, "ours": 300}
