"""Pictures and frames of sizes that an autoencoder does not take: the padding is laid anew, and counts for nothing."""

from __future__ import annotations

import torch

from obvert.methods._latents import encoder_field, gradient_field
from obvert.models import by_frames, load_autoencoder


def test_the_true_latents_of_a_padded_picture_stay_where_they_are() -> None:
    model = load_autoencoder("zoo/vae")
    true = model.encode(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    pictures = model.decode(true)[:, :, :13, :11]
    with torch.no_grad():
        field = encoder_field(model, pictures, model.to_latents(model.padded(pictures)))
    assert field(true).direction.abs().max() < 1e-4
    assert field(true).error.max() < 1e-9


def test_padded_frames_are_padded_pictures() -> None:
    model, pictures = load_autoencoder("zoo/vae"), torch.rand(4, 3, 13, 11, generator=torch.Generator().manual_seed(0))
    videos, film = pictures.unflatten(0, (2, 2)).transpose(1, 2), by_frames(model)
    with torch.no_grad():
        z, zs = (one.to_latents(one.padded(x)) for one, x in ((model, pictures), (film, videos)))
    for one, other in (
        (encoder_field(model, pictures, z), encoder_field(film, videos, zs)),
        (gradient_field(model, pictures), gradient_field(film, videos, chunk=1)),
    ):
        of_pictures, of_videos = one(z), other(zs)
        found = of_videos.direction.transpose(1, 2).flatten(0, 1)
        torch.testing.assert_close(found, of_pictures.direction, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(of_videos.error, of_pictures.error.view(2, 2).mean(1))
