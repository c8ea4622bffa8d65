"""Pipelines of diffusers: our sampler gives the latents that their own pipelines give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_pipelines import stable_diffusion, stable_diffusion_3
from torch import Tensor

import obvert
from obvert.core.diffusion import draw_noise, sample
from obvert.hub import weights_hash

CAPTIONS = ["a red circle", "a photo of a large blue moon"]


def theirs(pipeline: Any, noise: Tensor, steps: int, guidance: float) -> Tensor:
    size = noise.shape[-1] * pipeline.vae_scale_factor
    found: Tensor = pipeline(
        CAPTIONS,
        latents=noise.clone(),
        num_inference_steps=steps,
        guidance_scale=guidance,
        height=size,
        width=size,
        output_type="latent",
    ).images
    return found


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize(
    ("steps", "settings"),
    [
        (7, {}),
        (10, {"prediction_type": "v_prediction", "set_alpha_to_one": False}),
        (10, {"timestep_spacing": "trailing", "prediction_type": "v_prediction", "rescale_betas_zero_snr": True}),
        (8, {"timestep_spacing": "trailing", "beta_schedule": "linear"}),
        (7, {"timestep_spacing": "trailing"}),
        (7, {"timestep_spacing": "linspace", "set_alpha_to_one": False}),
        (10, {"timestep_spacing": "linspace", "prediction_type": "v_prediction"}),
    ],
)
def test_stable_diffusion_draws_what_diffusers_draws(
    steps: int, settings: dict[str, Any], guidance: float, tmp_path: Path
) -> None:
    pipeline = stable_diffusion(tmp_path / "sd", **settings)
    model: Any = obvert.load(str(tmp_path / "sd"), device="cpu")
    noise = draw_noise(model.shape, 2, 5)
    found = sample(model, CAPTIONS, steps=steps, guidance=guidance, noise=noise)
    torch.testing.assert_close(found, theirs(pipeline, noise, steps, guidance), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize(("t5", "settings"), [(False, {"shift": 3.0}), (True, {"use_dynamic_shifting": True})])
def test_stable_diffusion_3_draws_what_diffusers_draws(
    t5: bool, settings: dict[str, Any], guidance: float, tmp_path: Path
) -> None:
    pipeline = stable_diffusion_3(tmp_path / "sd3", t5=t5, **settings)
    model: Any = obvert.load(str(tmp_path / "sd3"), device="cpu")
    noise = draw_noise(model.shape, 2, 5)
    found = sample(model, CAPTIONS, steps=6, guidance=guidance, noise=noise)
    torch.testing.assert_close(found, theirs(pipeline, noise, 6, guidance), rtol=1e-4, atol=1e-4)
    assert sample(model, CAPTIONS, steps=6, noise=noise).std() > 0.1


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
def test_a_walk_falls_from_noise_to_latents(spacing: str, tmp_path: Path) -> None:
    stable_diffusion(tmp_path / "sd", timestep_spacing=spacing)
    model: Any = obvert.load(str(tmp_path / "sd"), device="cpu")
    walk = model.schedule(9)
    assert len(walk.times) == 9
    assert len(walk.signal) == len(walk.noise) == 10
    assert (walk.signal.diff() > 0).all()
    torch.testing.assert_close(walk.signal**2 + walk.noise**2, torch.ones(10).double())
    assert walk.signal[-1] == 1
    for wrong in (0, 1000):
        with pytest.raises(obvert.ObvertError, match="steps, got"):
            model.schedule(wrong)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pipeline") / "sd"
    stable_diffusion(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return obvert.load(str(folder), device="cpu")


class TestContract:
    def test_it_is_frozen_and_gradients_reach_the_latents(self, model: Any) -> None:
        z = torch.randn(2, *model.shape, requires_grad=True)
        out = model.predict(z, torch.tensor([5, 5]), model.embed(CAPTIONS))
        assert not model.embed(CAPTIONS).requires_grad
        (gradient,) = torch.autograd.grad(out.square().sum(), z)
        assert gradient.abs().max() > 0
        assert not any(weight.requires_grad for weight in model.parameters().values())

    def test_who_it_is(self, model: Any, folder: Path) -> None:
        assert model.card.family == "diffusion"
        assert model.card.sha256 == weights_hash(folder) != ""
        assert {name.split(".")[0] for name in model.parameters()} == {"unet", "text_encoder", "vae"}

    def test_a_batch_equals_its_samples(self, model: Any) -> None:
        together = sample(model, CAPTIONS, steps=4, guidance=2.0, seed=3)
        alone = sample(model, CAPTIONS[1:], steps=4, guidance=2.0, seed=4)
        torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)

    def test_no_captions_are_no_latents(self, model: Any) -> None:
        assert sample(model, [], steps=3, guidance=2.0).shape == (0, *model.shape)
        assert obvert.DiffusionInversion(steps=3)(model, torch.zeros(0, *model.shape)).x.shape == (0, *model.shape)

    def test_a_walk_whose_steps_are_not_computed_for_the_next_point_is_found_back(self, tmp_path: Path) -> None:
        stable_diffusion(tmp_path / "sd", timestep_spacing="linspace")
        model: Any = obvert.load(str(tmp_path / "sd"), device="cpu")
        noise = draw_noise(model.shape, 2, 0)
        latents = sample(model, CAPTIONS, steps=8, noise=noise)
        method = obvert.DiffusionInversion(steps=8, solver=obvert.solvers.ForwardStep(step_size=1.0), iterations=30)
        found = method(model, latents, CAPTIONS)
        assert (found.x - noise).square().sum() < 1e-8 * noise.square().sum()

    @pytest.mark.parametrize("solver", [None, obvert.solvers.ForwardStep(step_size=1.0)])
    def test_its_walk_is_found_back(self, model: Any, solver: Any) -> None:
        noise = draw_noise(model.shape, 2, 0)
        latents = sample(model, CAPTIONS, steps=8, guidance=2.0, noise=noise)
        before = {name: weight.clone() for name, weight in model.parameters().items()}
        found = obvert.DiffusionInversion(steps=8, guidance=2.0, solver=solver, iterations=30)(model, latents, CAPTIONS)
        near = (found.x - noise).square().sum() / noise.square().sum()
        assert near > 1e-6 if solver is None else near < 1e-8
        assert all(torch.equal(weight, before[name]) for name, weight in model.parameters().items())

    def test_its_autoencoder_normalises(self, model: Any) -> None:
        pictures = torch.rand(2, 3, 8, 8)
        z = model.autoencoder.encode(pictures)
        assert z.shape == (2, *model.shape)
        assert model.autoencoder.decode(z).shape == pictures.shape
        half = model.autoencoder.cast(torch.bfloat16)
        torch.testing.assert_close(half.encode(pictures), z, rtol=0.1, atol=0.1)
        assert model.autoencoder.dtype == torch.float32

    def test_sixteen_bits_come_near(self, model: Any, folder: Path) -> None:
        half: Any = obvert.load(str(folder), device="cpu", dtype="bfloat16")
        found, full = (sample(m, CAPTIONS, steps=4) for m in (half, model))
        assert found.dtype == torch.float32
        assert (found - full).square().sum() < 0.01 * full.square().sum()

    @pytest.mark.parametrize(("count", "steps"), [(1, 3), (2, 0)])
    def test_what_does_not_fit_is_refused(self, model: Any, count: int, steps: int) -> None:
        with pytest.raises(obvert.ObvertError, match="need"):
            sample(model, CAPTIONS, steps=steps, noise=torch.zeros(count, *model.shape))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "unknown pipeline"),
        ("model_index.json", [], "need a JSON object"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample", "beta_schedule": "linear"}, "unknown prediction"),
        ("scheduler/scheduler_config.json", {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "with its betas"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "linear", "thresholding": True}, "without thresholding"),
        ("unet/diffusion_pytorch_model.safetensors", None, "need a UNet2DConditionModel in safetensors"),
    ],
)
def test_broken_folders_are_one_line(file: str, content: Any, message: str, tmp_path: Path) -> None:
    stable_diffusion(tmp_path / "sd")
    if content is None:
        (tmp_path / "sd" / file).unlink()
    else:
        (tmp_path / "sd" / file).write_text(json.dumps(content))
    with pytest.raises(obvert.ObvertError, match=message) as caught:
        obvert.load(str(tmp_path / "sd"), device="cpu")
    assert "\n" not in str(caught.value)
