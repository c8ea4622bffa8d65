"""A reader that names the brightest channel and a writer of flat pictures: small enough to know what must be found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from obvert.core import Answer, Card, Domain, Reader, Writer
from obvert.core.autoencoder import Media

WORDS = ("red", "green", "blue", "<end>", "<unknown>")
SIDE = 8


def colour_reader(media: Media = "picture", asked: str = "") -> Reader:
    """Says the word of its brightest channel, then ends. The network takes 4 (x - .5); a sound's channels are its thirds."""
    shape = (3, SIDE, SIDE) if media == "picture" else (1, 48)
    bounds = (0.0, 1.0) if media == "picture" else (-1.0, 1.0)
    domain = Domain(media=media, shape=shape, bounds=bounds, rate=16 if media == "sound" else None)

    def front(media: Tensor | Sequence[Tensor]) -> Tensor:
        whole = media if isinstance(media, Tensor) else torch.stack(list(media))
        if whole.shape[-1] < shape[-1]:
            whole = torch.nn.functional.pad(whole, (0, shape[-1] - whole.shape[-1]))
        return 4 * (whole - 0.5)

    def logits(features: Tensor) -> Tensor:
        brightness = features.reshape(len(features), 3, -1).mean(2)
        return torch.cat((3 * brightness, torch.full((len(features), 2), -3.0)), dim=1)

    def log_likelihood(features: Tensor, answer: Answer) -> Tensor:
        first = logits(features).log_softmax(1)
        ends = torch.tensor([-8.0, -8.0, -8.0, 0.0, -8.0]).log_softmax(0).expand(len(features), -1)
        both = torch.stack((first, ends), dim=1)
        return both.gather(2, answer.ids[..., None])[..., 0].masked_fill(~answer.mask, 0.0)

    def tokens(texts: Sequence[str]) -> Answer:
        ids = [[WORDS.index(text) if text in WORDS else 4, 3] for text in texts]
        return Answer(torch.tensor(ids), torch.ones(len(texts), 2, dtype=torch.bool))

    return Reader(
        card=Card(name="toy", family="toy"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        medium=domain,
        features=Domain(media=media, shape=shape),
        front=front,
        back=lambda features: (features / 4 + 0.5).clamp(*bounds),
        tokens=tokens,
        spell=lambda ids: [WORDS[i] for i in ids.tolist()],
        log_likelihood=log_likelihood,
        generate=lambda features: [WORDS[i] for i in logits(features).argmax(1).tolist()],
        ask=lambda said: colour_reader(media, said),
        unknown=4,
    )


NAMES = ("<start>", "<pad>", "black", "red", "green", "blue", "white", "grey")
TABLE = torch.tensor(
    [
        [0, 0, 0, 3.0, 0],
        [0, 0, 0, 0, 3.0],
        [-2.0, -2, -2, 0, 0],
        [2.0, -1, -1, 0, 0],
        [-1, 2.0, -1, 0, 0],
        [-1, -1, 2.0, 0, 0],
        [2.0, 2, 2, 0, 0],
        [0.3, 0.3, -0.3, 0, 0],
    ]
)


def flat_writer(media: Media = "picture") -> Writer:
    """Draws a flat picture of the colour that its first two words' embeddings sum to; pads say nothing."""

    def write(prompt: Tensor) -> Tensor:
        colour = prompt[:, 1:3, :3].sum(1).sigmoid()
        if media == "sound":
            return (2 * colour - 1).repeat_interleave(16, dim=1)[:, None]
        return colour[:, :, None, None].expand(-1, 3, SIDE, SIDE)

    def tokens(texts: Sequence[str]) -> Tensor:
        rows = [[0, *(NAMES.index(word) for word in text.split()), 1, 1, 1][:4] for text in texts]
        return torch.tensor(rows)

    def denoising(prompt: Tensor, media: Tensor, generator: torch.Generator) -> Tensor:
        weight = torch.rand(1, generator=generator) + 0.5
        return weight * (write(prompt) - media).square().flatten(1).mean(1)

    shape, bounds = ((3, SIDE, SIDE), (0.0, 1.0)) if media == "picture" else ((1, 48), (-1.0, 1.0))
    return Writer(
        card=Card(name="flat", family="toy"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        medium=Domain(media=media, shape=shape, bounds=bounds),
        vocabulary=TABLE,
        tokens=tokens,
        spell=lambda ids: [NAMES[i] for i in ids.tolist()],
        words=(1, 4),
        prompt=lambda embeddings: embeddings,
        states=lambda prompt: prompt,
        write=write,
        mismatch=lambda prompt, media: (write(prompt) - media).square().flatten(1).mean(1),
        denoising=denoising if media == "picture" else None,
        choices=torch.tensor([False, False, True, True, True, True, True, True]),
    )
