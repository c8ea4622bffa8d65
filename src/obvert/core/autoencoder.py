"""Autoencoders: an encoder and a decoder between media and the latents that a generator works on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from obvert.core.model import Card
from obvert.core.search import ObvertError

Media = Literal["picture", "video", "sound"]


@dataclass(frozen=True, kw_only=True)
class Autoencoder:
    """A frozen encoder and decoder.

    Media are (B, C, H, W) pictures or (B, C, T, H, W) videos in [0, 1], or (B, C, S) sound in [-1, 1]. Latents are those
    that the model's generator works on: the mode of the encoder's distribution, normalised, fp32.
    """

    card: Card
    device: torch.device
    dtype: torch.dtype
    """In which the networks run; media and latents are fp32 outside."""
    to_latents: Callable[[Tensor], Tensor]
    """Media -> normalised latents, differentiable."""
    to_media: Callable[[Tensor], Tensor]
    """Normalised latents -> media, differentiable, not clipped."""
    cast: Callable[[torch.dtype], Autoencoder]
    """The same autoencoder with its networks in another dtype; this one stays as it is."""
    parameters: Callable[[], dict[str, Tensor]] = dict
    """The weights, for those who want to see that they did not change."""
    blocks: Callable[[], Sequence[torch.nn.Module]] = tuple
    """Parts of the decoder that may be run again, each alone, in a backward pass; none where only the whole may be."""
    media: Media = "picture"
    bounds: tuple[float, float] = (0.0, 1.0)
    """Range of a medium's numbers."""
    multiple: tuple[int, ...] = (1, 1)
    """What each of a medium's last sizes must be a multiple of, e.g. (8, 8)."""
    channels: int | None = None
    """Of a medium; None where that is not known."""
    rate: int | None = None
    """Samples a second of the sound that the model knows; None for other media, or where that is not known."""
    check: Callable[[tuple[int, ...]], None] = lambda shape: None
    """Raises ObvertError for a medium's shape that the model cannot take at all, e.g. a video of too few frames."""
    frames: int = 0
    """Frames of a video taken at a time, each a picture of its own; 0 where frames depend on each other."""

    @classmethod
    def from_functions(
        cls,
        encode: Callable[[Tensor], Tensor],
        decode: Callable[[Tensor], Tensor],
        *,
        name: str = "functions",
        media: Media = "picture",
        bounds: tuple[float, float] = (0.0, 1.0),
        multiple: tuple[int, ...] = (),
        channels: int | None = None,
        rate: int | None = None,
        device: torch.device | str = "cpu",
    ) -> Autoencoder:
        """Any pair of functions as an autoencoder.

        Args:
            encode: media (B, C, ...) within `bounds` -> latents (B, ...).
            decode: latents -> media.
            name: for the card.
            media: what they are.
            bounds: range of the media.
            multiple: what each of a medium's last sizes must be a multiple of; anything when empty.
            channels: of a medium, if that is known.
            rate: samples a second, of sound.
            device: where both run.

        Returns:
            The autoencoder. Its networks run in 16 bits by autocast, since functions have no weights to convert.

        Raises:
            ObvertError: for media or multiples that there are not.
        """
        kinds = get_args(Media)
        if media not in kinds:
            raise ObvertError(f"need media of {', '.join(kinds)}, got {media!r}")
        if not isinstance(multiple, tuple) or any(not isinstance(m, int) or m < 1 for m in multiple):
            raise ObvertError(f"need multiple as a tuple of whole numbers of 1 or more, got {multiple!r}")
        card = Card(name=name, family="functions")

        def at(dtype: torch.dtype) -> Autoencoder:
            def run(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
                def call(x: Tensor) -> Tensor:
                    with torch.autocast(torch.device(device).type, dtype, enabled=dtype != torch.float32):
                        return function(x)

                return call

            return cls(
                card=card,
                device=torch.device(device),
                dtype=dtype,
                to_latents=run(encode),
                to_media=run(decode),
                cast=at,
                media=media,
                bounds=bounds,
                multiple=multiple,
                channels=channels,
                rate=rate,
            )

        return at(torch.float32)

    @torch.no_grad()
    def encode(self, media: Tensor | Sequence[Tensor]) -> Tensor:
        """Latents of media.

        Args:
            media: (B, C, ...), or a list of equally large (C, ...), within `bounds`; sizes that the model cannot take are
                an error that names them: see `padded`.

        Returns:
            (B, ...) latents, fp32.
        """
        return self.to_latents(self.batch(media)).float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Media of latents.

        Args:
            latents: (B, ...), as `encode` gives them.

        Returns:
            (B, C, ...) within `bounds`.

        Raises:
            ObvertError: for latents that the decoder does not take.
            OutOfMemoryError: torch's own, for who can go on with less.
        """
        try:
            return self.to_media(latents.to(self.device)).float().clamp(*self.bounds)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ObvertError(f"{self.card.name} does not decode latents of shape {tuple(latents.shape)}: {reason}") from error

    def batch(self, media: Tensor | Sequence[Tensor]) -> Tensor:
        """Media as one batch on the model's device.

        Args:
            media: as for `encode`.

        Returns:
            (B, C, ...) fp32.

        Raises:
            ObvertError: for media of unlike shapes, out of range, or of sizes that the model does not take.
        """
        media = stacked(media)
        axes = {"picture": 4, "video": 5, "sound": 3}[self.media]
        if media.ndim != axes:
            raise ObvertError(f"need {self.media}s as {axes} axes (B, C, ...) for {self.card.name}, got {tuple(media.shape)}")
        sizes = tuple(media.shape[2:])
        if self.multiple and any(s % m for s, m in zip(sizes[-len(self.multiple) :], self.multiple, strict=True)):
            raise ObvertError(f"need sizes in multiples of {self.multiple} for {self.card.name}, got {sizes}; pad them first")
        self.check(tuple(media.shape))
        low, high = (v.item() for v in media.detach().aminmax()) if media.numel() else (0.0, 0.0)
        if not self.bounds[0] - 1e-3 <= low <= high <= self.bounds[1] + 1e-3:  # NaN fails too
            raise ObvertError(f"need {self.media}s within {self.bounds}, got {low:g} to {high:g}")
        return media.to(self.device, torch.float32)

    def padded(self, media: Tensor) -> Tensor:
        """Media whose last sizes are stretched to what the model takes, by repeating the last row, column or sample.

        Args:
            media: (..., sizes).

        Returns:
            As large or larger; the original is its beginning along every axis, and itself where its sizes will do.
        """
        for axis, multiple in enumerate(reversed(self.multiple)):
            size = media.shape[-1 - axis]
            if size % multiple == 0:
                continue
            rows = torch.arange(math.ceil(size / multiple) * multiple, device=media.device).clamp(max=size - 1)
            media = media.index_select(media.ndim - 1 - axis, rows)
        return media


def stacked(media: Tensor | Sequence[Tensor]) -> Tensor:
    """Media as one tensor, where they are.

    Args:
        media: (B, C, ...), or a list of equally large (C, ...).

    Returns:
        (B, C, ...).

    Raises:
        ObvertError: for a list of unlike shapes, or an empty one.
    """
    if isinstance(media, Tensor):
        return media
    shapes = sorted({tuple(m.shape) for m in media})
    if len(shapes) != 1:
        raise ObvertError(f"need media of one shape in a batch, got {', '.join(map(str, shapes)) or 'none'}")
    return torch.stack(list(media))
