"""Every autoencoder family: the adapter against diffusers used by hand, gradients, repetition, precision, weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_autoencoders as tiny
import torch
from torch import Tensor

import obvert
from obvert.core import Autoencoder, Card
from obvert.models import autoencoder as family
from obvert.models.parts.autoencoders import FACTS

CPU = torch.device("cpu")
LATENTS = {  # of 16 x 16 pictures, of 9 such frames (Mochi: 7), of 32 samples
    "AsymmetricAutoencoderKL": (4, 8, 8),
    "AutoencoderDC": (4, 8, 8),
    "AutoencoderKL": (4, 8, 8),
    "AutoencoderKLCogVideoX": (4, 3, 2, 2),
    "AutoencoderKLCosmos": (4, 2, 2, 2),
    "AutoencoderKLFlux2": (16, 4, 4),
    "AutoencoderKLHunyuanVideo": (4, 3, 2, 2),
    "AutoencoderKLLTXVideo": (8, 3, 4, 4),
    "AutoencoderKLMagvit": (4, 3, 2, 2),
    "AutoencoderKLMochi": (4, 2, 2, 2),
    "AutoencoderKLQwenImage": (16, 2, 2),
    "AutoencoderKLTemporalDecoder": (4, 9, 8, 8),
    "AutoencoderKLWan": (16, 3, 2, 2),
    "AutoencoderOobleck": (4, 4),
    "AutoencoderTiny": (4, 8, 8),
    "VQModel": (3, 8, 8),
}


def media_of(name: str, count: int = 2) -> Tensor:
    """Media that the tiny network of that class takes."""
    draw = torch.Generator().manual_seed(1)
    if name == "AutoencoderOobleck":
        return torch.rand(count, 2, 32, generator=draw) * 2 - 1
    frames = (7 if "Mochi" in name else 9,) if FACTS[name].media == "video" else ()
    return torch.rand(count, 3, *frames, 16, 16, generator=draw)


@pytest.fixture(scope="module", params=sorted(tiny.SETTINGS))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Autoencoder, Path]:
    """Class, network as it was saved, autoencoder as it was loaded, folder."""
    folder = tmp_path_factory.mktemp(request.param)
    network = tiny.build(request.param)
    network.save_pretrained(folder)
    for flag in ("use_framewise_encoding", "use_framewise_decoding"):
        if hasattr(network, flag):
            setattr(network, flag, False)
    return request.param, network, obvert.load(str(folder), device="cpu"), folder


def raw_latents(name: str, network: Any, media: Tensor) -> Tensor:
    """What the network itself gives for media, by hand."""
    media = media if name == "AutoencoderOobleck" else 2 * media - 1
    if name in ("AutoencoderTiny", "VQModel"):
        return network.encode(media).latents
    if name == "AutoencoderDC":
        return network.encode(media).latent
    if name == "AutoencoderKLQwenImage":
        return network.encode(media.unsqueeze(2)).latent_dist.mode().squeeze(2)
    if name == "AutoencoderKLTemporalDecoder":
        frames = [network.encode(media[:, :, t]).latent_dist.mode() for t in range(media.shape[2])]
        return torch.stack(frames, 2)
    return network.encode(media).latent_dist.mode()


def raw_media(name: str, network: Any, latents: Tensor) -> Tensor:
    """Media of what the network itself takes, by hand, one sample at a time."""
    if name == "AutoencoderKLQwenImage":
        media = network.decode(latents.unsqueeze(2)).sample.squeeze(2)
    elif name == "AutoencoderKLTemporalDecoder":
        videos = [network.decode(z.transpose(0, 1), num_frames=z.shape[1]).sample.transpose(0, 1) for z in latents]
        media = torch.stack(videos)
    elif name == "AutoencoderKLLTXVideo":
        torch.manual_seed(0)
        media = network.decode(latents, torch.zeros(len(latents))).sample
    else:
        media = network.decode(latents).sample
    return media if name == "AutoencoderOobleck" else (media + 1) / 2


def normalised(name: str, network: Any, u: Tensor) -> Tensor:
    """The normalisation of a class as its pipelines write it, number by number."""
    config = network.config
    if name == "AutoencoderKLFlux2":
        z = torch.empty(len(u), 4 * u.shape[1], u.shape[2] // 2, u.shape[3] // 2)
        for c in range(u.shape[1]):
            for i in (0, 1):
                for j in (0, 1):
                    k = 4 * c + 2 * i + j
                    z[:, k] = u[:, c, i::2, j::2] - network.bn.running_mean[k]
                    z[:, k] /= torch.sqrt(network.bn.running_var[k] + config.batch_norm_eps)
        return z
    z = u.clone()
    if name == "AutoencoderKLCosmos":
        for c in range(u.shape[1]):
            for t in range(u.shape[2]):
                z[:, c, t] = (u[:, c, t] - config.latents_mean[3 * c + t]) / config.latents_std[3 * c + t]
        return z
    if name in ("AutoencoderKLWan", "AutoencoderKLQwenImage", "AutoencoderKLMochi", "AutoencoderKLLTXVideo"):
        told = network if name == "AutoencoderKLLTXVideo" else config
        scaling = config.get("scaling_factor", 1.0)
        for c in range(u.shape[1]):
            z[:, c] = (u[:, c] - told.latents_mean[c]) * scaling / told.latents_std[c]
        return z
    return (u - (config.get("shift_factor") or 0.0)) * config.get("scaling_factor", 1.0)


def test_the_table_is_tested_whole() -> None:
    assert set(FACTS) == set(tiny.SETTINGS) == set(LATENTS)


def test_it_is_what_diffusers_gives_by_hand(loaded: tuple[str, Any, Autoencoder, Path]) -> None:
    name, network, model, _ = loaded
    media = media_of(name)
    z = model.encode(media)
    assert (model.card.family, model.media, tuple(z.shape[1:])) == ("autoencoder", FACTS[name].media, LATENTS[name])
    with torch.no_grad():
        u = raw_latents(name, network, media)
        torch.testing.assert_close(z, normalised(name, network, u), rtol=1e-5, atol=1e-5)
        seen = model.to_media(z)
        torch.testing.assert_close(seen, raw_media(name, network, u), rtol=1e-4, atol=1e-4)
    assert seen.shape == media.shape
    assert z.dtype == seen.dtype == torch.float32
    again = model.encode(model.decode(z))
    assert again.shape == z.shape
    assert again.isfinite().all()


def test_calls_repeat_batches_do_not_matter_and_weights_stay(loaded: tuple[str, Any, Autoencoder, Path]) -> None:
    name, _, model, _ = loaded
    before = {key: value.clone() for key, value in model.parameters().items()}
    media = media_of(name, 3)
    state = torch.get_rng_state()
    z = model.encode(media)
    seen = model.decode(z)
    assert torch.equal(model.encode(media), z)
    assert torch.equal(model.decode(z), seen)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(torch.cat([model.encode(one[None]) for one in media]), z, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(torch.cat([model.decode(one[None]) for one in z]), seen, rtol=1e-3, atol=1e-4)
    assert model.encode(media[:0]).shape == (0, *z.shape[1:])
    assert model.decode(z[:0]).shape == (0, *media.shape[1:])
    after = model.parameters()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(value.requires_grad for value in after.values())


def test_gradients_are_those_of_differences(loaded: tuple[str, Any, Autoencoder, Path]) -> None:
    name, _, _, folder = loaded
    model = family.load(folder, Card(name="tiny", family="autoencoder"), CPU, torch.float64)
    media = media_of(name, 1).double() * 0.8 + 0.1
    z = model.to_latents(media).detach()
    assert z.dtype == torch.float64
    for call, at in ((model.to_latents, media), (model.to_media, z)):
        at = at.clone().requires_grad_()
        out = call(at)
        draw = torch.Generator().manual_seed(2)
        weights = torch.randn(out.shape, generator=draw, dtype=out.dtype)
        (gradient,) = torch.autograd.grad((out * weights).sum(), at)
        assert (gradient.flatten(2) != 0).any(2).all()
        if at.ndim == 5:  # every frame counts
            assert (gradient.transpose(1, 2).flatten(2) != 0).any(2).all()
        if name == "VQModel" and call is model.to_media:
            continue  # straight-through: not that of differences
        way = torch.randn(at.shape, generator=draw, dtype=at.dtype)
        slopes = []
        with torch.no_grad():  # several steps: some networks have norms in fp32, Mochi's reads sines of 128 pi x
            for step in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7):
                slopes.append(((call(at + step * way) - call(at - step * way)) * weights).sum() / (2 * step))
        wrong = min(abs((gradient * way).sum() / slope - 1).item() for slope in slopes)
        assert wrong < 1e-2, [(gradient * way).sum().item(), *slopes]


def test_another_precision_is_another_network(loaded: tuple[str, Any, Autoencoder, Path]) -> None:
    name, _, model, folder = loaded
    media = media_of(name, 1)
    z = model.encode(media)
    assert model.cast(torch.float32) is model
    wanted = torch.float64 if "Cosmos" in name else torch.bfloat16  # torch has no average over volumes in 16 bits on a CPU
    other = model.cast(wanted)
    assert (other.dtype, model.dtype, other.card) == (wanted, torch.float32, model.card)
    assert all(value.dtype == wanted for value in other.parameters().values() if value.is_floating_point())
    seen, low = model.decode(z), other.decode(z)
    assert low.dtype == other.encode(media).dtype == torch.float32
    assert (low - seen).abs().mean() < 0.1  # a random network; some codes of VQModel change
    assert torch.equal(model.encode(media), z)
    if "Cosmos" not in name:
        assert torch.equal(obvert.load(str(folder), device="cpu", dtype="bfloat16").decode(z), low)


def test_undoing_is_exact(loaded: tuple[str, Any, Autoencoder, Path]) -> None:
    name, network, _, _ = loaded
    normalisation = family.read_normalisation(network, FACTS[name].channels(network))
    u = raw_latents(name, network, media_of(name)).detach().double() * 3
    torch.testing.assert_close(normalisation.undo(normalisation.apply(u)), u, rtol=1e-14, atol=1e-14)
