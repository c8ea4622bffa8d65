"""Text-to-image models as writers: everything from the embeddings of tokens to the picture is differentiable.

    mismatch(p, x)  = mean |decode(walk(p, n0)) - x|^2           from one noise n0, in few steps
    denoising(p, x) = mean |network(a_t z + s_t n, t, p) - target_t|^2,  z = encode(x), one time t and noise n for all samples

`mismatch` keeps the whole walk for its gradient; steps are run again in the backward pass, so that memory holds one of them.
`denoising` is the objective of textual inversion; it asks the network once.

References:
    | An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion (Gal et al., 2023)
    | https://arxiv.org/abs/2208.01618
    | Training Deep Nets with Sublinear Memory Cost (Chen et al., 2016)
    | https://arxiv.org/abs/1604.06174
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from obvert.core.diffusion import Diffusion, TextSide, draw_noise
from obvert.core.reader import Domain
from obvert.core.search import ObvertError
from obvert.core.writer import Writer

TIMES = 100
"""Points of the walk among which `denoising` draws one."""


def as_writer(model: Diffusion, *, steps: int = 10, guidance: float | None = None, seed: int = 0) -> Writer:
    """A text-to-image model as a writer.

    Args:
        model: one whose text towers are known.
        steps: of the walk from noise to latents.
        guidance: of the walk; the model's usual one when None.
        seed: of the noise that every picture is drawn from.

    Returns:
        The writer. A prompt is what the network takes as condition, (B, L, e), or (B, L e + p) with pooled features at the
        end; pictures are as large as the model was trained for.

    Raises:
        ObvertError: for a model whose text towers are not known, or steps that it cannot take.
    """
    if model.text is None:
        raise ObvertError(f"need a text-to-image model with its text towers, got {model.card.name} without")
    return _Drawing(model, model.text, steps, model.guidance if guidance is None else guidance, seed).writer()


@dataclass(frozen=True)
class _Packing:
    """Conditions as one tensor: rows of tokens (L, e), and pooled features where there are some."""

    rows: tuple[int, int]
    pooled: bool

    @classmethod
    def of(cls, condition: Any) -> _Packing:
        alone = isinstance(condition, Tensor)
        return cls(tuple((condition if alone else condition[0]).shape[1:]), not alone)

    def pack(self, condition: Any) -> Tensor:
        parts = torch.cat((condition[0].flatten(1), condition[1]), dim=1) if self.pooled else condition
        return parts.to(torch.promote_types(parts.dtype, torch.float32))

    def states(self, prompts: Tensor) -> Tensor:
        return prompts[:, : self.rows[0] * self.rows[1]].unflatten(1, self.rows) if self.pooled else prompts

    def unpack(self, prompts: Tensor) -> Any:
        return (self.states(prompts), prompts[:, self.rows[0] * self.rows[1] :]) if self.pooled else prompts


class _Drawing:
    """What the functions of the writer share."""

    def __init__(self, model: Diffusion, text: TextSide, steps: int, guidance: float, seed: int) -> None:
        self.model, self.text, self.guidance = model, text, guidance
        self.walk, self.points = model.schedule(steps), model.schedule(TIMES)
        self.noise = draw_noise(model.shape, 1, seed).to(model.device)
        rows = text.vocabulary[text.tokens([""])].float()
        self.empty, self.told = self.condition(rows), rows.shape[1:]
        self.packing = _Packing.of(self.empty)
        self.shape = (model.autoencoder.channels or 3, *_pixels(model))

    @torch.no_grad()
    def condition(self, embeddings: Tensor) -> Any:
        return self.text.condition(embeddings)

    def prompt(self, embeddings: Tensor) -> Tensor:
        if embeddings.shape[1:] != self.told:
            name, (length, width) = self.model.card.name, self.told
            raise ObvertError(f"need embeddings (B, {length}, {width}) for {name}, got {tuple(embeddings.shape)}")
        return self.packing.pack(self.text.condition(embeddings.to(self.model.device)))

    def latents(self, prompts: Tensor) -> Tensor:
        """The end of the walk, (B, *shape); steps are not kept for the backward pass but run again."""
        output = self.model.conditioned(self.packing.unpack(prompts), self.guidance, self.empty)

        def step(z: Tensor, k: int) -> Tensor:
            return self.model.onwards(z, output(z, self.walk.times[k].to(z.device)), self.walk, k)

        z = self.noise.to(prompts.dtype).expand(len(prompts), *self.model.shape)
        for k in range(len(self.walk.times)):
            z = _lean(step, z, k)
        return z

    @torch.no_grad()
    def write(self, prompts: Tensor) -> Tensor:
        return self.model.autoencoder.decode(self.latents(prompts.to(self.model.device)))

    def mismatch(self, prompts: Tensor, media: Tensor) -> Tensor:
        wanted = self.checked(prompts, media)
        drawn = _lean(self.model.autoencoder.to_media, self.latents(prompts))
        return (drawn - wanted).square().flatten(1).mean(1)

    def denoising(self, prompts: Tensor, media: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            x = self.model.autoencoder.to_latents(self.checked(prompts, media))
        k = int(torch.randint(len(self.points.times), (), generator=generator))
        n = torch.randn(self.model.shape, generator=generator).to(x).expand_as(x)
        a, s = self.points.signal[k].to(x), self.points.noise[k].to(x)
        told = self.guidance if self.model.told else 1.0
        out = self.model.conditioned(self.packing.unpack(prompts), told)(a * x + s * n, self.points.times[k].to(x.device))
        target = {"epsilon": n, "velocity": a * n - s * x, "flow": n - x}[self.model.prediction]
        return (out - target).square().flatten(1).mean(1)

    def checked(self, prompts: Tensor, media: Tensor) -> Tensor:
        if media.shape != (len(prompts), *self.shape):
            raise ObvertError(f"need pictures {(len(prompts), *self.shape)} for {self.model.card.name}, got {tuple(media.shape)}")
        return media.to(self.model.device)

    def writer(self) -> Writer:
        model, text = self.model, self.text
        return Writer(
            card=model.card,
            device=model.device,
            dtype=model.dtype,
            medium=Domain(media="picture", shape=self.shape, bounds=model.autoencoder.bounds),
            vocabulary=text.vocabulary,
            tokens=text.tokens,
            spell=text.spell,
            words=text.words,
            choices=text.choices,
            prompt=self.prompt,
            states=self.packing.states,
            write=self.write,
            mismatch=self.mismatch,
            denoising=self.denoising,
            parameters=model.parameters,
        )


def _lean(function: Callable[..., Tensor], x: Tensor, *rest: Any) -> Tensor:
    """The function's value; where a gradient will be asked for, it is run again then, and nothing inside is kept."""
    if not torch.is_grad_enabled():
        return function(x, *rest)
    found: Tensor = checkpoint(function, x, *rest, use_reentrant=False, preserve_rng_state=False)
    return found


def _pixels(model: Diffusion) -> tuple[int, ...]:
    """Height and width of a picture."""
    multiple = model.autoencoder.multiple or (1,) * len(model.shape[1:])
    return tuple(side * m for side, m in zip(model.shape[1:], multiple, strict=True))
