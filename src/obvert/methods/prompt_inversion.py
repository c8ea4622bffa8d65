"""Prompt inversion: what a text-to-image model has to be told to draw a picture.

    min over prompts p:   |draw(p) - picture|^2,       or       E_t |denoise(z_t, t, p) - noise|^2

`naive` is what was published: all that the generator is told is free, and the picture it draws is compared. `regularised`
searches tokens of the vocabulary, straight through, by the denoising error, which needs no walk and depends on no noise.

References:
    | Investigating the Invertibility of Multimodal Latent Spaces (2025)
    | https://arxiv.org/abs/2507.23010
    | An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion (Gal et al., 2023)
    | https://arxiv.org/abs/2208.01618
    | Hard Prompts Made Easy (Wen et al., 2023)
    | https://arxiv.org/abs/2302.03668
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from obvert.core.autoencoder import Media
from obvert.methods._writing import WriterInversion
from obvert.solvers.adam import Adam


@dataclass(frozen=True, kw_only=True)
class PromptInversion(WriterInversion):
    """Pictures -> prompts."""

    media: ClassVar[Media] = "picture"

    @classmethod
    def naive(cls, **settings: Any) -> PromptInversion:
        """As published: the prompt embeddings, by the squared error of the picture. What was not told is Adam, .05."""
        return replace(cls(unknown="prompt", fit="write", solver=Adam(lr=0.05), steps=300), **settings)

    @classmethod
    def regularised(cls, **settings: Any) -> PromptInversion:
        """Ours: tokens of the vocabulary, by the error of denoising."""
        return replace(cls(unknown="tokens", fit="denoise", solver=Adam(lr=0.1), steps=1000), **settings)
