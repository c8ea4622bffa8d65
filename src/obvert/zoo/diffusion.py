"""zoo/diffusion: a small text-to-image model of Scenes, in the classes of Stable Diffusion.

A UNet2DConditionModel on the 8 x 8 x 4 latents of zoo/vae; it reads the caption, token by token, from the frozen text
tower of zoo/clip-smallgap, so that zoo/clip can judge what it draws. It learns the velocity

    z_t = a_t x + s_t n        L = mean |u(z_t, t, caption) - (a_t n - s_t x)|^2

at times spread evenly over each batch. Some captions are left out, for guidance. The weights that are written are a
running mean of those trained.

References:
    | High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022)
    | https://arxiv.org/abs/2112.10752
    | Progressive Distillation for Fast Sampling of Diffusion Models (Salimans and Ho, 2022), for the velocity
    | https://arxiv.org/abs/2202.00512
    | Classifier-Free Diffusion Guidance (Ho and Salimans, 2022)
    | https://arxiv.org/abs/2207.12598
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from obvert.core import Diffusion, DualEncoder
from obvert.core.diffusion import sample as sample_latents
from obvert.hub import locate
from obvert.models.parts.folder import read_model
from obvert.zoo.draw import draw
from obvert.zoo.exam import caption_of, kinds
from obvert.zoo.scenes import COLOURS, SHAPES, SIDE, Scene, sample
from obvert.zoo.training import Report, fit
from obvert.zoo.words import POSITIONS, say, shared_tokenizer, tokenizer

TEXT = "zoo/clip-smallgap"
"""Whose text tower reads the captions."""


@dataclass(frozen=True, kw_only=True)
class DiffusionRecipe:
    """How the small text-to-image model is made."""

    autoencoder: str = "zoo/vae"
    """Whose latents it draws: a name or folder of an AutoencoderKL."""
    steps: int = 8000
    """Steps of training."""
    cycles: int = 2
    """Equal parts of it, each of which starts at the highest rate."""
    batch: int = 64
    """Scenes in a step."""
    lr: float = 1e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then cosines."""
    pool: int = 12288
    """Scenes drawn and encoded beforehand; every pass over them says other parts of each."""
    pairs: float = 0.2
    """Share of scenes that hold two things."""
    dropout: float = 0.1
    """Share of captions left out."""
    average: float = 0.995
    """Decay of the running mean of the weights that is written, in [0, 1); 0 for the last weights."""
    seed: int = 0
    """Of the weights, the scenes and the order."""

    def __post_init__(self) -> None:
        if min(self.steps, self.cycles) < 1 or self.steps % self.cycles:
            raise ValueError(f"need steps >= 1 that cycles >= 1 divide, got {self}")
        if not 1 <= self.batch <= self.pool or self.seed < 0:
            raise ValueError(f"need 1 <= batch <= pool and seed >= 0, got {self}")
        if not (0 <= self.pairs <= 1 and 0 <= self.dropout < 1 and 0 <= self.average < 1):
            raise ValueError(f"need pairs in [0, 1], dropout and average in [0, 1), got {self}")

    def build(self) -> Any:
        """The untrained UNet2DConditionModel."""
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor

        model = UNet2DConditionModel(
            sample_size=SIDE // 8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(80, 112),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=128,
            attention_head_dim=4,
            norm_num_groups=16,
            time_embedding_dim=256,
        )
        model.set_attn_processor(AttnProcessor())  # on CPUs, much faster than the fused kernel at this size
        return model

    def scenes(self) -> list[Scene]:
        """What it is trained on."""
        two = round(self.pairs * self.pool)
        return sample(self.pool - two, self.seed + 3, things=1) + sample(two, self.seed + 3 + 10**6, things=2)

    def loss(self, model: Any, latents: Tensor, condition: Tensor, signal: Tensor, draw_: torch.Generator) -> Tensor:
        """The mean squared error of the velocity.

        Args:
            model: as `build` returned it.
            latents: (B, 4, 8, 8), normalised.
            condition: (B, 32, 128) what the text tower gives.
            signal: (T,) a at each time.
            draw_: of times and noise.

        Returns:
            The scalar loss.
        """
        spread = (torch.rand((), generator=draw_) + torch.arange(len(latents)) / len(latents)) % 1
        times = (spread * len(signal)).long()
        a = signal[times].view(-1, 1, 1, 1)
        s = (1 - a * a).sqrt()
        noise = torch.randn(latents.shape, generator=draw_)
        out = model(a * latents + s * noise, times, condition).sample.float()
        return (out - (a * noise - s * latents)).square().mean()

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took, encoding left out."""
        torch.manual_seed(self.seed)
        model, text = self.build(), read_text()
        scenes = self.scenes()
        latents = encode(read_autoencoder(self.autoencoder), scenes)
        signal = scheduler().alphas_cumprod.sqrt()

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            texts = say([scenes[i] for i in rows], rng)
            dropped = rng.random(self.batch) < self.dropout
            condition = read(text, ["" if drop else said for said, drop in zip(texts, dropped, strict=True)])
            return self.loss(model, latents[torch.from_numpy(rows)], condition, signal, torch.Generator().manual_seed(step))

        minutes = fit(
            model.train(),
            loss,
            steps=self.steps,
            lr=self.lr,
            folder=folder,
            average=self.average,
            cycles=self.cycles,
            recipe=repr(self),
            report=report,
        )
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model as a pipeline folder that `obvert.load` takes, half precision, with its card.

        Args:
            model: as `train` returned it.
            folder: written into; must be there.
            minutes: of training, for the card.

        Returns:
            The card: data, recipe, minutes, held-out scores.
        """
        from obvert.models import load, load_dual

        write(model, read_autoencoder(self.autoencoder), folder)
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1), "text": TEXT}
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        trained: Any = load(str(folder), device="cpu")
        card["scores"] = examine(trained, load_dual("zoo/clip", device="cpu"))
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


