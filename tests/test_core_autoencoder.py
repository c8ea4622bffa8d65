"""The Autoencoder noun: any two functions, padding, and media that do not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

import obvert
from obvert.core import Autoencoder, ObvertError


def shrink(pictures: Tensor) -> Tensor:
    return avg_pool2d(pictures, 4) * 2 - 1


def grow(latents: Tensor) -> Tensor:
    return interpolate((latents + 1) / 2, scale_factor=4.0)


MODEL = Autoencoder.from_functions(shrink, grow, name="pool", multiple=(4, 4))


def test_two_functions_are_an_autoencoder() -> None:
    pictures = torch.rand(2, 3, 8, 12)
    z = MODEL.encode(pictures)
    assert z.shape == (2, 3, 2, 3)
    torch.testing.assert_close(z, shrink(pictures))
    torch.testing.assert_close(MODEL.encode(MODEL.decode(z)), z)
    assert (MODEL.card.name, MODEL.card.family, MODEL.media, MODEL.dtype) == ("pool", "functions", "picture", torch.float32)
    assert MODEL.parameters() == {}
    assert torch.equal(MODEL.encode(list(pictures)), z)
    assert obvert.Autoencoder is Autoencoder


def test_what_is_decoded_is_clipped_and_what_is_searched_is_not() -> None:
    z = torch.full((1, 3, 2, 2), 3.0)
    assert MODEL.decode(z).max() == 1
    assert MODEL.to_media(z).max() == 2
    z.requires_grad_()
    MODEL.to_media(z).sum().backward()
    assert z.grad is not None
    assert (z.grad == 8).all()
    assert not MODEL.decode(z).requires_grad


def test_functions_run_in_sixteen_bits_by_autocast() -> None:
    weights = torch.randn(6, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    model = Autoencoder.from_functions(lambda x: torch.conv2d(x, weights), lambda z: z)
    pictures = torch.rand(1, 3, 4, 4)
    low = model.cast(torch.bfloat16)
    assert (low.dtype, model.dtype, low.card) == (torch.bfloat16, torch.float32, model.card)
    assert low.to_latents(pictures).dtype == torch.bfloat16
    seen, wanted = low.encode(pictures), model.encode(pictures)
    assert seen.dtype == torch.float32
    assert 0 < (seen - wanted).abs().max() < 0.05
    assert torch.equal(low.cast(torch.float32).encode(pictures), wanted)


@pytest.mark.parametrize(("size", "wanted"), [((5, 8), (8, 8)), ((4, 4), (4, 4)), ((1, 9), (4, 12))])
def test_padding_repeats_the_last(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    picture = torch.rand(2, 3, *size)
    padded = MODEL.padded(picture)
    assert padded.shape == (2, 3, *wanted)
    assert torch.equal(padded[..., : size[0], : size[1]], picture)
    assert (padded[..., size[0] :, : size[1]] == picture[..., -1:, :]).all()
    assert (padded[..., size[1] :] == padded[..., size[1] - 1 : size[1]]).all()
    assert MODEL.encode(padded).shape[0] == 2


def test_sound_and_video_are_padded_along_their_own_axes() -> None:
    sound = Autoencoder.from_functions(lambda x: x, lambda z: z, media="sound", bounds=(-1.0, 1.0), multiple=(8,))
    assert sound.padded(torch.zeros(2, 1, 13)).shape == (2, 1, 16)
    assert sound.encode(-torch.ones(1, 2, 8)).min() == -1
    video = Autoencoder.from_functions(lambda x: x, lambda z: z, media="video", multiple=(2, 4))
    assert video.padded(torch.zeros(1, 3, 5, 3, 3)).shape == (1, 3, 5, 4, 4)
    assert video.encode(torch.zeros(1, 3, 5, 4, 4)).shape == (1, 3, 5, 4, 4)
    free = Autoencoder.from_functions(lambda x: x, lambda z: z)
    assert free.padded(torch.zeros(1, 3, 5, 7)).shape == free.encode(torch.zeros(1, 3, 5, 7)).shape


@pytest.mark.parametrize(
    ("media", "told"),
    [
        ([torch.zeros(3, 4, 4), torch.zeros(3, 8, 4)], r"one shape in a batch, got \(3, 4, 4\), \(3, 8, 4\)"),
        ([], "one shape in a batch, got none"),
        (torch.zeros(3, 4, 4), r"4 axes .* for pool, got \(3, 4, 4\)"),
        (torch.zeros(1, 3, 4, 6), r"multiples of \(4, 4\) for pool, got \(4, 6\); pad them first"),
        (torch.full((1, 3, 4, 4), 255.0), r"within \(0.0, 1.0\), got 255 to 255"),
        (torch.full((1, 3, 4, 4), float("nan")), "got nan"),
        (torch.full((1, 3, 4, 4), -0.5), "got -0.5 to -0.5"),
    ],
)
def test_media_that_do_not_fit_are_told(media: Tensor | list[Tensor], told: str) -> None:
    for call in (MODEL.batch, MODEL.encode):
        with pytest.raises(ObvertError, match=told) as caught:
            call(media)
        assert "\n" not in str(caught.value)


def test_latents_that_do_not_fit_are_told_in_one_line() -> None:
    with pytest.raises(ObvertError, match=r"pool does not decode latents of shape \(3, 2\)"):
        Autoencoder.from_functions(shrink, lambda z: torch.conv2d(z, torch.zeros(1, 1, 1, 1)), name="pool").decode(
            torch.zeros(3, 2)
        )


def test_memory_is_the_callers_business() -> None:
    def greedy(z: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no")

    with pytest.raises(torch.OutOfMemoryError):
        Autoencoder.from_functions(shrink, greedy).decode(torch.zeros(1, 3, 2, 2))


def test_a_batch_of_none_is_a_batch() -> None:
    assert MODEL.encode(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 1, 1)
