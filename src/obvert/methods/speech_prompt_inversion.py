"""Speech prompt inversion: what a synthesiser has to be told to speak a recording.

    min over prompts p:   |log-mel(speak(p)) - log-mel(recording)|

`naive` is what was published: embeddings are free. `regularised` searches tokens of the vocabulary, straight through.

References:
    | Investigating the Invertibility of Multimodal Latent Spaces (2025)
    | https://arxiv.org/abs/2507.23010
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from obvert.core.autoencoder import Media
from obvert.methods._writing import WriterInversion
from obvert.solvers.adam import Adam


@dataclass(frozen=True, kw_only=True)
class SpeechPromptInversion(WriterInversion):
    """Sounds -> what is spoken."""

    media: ClassVar[Media] = "sound"

    @classmethod
    def naive(cls, **settings: Any) -> SpeechPromptInversion:
        """As published: free embeddings, by the error of the mel spectrogram. What was not told is Adam, .05."""
        return replace(cls(unknown="embeddings", solver=Adam(lr=0.05), steps=300), **settings)

    @classmethod
    def regularised(cls, **settings: Any) -> SpeechPromptInversion:
        """Ours: tokens of the vocabulary."""
        return replace(cls(unknown="tokens", solver=Adam(lr=0.1), steps=600), **settings)