def scheduler() -> Any:
    """The noise of Stable Diffusion, for velocities, in 1000 steps."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


def read_text() -> Any:
    """The frozen text tower, a CLIPTextModel."""
    from transformers import CLIPTextModel

    whole = read_model("CLIPModel", locate(TEXT).folder)
    text = CLIPTextModel(whole.config.text_config)
    text.load_state_dict(whole.text_model.state_dict())
    text.set_attn_implementation("eager")
    return text.requires_grad_(False).eval()


@torch.no_grad()
def read(text: Any, captions: list[str]) -> Tensor:
    """What a text tower gives for captions, (B, 32, 128): one vector a token, padding included, as the pipeline has it."""
    ids = shared_tokenizer()(captions, padding="max_length", truncation=True, max_length=POSITIONS, return_tensors="pt")
    hidden: Tensor = text(input_ids=ids["input_ids"]).last_hidden_state
    return hidden


def read_autoencoder(name: str) -> Any:
    """An AutoencoderKL by name or folder, fp32, frozen."""
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(
        locate(name).folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, torch_dtype=torch.float32
    )
    return model.requires_grad_(False).eval()


@torch.no_grad()
def encode(autoencoder: Any, scenes: list[Scene]) -> Tensor:
    """Latents (B, 4, 8, 8) of scenes: the mode, times the scaling factor."""
    drawn = draw(scenes)
    modes = [autoencoder.encode(part.float() / 127.5 - 1).latent_dist.mode() for part in drawn.split(64)]
    return torch.cat(modes) * autoencoder.config.scaling_factor


def write(model: Any, autoencoder: Any, folder: Path) -> None:
    """Write a StableDiffusionPipeline, half precision; no safety checker: there is nothing but shapes to see."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=autoencoder.half(),
        text_encoder=read_text().half(),
        tokenizer=tokenizer(),
        unet=model.half(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)
    told = folder / "vae" / "config.json"
    config = json.loads(told.read_text())
    config.pop("_name_or_path", None)  # where it was read from when this was written
    told.write_text(json.dumps(config, indent=2) + "\n")


def examine(
    model: Diffusion, judge: DualEncoder, *, rounds: int = 2, steps: int = 50, guidance: float = 7.5, seed: int = 0
) -> dict[str, Any]:
    """Is what it draws what the caption says? A dual encoder picks among the 64 kinds of thing.

    Args:
        model: who draws.
        judge: who says what it sees; not the one that reads the captions.
        rounds: samples of each kind.
        steps: of a sample.
        guidance: of a sample; the usual one of Stable Diffusion.
        seed: of the noise.

    Returns:
        colour, shape, both: shares that are right; how it was asked.
    """
    names = kinds() * rounds
    captions = [caption_of(name) for name in names]
    seen = []
    for i in range(0, len(captions), 32):
        z = sample_latents(model, captions[i : i + 32], steps=steps, guidance=guidance, seed=seed + i)
        seen.append(judge.image_features(list(model.autoencoder.decode(z).to(judge.device))))
    known = judge.text_features([caption_of(name) for name in kinds()])
    said = (torch.cat(seen) @ known.T).argmax(1).cpu()
    right = torch.arange(len(names)) % (len(COLOURS) * len(SHAPES))
    colour, shape = said // len(SHAPES) == right // len(SHAPES), said % len(SHAPES) == right % len(SHAPES)
    shares = {"colour": colour, "shape": shape, "both": colour & shape}
    scores: dict[str, Any] = {name: round(share.double().mean().item(), 4) for name, share in shares.items()}
    return scores | {"samples": len(names), "steps": steps, "guidance": guidance}
