"""zoo/captioner: a small BLIP that says what a scene holds, in transformers' own BlipForConditionalGeneration.

Picture: ViT, patch 8. Text: a causal decoder with cross-attention, whole words.

    L = - mean_t log p(y_t | y_<t, x)

Captions always name the colour and shape of every thing and how two lie, and now and then more, so that the likeliest
caption is the short one: "a red circle", "a red circle left of a blue square".

References:
    | BLIP: Bootstrapping Language-Image Pre-training (Li et al., 2022)
    | https://arxiv.org/abs/2201.12086
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from obvert.hub import locate
from obvert.models.parts.folder import read_model
from obvert.zoo.draw import draw
from obvert.zoo.exam import HELD_OUT
from obvert.zoo.scenes import COLOURS, OPENINGS, OPPOSITE, SHAPES, SIDE, Mention, Scene, caption, sample, vocabulary
from obvert.zoo.training import Report, fit
from obvert.zoo.words import POSITIONS, SPECIAL, shared_tokenizer, tokenizer

CANONICAL = ("left of", "above")
"""How most captions relate two things: the first is the one further left or up."""


@dataclass(frozen=True, kw_only=True)
class CaptionerRecipe:
    """How a captioner of the zoo is made."""

    start: str = ""
    """A zoo CLIP or SigLIP as wide and deep whose trained image tower is begun with; "" to begin at random."""
    width: int = 128
    """Of both halves."""
    heads: int = 2
    layers: int = 4
    """Of the image tower."""
    text_layers: int = 2
    """Of the decoder."""
    steps: int = 2000
    """Steps of training."""
    batch: int = 64
    """Scenes in a step."""
    lr: float = 2e-3
    """Highest learning rate of AdamW, ten times that for Muon; 100 steps of warm-up, then a cosine."""
    pool: int = 32768
    """Scenes drawn beforehand, half of them of two things; every pass over them says them in other words."""
    seed: int = 0
    """Of the weights, the scenes and the order."""
    preprocessor: ClassVar[dict[str, Any]] = {
        "image_processor_type": "BlipImageProcessor",
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }

    def __post_init__(self) -> None:
        if self.steps < 1 or not 1 <= self.batch <= self.pool or self.seed < 0 or self.width % self.heads:
            raise ValueError(f"need steps >= 1, 1 <= batch <= pool, seed >= 0 and heads that divide the width, got {self}")

    def build(self) -> Any:
        """The untrained BlipForConditionalGeneration."""
        from transformers import BlipConfig, BlipForConditionalGeneration

        common = {
            "hidden_size": self.width,
            "intermediate_size": 4 * self.width,
            "num_attention_heads": self.heads,
            "initializer_range": 0.02,
        }
        text = common | {
            "vocab_size": len(SPECIAL) + len(vocabulary()),
            "num_hidden_layers": self.text_layers,
            "max_position_embeddings": POSITIONS,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 3,
            "sep_token_id": 3,
        }
        act = _settings(self.start)["vision_config"]["hidden_act"] if self.start else "gelu"
        vision = common | {"num_hidden_layers": self.layers, "image_size": SIDE, "patch_size": 8, "hidden_act": act}
        return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))

    def train(self, folder: Path, report: Report | None = None) -> tuple[Any, float]:
        """Train, or go on; returns the model (fp32, eval) and the minutes it took."""
        torch.manual_seed(self.seed)
        model = self.build()
        if self.start:
            begin(model.vision_model, self.start)
        scenes = sample(self.pool, seed=self.seed + 1)
        drawn = draw(scenes)

        def loss(step: int) -> Tensor:
            rng = np.random.default_rng([self.seed, step])
            rows = rng.choice(len(scenes), self.batch, replace=False)
            ids = encode([name(scenes[i], rng) for i in rows])
            return caption_loss(model, drawn[torch.from_numpy(rows)].float() / 127.5 - 1, ids)

        minutes = fit(model.train(), loss, steps=self.steps, lr=self.lr, folder=folder, recipe=repr(self), report=report)
        return model.eval(), minutes

    def export(self, model: Any, folder: Path, minutes: float) -> dict[str, Any]:
        """Write the trained model with its card, in half precision.

        Args:
            model: as `train` returned it.
            folder: written into; must be there.
            minutes: of training, for the card.

        Returns:
            The card: data, recipe, minutes, held-out scores.
        """
        model.half().save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        tokenizer().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(self.preprocessor, indent=1))
        card: dict[str, Any] = {"licence": "Apache-2.0", "data": "Scenes, drawn by obvert", "recipe": asdict(self)}
        card |= {"torch": torch.__version__, "minutes": round(minutes, 1)}
        card["scores"] = examine(read_model("BlipForConditionalGeneration", folder))
        (folder / "card.json").write_text(json.dumps(card, indent=1))
        return card


def name(scene: Scene, rng: np.random.Generator) -> str:
    """A caption that names every thing by colour and shape, and now and then says more."""
    chance = rng.random(5)
    canonical = scene.relation is None or scene.relation in CANONICAL
    mention = Mention(
        opening=OPENINGS[int(rng.integers(len(OPENINGS)))] if chance[0] < 0.2 else "",
        size=bool(chance[1] < 0.2),
        texture=bool(chance[2] < 0.2),
        tone=bool(chance[3] < 0.1),
        second_first=canonical == bool(chance[4] < 0.2) and len(scene.things) == 2,
    )
    return caption(scene, mention)


def encode(texts: list[str]) -> Tensor:
    """(B, L) token ids of texts, <start> and <end> around, padded to the longest."""
    return shared_tokenizer()(texts, padding=True, truncation=True, max_length=POSITIONS, return_tensors="pt")["input_ids"]


def caption_loss(model: Any, pictures: Tensor, ids: Tensor) -> Tensor:
    """Cross-entropy of captions, padding left out; a causal decoder never sees the padding behind a word."""
    return model(pixel_values=pictures, input_ids=ids, labels=ids.masked_fill(ids == 0, -100)).loss


@torch.no_grad()
def begin(tower: Any, start: str) -> None:
    """Copy the image tower of a zoo CLIP or SigLIP into a BLIP's.

    A SigLIP lacks the class token, which stays as it is. A CLIP normalises its embeddings, which a BLIP does not: they are
    taken over with that normalisation folded in, its deviation the mean over scenes.
    """
    clip = _settings(start)["model_type"] == "clip"
    trained = read_model("CLIPModel" if clip else "SiglipModel", locate(start).folder).vision_model
    given, taken = trained.embeddings, tower.embeddings
    if clip:
        norm = trained.pre_layrnorm
        deviation = given(draw(sample(64, seed=1)).float() / 127.5 - 1)[:, 1:].std(-1).mean()
        kernel, positions = given.patch_embedding.weight, given.position_embedding.weight
        taken.patch_embedding.weight.copy_((kernel - kernel.mean(0)) * norm.weight.view(-1, 1, 1, 1) / deviation)
        taken.patch_embedding.bias.zero_()
        centred = positions - positions.mean(-1, keepdim=True)
        taken.position_embedding[0].copy_(centred * norm.weight / deviation + norm.bias)
        taken.class_embedding.copy_(norm(given.class_embedding + positions[0]) - taken.position_embedding[0, 0])
    else:
        taken.patch_embedding.load_state_dict(given.patch_embedding.state_dict())
        taken.position_embedding[0, 1:] = given.position_embedding.weight
    for layer, other in zip(tower.encoder.layers, trained.encoder.layers, strict=True):
        for part in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(layer, part).load_state_dict(getattr(other, part).state_dict())
        attention = other.self_attn
        layer.self_attn.projection.load_state_dict(attention.out_proj.state_dict())
        for kind in ("weight", "bias"):
            joined = torch.cat([getattr(p, kind) for p in (attention.q_proj, attention.k_proj, attention.v_proj)])
            getattr(layer.self_attn.qkv, kind).copy_(joined)
    tower.post_layernorm.load_state_dict(trained.post_layernorm.state_dict())


def _settings(start: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((locate(start).folder / "config.json").read_text())
    return found


def examine(model: Any, count: int = 512) -> dict[str, float]:
    """Held-out scores of a captioner's greedy captions.

    Args:
        model: a BlipForConditionalGeneration, fp32.
        count: scenes it never saw, of one thing, and as many of two.

    Returns:
        colour, shape, both (single things whose colour and shape are said, and nothing else of the kind), plain (captions
        that are just "a COLOUR SHAPE"), pairs (both things and how they lie said right), as shares.
    """
    one, two = sample(count, HELD_OUT + 1, things=1), sample(count, HELD_OUT + 2, things=2)
    said = read(model, one)
    kinds = [(scene.things[0].colour, scene.things[0].shape) for scene in one]
    colours = [[w for w in text.split() if w in COLOURS] == [colour] for text, (colour, _) in zip(said, kinds, strict=True)]
    shapes = [[w for w in text.split() if w in SHAPES] == [shape] for text, (_, shape) in zip(said, kinds, strict=True)]
    both = [c and s for c, s in zip(colours, shapes, strict=True)]
    plain = [len(text.split()) == 3 for text in said]
    pairs = [bare(text) in ways(scene) for text, scene in zip(read(model, two), two, strict=True)]
    found = {"colour": colours, "shape": shapes, "both": both, "plain": plain, "pairs": pairs}
    return {key: round(float(np.mean(values)), 4) for key, values in found.items()}


@torch.no_grad()
def read(model: Any, scenes: list[Scene]) -> list[str]:
    """Greedy captions of scenes."""
    found: list[str] = []
    for part in (draw(scenes).float() / 127.5 - 1).split(128):
        ids = model.generate(pixel_values=part, max_new_tokens=POSITIONS - 2, do_sample=False, num_beams=1)
        found += shared_tokenizer().batch_decode(ids, skip_special_tokens=True)
    return found


def bare(text: str) -> str:
    """Only the words of a caption that name colours, shapes and relations."""
    kept = {*COLOURS, *SHAPES, *" ".join(OPPOSITE).split()} - {"of"}
    return " ".join(word for word in text.split() if word in kept)


def ways(scene: Scene) -> set[str]:
    """The two right ways to say a scene of two things, bare."""
    return {bare(caption(scene, Mention(second_first=order))) for order in (False, True)}
