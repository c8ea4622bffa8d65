"""obvert: a frozen model maps x to y; find the x for a wanted y, say how meaningful it is, and put it to use.

Everything public is imported when it is first asked for, so that `import obvert` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from obvert import metrics, solvers
    from obvert.core import Autoencoder, Diffusion, Inversion, ObvertError, Reader, Status, Writer
    from obvert.features.isoclip import IsoCLIP
    from obvert.features.mean import Mean
    from obvert.features.text_pca import TextPCA
    from obvert.io import read_images
    from obvert.methods.caption_inversion import CaptionInversion
    from obvert.methods.decoder_inversion import DecoderInversion
    from obvert.methods.diffusion_inversion import DiffusionInversion
    from obvert.methods.gradient_decoder_inversion import GradientDecoderInversion
    from obvert.methods.mimic import MIMIC
    from obvert.methods.oti import OTI
    from obvert.methods.ovi import OVI
    from obvert.methods.prompt_inversion import PromptInversion
    from obvert.methods.speech_prompt_inversion import SpeechPromptInversion
    from obvert.methods.transcript_inversion import TranscriptInversion
    from obvert.models import load
    from obvert.solvers.plateau import Plateau
    from obvert.store import open, save
    from obvert.watermarks.gaussian_shading import GaussianShading
    from obvert.watermarks.tree_ring import TreeRing

_HOMES = {
    "load": "models",
    "read_images": "io",
    "save": "store",
    "open": "store",
    "CaptionInversion": "methods.caption_inversion",
    "DecoderInversion": "methods.decoder_inversion",
    "DiffusionInversion": "methods.diffusion_inversion",
    "GradientDecoderInversion": "methods.gradient_decoder_inversion",
    "MIMIC": "methods.mimic",
    "OTI": "methods.oti",
    "OVI": "methods.ovi",
    "PromptInversion": "methods.prompt_inversion",
    "SpeechPromptInversion": "methods.speech_prompt_inversion",
    "TranscriptInversion": "methods.transcript_inversion",
    "Plateau": "solvers.plateau",
    "IsoCLIP": "features.isoclip",
    "TextPCA": "features.text_pca",
    "Mean": "features.mean",
    "GaussianShading": "watermarks.gaussian_shading",
    "TreeRing": "watermarks.tree_ring",
    "Autoencoder": "core",
    "Diffusion": "core",
    "Inversion": "core",
    "Reader": "core",
    "Status": "core",
    "ObvertError": "core",
    "Writer": "core",
}
__all__ = [
    "MIMIC",
    "OTI",
    "OVI",
    "Autoencoder",
    "CaptionInversion",
    "DecoderInversion",
    "Diffusion",
    "DiffusionInversion",
    "GaussianShading",
    "GradientDecoderInversion",
    "Inversion",
    "IsoCLIP",
    "Mean",
    "ObvertError",
    "Plateau",
    "PromptInversion",
    "Reader",
    "SpeechPromptInversion",
    "Status",
    "TextPCA",
    "TranscriptInversion",
    "TreeRing",
    "Writer",
    "load",
    "metrics",
    "open",
    "read_images",
    "save",
    "solvers",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"obvert.{_HOMES[name]}"), name)
    if name in ("metrics", "solvers"):
        return importlib.import_module(f"obvert.{name}")
    raise AttributeError(f"module 'obvert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
