"""Loading autoencoders: parts of a repository, variants of a class, and one line for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_autoencoders as tiny
import torch

import obvert
from obvert.core import Autoencoder, ObvertError
from obvert.methods._latents import gradient_field
from obvert.models import by_frames, load_autoencoder, load_dual
from obvert.models.parts.autoencoders import fresh
from obvert.tasks._memory import peak_memory


def saved(name: str, folder: Path, **settings: object) -> Path:
    """A tiny network of that class in a folder, some of its settings changed."""
    tiny.build(name, **settings).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("AutoencoderKL", tmp_path_factory.mktemp("kl"))


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    return obvert.load(str(saved("AutoencoderKLWan", tmp_path_factory.mktemp("wan"))), device="cpu")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = tmp_path_factory.mktemp("pipeline")
    (whole / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    saved("AutoencoderKL", whole / "vae")
    return whole


def refused(name: object, told: str, **settings: str) -> None:
    """Loading ends in one line that tells this."""
    with pytest.raises(ObvertError, match=told) as caught:
        obvert.load(str(name), device="cpu", **settings)
    assert "\n" not in str(caught.value)


def test_a_part_of_a_pipeline_is_loaded(pipeline: Path, folder: Path) -> None:
    part = obvert.load(str(pipeline), subfolder="vae", device="cpu")
    assert isinstance(part, Autoencoder)
    assert part.card.name == f"{pipeline}/vae"
    assert part.card.sha256 == obvert.load(str(folder), device="cpu").card.sha256 != ""
    pictures = torch.rand(1, 3, 8, 8)
    for same in (load_autoencoder(str(pipeline), device="cpu"), load_autoencoder(str(pipeline / "vae"), device="cpu")):
        assert torch.equal(same.encode(pictures), part.encode(pictures))
    refused(pipeline, "need a UNet2DConditionModel in safetensors in .*unet")
    refused(pipeline, "need a subfolder with config.json in .*, got unet; there is vae", subfolder="unet")
    refused(pipeline, "need a subfolder", subfolder="../pipeline0/vae")
    refused(folder, "got vae; there is none", subfolder="vae")
    refused("zoo/clip", "got vae; there is none", subfolder="vae")


def test_a_part_of_a_hub_model_is_found_in_the_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    whole = tmp_path / "models--owner--name" / "snapshots" / commit
    saved("AutoencoderTiny", whole / "vae")
    refused(f"owner/name@{commit}", "not in the local cache", subfolder="unet")
    model = obvert.load(f"owner/name@{commit}", subfolder="vae", device="cpu")
    assert (model.card.family, model.card.revision) == ("autoencoder", commit)
    with pytest.raises(ObvertError, match="cache"):  # nothing says that it is a pipeline
        load_autoencoder(f"owner/name@{commit}", device="cpu")
    (whole / "model_index.json").write_text("{}")
    assert load_autoencoder(f"owner/name@{commit}", device="cpu").card.sha256 == model.card.sha256


def test_the_right_kind_of_model_is_asked_for(folder: Path) -> None:
    with pytest.raises(ObvertError, match=f"need a dual encoder such as zoo/clip, got the autoencoder {folder}"):
        load_dual(str(folder), device="cpu")
    with pytest.raises(ObvertError, match="got the dual encoder zoo/clip"):
        load_autoencoder("zoo/clip", device="cpu")
    assert load_dual("zoo/clip", device="cpu").dimension
    refused("open_clip:nowhere", "no subfolder", subfolder="vae")


def test_what_is_wrong_in_a_folder_is_told(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = json.loads((folder / "config.json").read_text())
    for text, told in (
        ("{", "readable config.json"),
        ("[]", "readable config.json"),
        (json.dumps(config | {"_class_name": "AutoencoderKLL"}), "unknown autoencoder class 'AutoencoderKLL'; did you mean"),
        (json.dumps(config | {"_class_name": "UNet2DModel"}), "unknown autoencoder class"),
        (json.dumps(config), "need a AutoencoderKL in safetensors in"),
    ):
        (tmp_path / "config.json").write_text(text)
        refused(tmp_path, told)
    torch.save({}, tmp_path / "diffusion_pytorch_model.bin")
    refused(tmp_path, "in safetensors")
    assert capfd.readouterr().err == ""  # told once
    weights = (folder / "diffusion_pytorch_model.safetensors").read_bytes()
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(weights[:1000])
    refused(tmp_path, "in safetensors")
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    for changed, told in (
        ({"scaling_factor": 0.0}, "finite means and finite deviations above 0"),
        ({"scaling_factor": "much"}, "need numbers that normalise"),
        ({"latents_mean": [0.0, 1.0], "latents_std": [1.0, 1.0]}, "need numbers for 4 channels .*, got 2"),
        ({"latent_channels": 8}, "in safetensors in .*, got: .*size mismatch for "),
        ({"block_out_channels": [8, 16, 16]}, "need a AutoencoderKL"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changed))
        refused(tmp_path, told)


def test_media_that_it_does_not_take_are_told(folder: Path, wan: Autoencoder) -> None:
    model = obvert.load(str(folder), device="cpu")
    for shape, told in (
        ((1, 3, 9, 8), r"multiples of \(2, 2\)"),
        ((1, 4, 8, 8), "3 channels"),
        ((1, 3, 0, 8), "not empty"),
        ((3, 8, 8), "4 axes"),
    ):
        with pytest.raises(ObvertError, match=told):
            model.encode(torch.zeros(shape))
    for frames in (0, 2, 8):
        with pytest.raises(ObvertError, match=f"need 1 \\+ 4 k frames|not empty.*{frames}") as caught:
            wan.encode(torch.zeros(1, 3, frames, 8, 8))
    assert str(caught.value).endswith("e.g. 5 or 9, got 8")
    assert wan.encode(torch.zeros(1, 3, 1, 8, 8)).shape == (1, 16, 1, 1, 1)


def test_latents_that_it_does_not_take_are_told(folder: Path, wan: Autoencoder) -> None:
    model = obvert.load(str(folder), device="cpu")
    for which, shape in (
        (model, (1, 3, 4, 4)),
        (model, (4, 4, 4)),
        (wan, (1, 1, 1, 2, 2)),
        (wan, (1, 16, 2, 2)),
        (wan, (1, 16, 0, 2, 2)),
    ):
        with pytest.raises(ObvertError, match="latents") as caught:
            which.decode(torch.zeros(shape))
        assert "\n" not in str(caught.value)


def test_what_a_causal_network_remembers_goes_when_it_fails(tmp_path: Path) -> None:
    model = obvert.load(str(saved("AutoencoderKLMagvit", tmp_path)), device="cpu")
    videos = torch.rand(1, 3, 5, 8, 8)
    wanted = model.encode(videos)
    with pytest.raises(ValueError, match=r"torch\.cat"):
        model.to_latents(videos[:, :, :2])
    assert torch.equal(model.encode(videos), wanted)


def test_latents_beyond_the_frames_that_are_normalised_are_told(tmp_path: Path) -> None:
    model = obvert.load(str(saved("AutoencoderKLCosmos", tmp_path)), device="cpu")
    with pytest.raises(ObvertError, match=r"at most 3 frames of latents.*got 4"):
        model.decode(torch.zeros(1, 4, 4, 2, 2))


def test_numbers_of_frames_do_not_normalise_pictures(tmp_path: Path) -> None:
    numbers = {"latents_mean": [0.0] * 8, "latents_std": [1.0] * 8}
    model = obvert.load(str(saved("AutoencoderKL", tmp_path, **numbers)), device="cpu")
    for call, shape in ((model.encode, (1, 3, 4, 4)), (model.decode, (1, 4, 2, 2))):
        with pytest.raises(ObvertError, match="need one number a channel to normalise latents without frames, got 2"):
            call(torch.zeros(shape))


def test_a_model_that_never_ran_is_copied(tmp_path: Path) -> None:
    model = obvert.load(str(saved("AutoencoderOobleck", tmp_path)), device="cpu")
    sound = torch.rand(1, 2, 32, dtype=torch.float64) * 2 - 1
    other = model.cast(torch.float64)
    torch.testing.assert_close(other.encode(sound).float(), model.encode(sound))


@pytest.mark.parametrize(
    ("name", "settings", "media", "latents"),
    [
        (
            "AutoencoderKLWan",
            {"patch_size": 2, "in_channels": 12, "out_channels": 12, "scale_factor_spatial": 16},
            (3, 5, 16, 16),
            (16, 2, 1, 1),
        ),
        ("AutoencoderKL", {"shift_factor": None, "latents_mean": [0.1] * 4, "latents_std": [2.0] * 4}, (3, 8, 8), (4, 4, 4)),
        (
            "AutoencoderKLLTXVideo",
            {"timestep_conditioning": False, "decoder_inject_noise": (False,) * 4},
            (3, 5, 8, 8),
            (8, 2, 2, 2),
        ),
        ("VQModel", {"norm_type": "spatial", "block_out_channels": (32, 32), "norm_num_groups": 32}, (3, 8, 8), (3, 4, 4)),
    ],
)
def test_variants_of_a_class(
    name: str, settings: dict[str, object], media: tuple[int, ...], latents: tuple[int, ...], tmp_path: Path
) -> None:
    model = obvert.load(str(saved(name, tmp_path, **settings)), device="cpu")
    x = torch.rand(2, *media)
    z = model.encode(x)
    assert z.shape == (2, *latents)
    assert model.decode(z).shape == x.shape
    if name == "AutoencoderKL":  # (u - mean) * scaling / deviation
        u = tiny.build(name, **settings).encode(2 * x - 1).latent_dist.mode()
        torch.testing.assert_close(z, ((u - 0.1) * 1.5305 / 2).detach())
    if name == "VQModel":  # as Kandinsky's pipelines have it: no factor, and not quantised
        torch.testing.assert_close(z, tiny.build(name, **settings).encode(2 * x - 1).latents.detach())
        assert 0 < (model.to_media(z + 1e-4) - model.to_media(z)).abs().max() < 0.05


def test_frames_one_by_one(folder: Path) -> None:
    pictures = obvert.load(str(folder), device="cpu")
    model = by_frames(pictures, chunk=2)
    videos = torch.rand(2, 3, 3, 8, 8)
    z = model.encode(videos)
    assert (model.media, z.shape) == ("video", (2, 4, 3, 4, 4))
    for t in range(3):
        torch.testing.assert_close(z[:, :, t], pictures.encode(videos[:, :, t]), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.decode(z)[:, :, t], pictures.decode(z[:, :, t]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(by_frames(pictures, chunk=99).encode(videos), z, rtol=1e-4, atol=1e-5)
    assert model.cast(torch.bfloat16).media == "video"
    assert model.cast(torch.float32) is model
    for wrong, told in (
        (torch.zeros(1, 4, 3, 8, 8), "3 channels"),
        (torch.zeros(1, 3, 3, 9, 8), "multiples"),
        (torch.zeros(1, 3, 0, 8, 8), "frame"),
    ):
        with pytest.raises(ObvertError, match=told):
            model.encode(wrong)
    assert model.encode(videos[:0]).shape == (0, 4, 3, 4, 4)
    with pytest.raises(ObvertError, match="5 axes"):
        model.decode(z[0])
    for other, chunk in ((model, 1), (pictures, 0)):
        with pytest.raises(ObvertError, match="need an autoencoder of pictures and chunk >= 1"):
            by_frames(other, chunk)


def test_gradients_of_frames_hold_the_graph_of_some_and_are_those_of_all(folder: Path) -> None:
    pictures = obvert.load(str(folder), device="cpu")
    videos = torch.rand(2, 3, 5, 16, 16)
    z = by_frames(pictures).encode(videos).requires_grad_()
    (whole,) = torch.autograd.grad((by_frames(pictures, chunk=99).to_media(z) - videos).square().sum(), z)
    peaks = []
    for chunk in (2, 99):
        model = by_frames(pictures, chunk)
        found = gradient_field(model, videos)(z.detach())
        torch.testing.assert_close(found.direction, whole, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(found.error, (model.to_media(z.detach()) - videos).square().flatten(1).mean(1))
        one_video = z[:1].detach(), videos[:1]
        peaks.append(peak_memory(lambda m=model, o=one_video: gradient_field(m, o[1])(o[0]), model.device))
    assert peaks[0] < 0.6 * peaks[1]


def test_sixteen_bits_are_cast_once(folder: Path) -> None:
    model = obvert.load(str(folder), device="cpu")
    assert model.cast(torch.bfloat16) is model.cast(torch.bfloat16) is not model


@pytest.mark.parametrize("told", ["\"slow_conv2d_cpu\" not implemented for 'Half'", "Could not run 'aten::x' with arguments"])
def test_what_torch_has_no_kernel_for_is_told_in_a_line(told: str) -> None:
    network = tiny.build("AutoencoderKL")
    with pytest.raises(ObvertError, match=r"AutoencoderKL does not run here in torch\.float32"), fresh(network):
        raise NotImplementedError(told)


def test_a_method_that_is_missing_is_not_taken_for_a_missing_kernel() -> None:
    with pytest.raises(NotImplementedError, match=r"^decode$"), fresh(tiny.build("AutoencoderKL")):
        raise NotImplementedError("decode")


def test_a_real_missing_kernel_is_known_by_what_torch_says() -> None:
    with pytest.raises(ObvertError, match="AutoencoderKL does not run here"), fresh(tiny.build("AutoencoderKL")):
        torch.linalg.svd(torch.eye(2, dtype=torch.float16))
