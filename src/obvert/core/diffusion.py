"""Text-to-image models that turn noise into latents step by step: diffusion and rectified flow in one form.

Every point on the way is z_t = a_t x + s_t n, latents x and noise n. Whatever the network predicts gives both back

    epsilon:  n = out,              x = (z - s n) / a
    velocity: x = a z - s out,      n = s z + a out
    flow:     x = z - s out,        n = z + a out          (a = 1 - s)

and a deterministic step goes to the next pair: z' = a' x + s' n. That is DDIM, and Euler for a flow.

References:
    | Denoising Diffusion Implicit Models (Song et al., 2021)
    | https://arxiv.org/abs/2010.02502
    | Flow Straight and Fast (Liu et al., 2022)
    | https://arxiv.org/abs/2209.03003
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from obvert.core.autoencoder import Autoencoder
from obvert.core.model import Card
from obvert.core.search import ObvertError

Prediction = Literal["epsilon", "velocity", "flow"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The points a walk from noise to latents visits, noisiest first."""

    times: Tensor
    """(K,) what the network is told at each point it is asked at."""
    signal: Tensor
    """(K + 1,) a at each point, fp64; the last is where the walk ends."""
    noise: Tensor
    """(K + 1,) s at each point, fp64."""
    goals: tuple[Tensor, Tensor] | None = None
    """(K,) a' and s' that each step is computed for, where a sampler takes others than those of the next point."""

    def step(self, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """a, s, a', s' of the step from point k, each 0-dimensional."""
        after = (self.signal[k + 1], self.noise[k + 1]) if self.goals is None else (self.goals[0][k], self.goals[1][k])
        return self.signal[k], self.noise[k], *after


@dataclass(frozen=True, kw_only=True)
class TextSide:
    """The tokens that a text-to-image model reads, and what it makes of embeddings that no token has. Fields are those of
    a `Writer` that are not told here."""

    vocabulary: Tensor
    tokens: Callable[[Sequence[str]], Tensor]
    spell: Callable[[Tensor], list[str]]
    words: tuple[int, int]
    choices: Tensor
    condition: Callable[[Tensor], Any]
    """(B, L, d) embeddings -> what `Diffusion.predict` takes, differentiable: a tensor (B, K, e), or one of them and pooled
    features (B, p); for rows of the vocabulary, what `Diffusion.embed` gives."""


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    """A frozen text-to-image model."""

    card: Card
    device: torch.device
    dtype: torch.dtype
    autoencoder: Autoencoder
    shape: tuple[int, ...]
    """Of the latents of one picture of the size that the model was trained for."""
    prediction: Prediction
    embed: Callable[[Sequence[str]], Any]
    """Captions -> what `predict` takes as condition: a tensor, or a tuple of tensors, each with B rows."""
    predict: Callable[[Tensor, Tensor, Any], Tensor]
    """(B, *shape) latents, (B,) times, condition -> the network's output, differentiable."""
    schedule: Callable[[int], Schedule]
    """Steps K -> the points of the walk."""
    text: TextSide | None = None
    """Its text towers from tokens on, where they are known."""
    guidance: float = 7.5
    """The usual guidance."""
    told: Callable[[Any, float], Any] | None = None
    """Condition, guidance -> condition that tells the guidance, for networks that were taught to take it; None for those that
    are asked with and without captions instead."""
    parameters: Callable[[], dict[str, Tensor]] = dict
    """The weights, for those who want to see that they did not change."""

    def clean_and_noise(self, z: Tensor, out: Tensor, signal: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The latents x and the noise n that an output says z is made of.

        Args:
            z: (B, *shape) noisy latents.
            out: (B, *shape) the network's output there.
            signal: a of z, 0-dimensional.
            noise: s of z.

        Returns:
            x and n, like z.
        """
        a, s = signal.to(z), noise.to(z)
        if self.prediction == "epsilon":
            return (z - s * out) / a, out
        if self.prediction == "velocity":
            return a * z - s * out, s * z + a * out
        return z - s * out, z + a * out

    def onwards(self, z: Tensor, out: Tensor, walk: Schedule, k: int) -> Tensor:
        """The point of a walk that follows z, its k-th, where the network's output is `out`."""
        a, s, a_next, s_next = walk.step(k)
        x, n = self.clean_and_noise(z, out, a, s)
        return a_next.to(z) * x + s_next.to(z) * n

    def prompted(self, captions: Sequence[str], guidance: float = 1.0) -> Callable[[Tensor, Tensor], Tensor]:
        """The network as it answers to captions; arguments as for `conditioned`, "" for no caption."""
        if not captions:
            return lambda z, time: z  # as many rows as captions: none
        return self.conditioned(self.embed(list(captions)), guidance)

    def conditioned(self, said: Any, guidance: float = 1.0, empty: Any = None) -> Callable[[Tensor, Tensor], Tensor]:
        """The network as it answers to a condition, with classifier-free guidance:  out = empty + g (said - empty).

        Args:
            said: B rows, as `embed` gives them.
            guidance: g; 1 asks the network once, with the condition alone. It is told to networks that take it.
            empty: the condition of no caption, one row; embedded when it is needed and not given.

        Returns:
            (B, *shape) latents and a 0-dimensional time -> the output, in the precision of the latents.
        """
        if guidance == 1 or self.told:
            asked = self.told(said, guidance) if self.told else said
            return lambda z, time: self.predict(z, time.expand(len(z)), asked).to(z.dtype)
        empty = self.embed([""]) if empty is None else empty
        both = _joined(empty, said) if isinstance(said, Tensor) else tuple(map(_joined, empty, said))

        def guided(z: Tensor, time: Tensor) -> Tensor:
            without, with_ = self.predict(torch.cat((z, z)), time.expand(2 * len(z)), both).to(z.dtype).chunk(2)
            return without + guidance * (with_ - without)

        return guided


def _joined(empty: Tensor, said: Tensor) -> Tensor:
    """(2 B, ...): one row B times, then B rows."""
    return torch.cat((empty.to(said).expand(said.shape), said))


@torch.no_grad()
def sample(
    model: Diffusion,
    captions: Sequence[str],
    *,
    steps: int = 50,
    guidance: float = 1.0,
    seed: int = 0,
    noise: Tensor | None = None,
    after: Callable[[int, Tensor], Tensor] | None = None,
) -> Tensor:
    """Walk from noise to latents, deterministically.

    Args:
        model: who draws.
        captions: B of them; "" for none.
        steps: of the walk, at least 1.
        guidance: of the captions; 1 for none.
        seed: of the noise; sample i is drawn from seed + i, so that a batch equals its samples.
        noise: (B, *shape) to start from instead.
        after: called after each step with its number, 1 to `steps`, and the latents there; gives those to go on with.

    Returns:
        (B, *shape) latents, fp32; fp64 from noise in fp64, as far as the network can tell.

    Raises:
        ObvertError: for steps or noise that do not fit.
    """
    if steps < 1:
        raise ObvertError(f"need at least 1 step, got {steps}")
    if noise is not None and (len(noise) != len(captions) or noise.shape[1:] != model.shape):
        raise ObvertError(f"need noise of shape {(len(captions), *model.shape)}, got {tuple(noise.shape)}")
    z = draw_noise(model.shape, len(captions), seed) if noise is None else noise
    z = z.to(model.device, torch.promote_types(z.dtype, torch.float32))
    walk, output = model.schedule(steps), model.prompted(captions, guidance)
    for k, time in enumerate(walk.times.to(model.device)):
        z = model.onwards(z, output(z, time), walk, k)
        z = after(k + 1, z) if after else z
    return z


def draw_noise(shape: Sequence[int], count: int, seed: int) -> Tensor:
    """Normal numbers (count, *shape), sample i from seed + i; drawn on the CPU and thus the same everywhere."""
    rows = [torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed + i)) for i in range(count)]
    return torch.stack(rows) if rows else torch.zeros(0, *shape)
