"""What the actions of `obvert watermark` share: their options."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from typing import Any

from obvert.commands._common import ModelOptions
from obvert.core import Diffusion, Watermark
from obvert.registry import find
from obvert.watermarks.gaussian_shading import GaussianShading
from obvert.watermarks.tree_ring import TreeRing


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

    def told(self) -> str:
        """The options that who looks for a key has to give too: those of model, scheme and walk that are not the usual ones."""
        usual, scheme = WatermarkOptions(), self.watermark()
        plain: dict[str, Any] = asdict(type(scheme)())  # type: ignore[call-overload]
        said = {name: getattr(self, name) for name in ("model", "scheme", "steps") if getattr(self, name) != getattr(usual, name)}
        said |= {name: value for name, value in asdict(scheme).items() if value != plain[name]}  # type: ignore[call-overload]
        return "".join(f" --{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in said.items())

    def pipeline(self) -> Diffusion:
        """Load the model."""
        from obvert.models import load_diffusion

        return load_diffusion(self.model, device=self.device, dtype=self.dtype)
