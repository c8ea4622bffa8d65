"""The flow of S3Gen, from speech tokens to a mel spectrogram, with a gradient.

    x' = x + (t' - t) ((1 + g) v(x, t, mu, voice) - g v(x, t, 0, 0)),    mu = encoder(sum_v p_v e_v),    x_0 noise,  x_1 the mel

at times t = 1 - cos(pi k / 2 K). The package walks the same way in inference mode and within buffers, which leaves no gradient;
here each step makes new tensors, and a place may hold a distribution p over tokens where the package looks one up. A step is
computed again on the way back, so that memory hardly grows with K.

References:
    | CosyVoice 2: Scalable Streaming Speech Synthesis with Large Language Models (Du et al., 2024), for the flow
    | https://arxiv.org/abs/2412.10117
    | Flow Matching for Generative Modeling (Lipman et al., 2023)
    | https://arxiv.org/abs/2210.02747
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad
from torch.utils.checkpoint import checkpoint

RATIO = 2
"""Frames of the mel spectrogram for each token."""
STEPS = 10
"""Of the package."""


def mel_of(flow: Any, shares: Tensor, voice: Mapping[str, Tensor], *, steps: int = STEPS, seed: int = 0) -> Tensor:
    """The mel spectrogram of speech tokens.

    Args:
        flow: S3Gen's `flow`, frozen, of chatterbox-tts 0.1.7.
        shares: (B, n, V) how much of each token a place holds, V at most the tokens that the flow knows; one-hot rows are tokens.
        voice: prompt_token (1, P), prompt_feat (1, 2 P, M) and embedding (1, e) of the voice, as the package keeps them.
        steps: K.
        seed: of the noise, the same for all samples.

    Returns:
        (B, M, 2 n) natural logarithms of magnitudes, differentiable in the shares.
    """
    count, table = len(shares), flow.input_embedding.weight
    before = table[voice["prompt_token"].long()].expand(count, -1, -1)
    told = torch.cat((before, shares @ table[: shares.shape[-1]]), dim=1)
    hidden, _ = flow.encoder(told, torch.full((count,), told.shape[1], device=told.device))
    mu = flow.encoder_proj(hidden).mT
    speaker = flow.spk_embed_affine_layer(normalize(voice["embedding"].flatten()[None], dim=1)).expand(count, -1)
    heard = voice["prompt_feat"].to(mu).mT.expand(count, -1, -1)
    known = pad(heard, (0, mu.shape[2] - heard.shape[2]))
    noise = torch.randn(1, *mu.shape[1:], generator=torch.Generator().manual_seed(seed))
    mask, rate = torch.ones_like(mu[:, :1]), float(flow.decoder.inference_cfg_rate)

    def step(x: Tensor, now: Tensor, then: Tensor) -> Tensor:
        with_, without = flow.decoder.estimator(
            x=torch.cat((x, x)),
            mask=torch.cat((mask, mask)),
            mu=torch.cat((mu, torch.zeros_like(mu))),
            t=now.expand(2 * count),
            spks=torch.cat((speaker, torch.zeros_like(speaker))),
            cond=torch.cat((known, torch.zeros_like(known))),
        ).chunk(2)
        return x + (then - now) * ((1 + rate) * with_ - rate * without)

    times = 1 - torch.cos(torch.linspace(0, 1, steps + 1, device=mu.device, dtype=mu.dtype) * 0.5 * torch.pi)
    x = noise.to(mu).expand(count, -1, -1)
    for now, then in pairwise(times):
        x = checkpoint(step, x, now, then, use_reentrant=False) if torch.is_grad_enabled() else step(x, now, then)
    return x[:, :, heard.shape[2] :]
