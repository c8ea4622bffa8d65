"""What the actions of `obvert watermark` share: their options, and the one place that ties models and methods together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from obvert.commands._common import ModelOptions
from obvert.core import Diffusion, ObvertError, Watermark
from obvert.registry import find, unknown
from obvert.tasks.watermark import Tools
from obvert.watermarks.gaussian_shading import GaussianShading
from obvert.watermarks.tree_ring import TreeRing

INVERSIONS = ("encoder", "gradient", "gradient-free")
"""Decoder inversions by name."""


@dataclass(frozen=True, kw_only=True)
class WatermarkOptions(ModelOptions):
    """The model, the scheme and the walk."""

    model: str = "zoo/diffusion"
    """A text-to-image pipeline: zoo/NAME, a folder, or a hub id owner/name[@revision]."""
    scheme: str = "tree-ring"
    """tree-ring or gaussian-shading."""
    ring: TreeRing = field(default_factory=TreeRing)
    shading: GaussianShading = field(default_factory=GaussianShading)
    steps: int = 50
    """Of the walk between noise and latents."""

    def watermark(self) -> Watermark:
        """The scheme that is asked for, with its settings."""
        mine: dict[str, Watermark] = {"tree-ring": self.ring, "gaussian-shading": self.shading}
        return mine.get(self.scheme) or find("watermarks", self.scheme)()

    def described(self) -> dict[str, Any]:
        """The scheme and its settings, as JSON takes them."""
        return {"scheme": self.scheme, **asdict(self.watermark())}  # type: ignore[call-overload]

    def pipeline(self) -> Diffusion:
        """Load the model."""
        from obvert.models import load_diffusion

        return load_diffusion(self.model, device=self.device, dtype=self.dtype)


def drawing(model: Diffusion, steps: int, guidance: float) -> Callable[[Sequence[str], Tensor], Tensor]:
    """Captions and noise -> pictures (B, 3, H, W) in [0, 1]."""
    from obvert.core.diffusion import sample

    def draw(captions: Sequence[str], noise: Tensor) -> Tensor:
        latents = sample(model, captions, steps=steps, guidance=guidance, noise=noise)
        return model.autoencoder.decode(latents)

    return draw


def decoder_inversion(model: Diffusion, name: str) -> Callable[[Tensor], Tensor]:
    """Pictures -> latents, by one of `INVERSIONS`; ObvertError for another name."""
    from obvert.methods.decoder_inversion import DecoderInversion
    from obvert.methods.gradient_decoder_inversion import GradientDecoderInversion

    if name == "encoder":
        return model.autoencoder.encode
    if name not in INVERSIONS:
        raise ObvertError(unknown("decoder inversion", name, list(INVERSIONS)))
    method = DecoderInversion() if name == "gradient-free" else GradientDecoderInversion()
    return lambda pictures: method(model.autoencoder, pictures, seed=0).x


def diffusion_inversion(model: Diffusion, steps: int) -> Callable[[Tensor], Tensor]:
    """Latents -> noise, without captions or guidance, which who looks for a watermark does not know."""
    from obvert.methods.diffusion_inversion import DiffusionInversion

    method = DiffusionInversion(steps=steps)

    def back(latents: Tensor) -> Tensor:
        return method(model, latents, captions=None, seed=0).x

    return back


def tools(model: Diffusion, by: Sequence[str], *, steps: int, guidance: float) -> Tools:
    """All that a benchmark needs.

    Args:
        model: the pipeline.
        by: names of decoder inversions.
        steps: of the walk, both ways.
        guidance: of drawing.

    Returns:
        The tools.
    """
    return Tools(
        draw=drawing(model, steps, guidance),
        inversions={name: decoder_inversion(model, name) for name in by},
        back=diffusion_inversion(model, steps),
    )
