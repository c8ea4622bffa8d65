"""Tiny random models as folders, and the slow way through a tower that the fast one must equal."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from obvert.core import Card
from obvert.zoo.clip import ClipRecipe
from obvert.zoo.words import tokenizer

CARD = Card(name="tiny", family="tiny")
SIDE, PATCH, WIDTH = 32, 8, 32
TOWER = {"hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURE = {**TOWER, "image_size": SIDE, "patch_size": PATCH}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3}
TEXTS = ["a photo of a red circle", "a large blue square", "green"]


def roughen(model: nn.Module) -> nn.Module:
    """Random weights large enough for every one of them to show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return model.eval()


def write_clip(folder: Path, **text: Any) -> Path:
    from transformers import CLIPConfig, CLIPModel

    words = tokenizer()
    text = {**TOWER, **SPECIAL, "vocab_size": len(words), "max_position_embeddings": 32, **text}
    roughen(CLIPModel(CLIPConfig(text_config=text, vision_config=PICTURE, projection_dim=16))).save_pretrained(folder)
    words.save_pretrained(folder)
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**ClipRecipe.preprocessor, **sizes}))
    return folder


def write_siglip(folder: Path) -> Path:
    from tokenizers.processors import TemplateProcessing
    from transformers import SiglipConfig, SiglipModel

    words = tokenizer()
    words.backend_tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 3)])
    text = {**TOWER, **SPECIAL, "vocab_size": len(words), "max_position_embeddings": 64, "projection_size": WIDTH}
    roughen(SiglipModel(SiglipConfig(text_config=text, vision_config=PICTURE))).save_pretrained(folder)
    words.save_pretrained(folder)
    config = {"image_processor_type": "SiglipImageProcessor", "size": {"height": SIDE, "width": SIDE}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def gemma(kind: str) -> Any:
    """A Gemma tokenizer of single letters and bytes as SigLIP 2 has it: no BOS, pad 0, EOS 1."""
    import transformers

    letters = [*string.ascii_lowercase, *string.ascii_uppercase, *(f"<0x{byte:02X}>" for byte in range(256))]
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\N{LOWER ONE EIGHTH BLOCK}", *letters]
    vocabulary = {word: i for i, word in enumerate(words)}
    how = {"add_bos_token": False, "add_eos_token": True, "padding_side": "right", "model_input_names": ["input_ids"]}
    return getattr(transformers, kind)(vocab=vocabulary, merges=[], **how)


GEMMA_PREFIX = [6, 5, 21, 13, 20, 25, 20, 5, 20, 11]
"""Letters of "a photo of"."""
GEMMA = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1, "max_position_embeddings": 64, "projection_size": WIDTH}


def write_siglip2_fixed(folder: Path) -> Path:
    """SigLIP 2 of a fixed resolution: SiglipModel with Gemma's tokenizer."""
    from transformers import SiglipConfig, SiglipModel

    words = gemma("GemmaTokenizer")
    text = {**TOWER, **GEMMA, "vocab_size": len(words)}
    roughen(SiglipModel(SiglipConfig(text_config=text, vision_config=PICTURE))).save_pretrained(folder)
    words.save_pretrained(folder)
    config = {"image_processor_type": "SiglipImageProcessorFast", "size": {"height": SIDE, "width": SIDE}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def write_siglip2(folder: Path, most: int = 16) -> Path:
    """SigLIP 2 NaFlex: Siglip2Model, at most that many patches a picture, position embeddings of a grid of 4 x 4."""
    from transformers import Siglip2Config, Siglip2Model

    words = gemma("Siglip2Tokenizer")
    text, vision = {**TOWER, **GEMMA, "vocab_size": len(words)}, {**TOWER, "patch_size": PATCH, "num_patches": 16}
    roughen(Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))).save_pretrained(folder)
    words.save_pretrained(folder)
    config = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": PATCH, "max_num_patches": most, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def pictures() -> list[Tensor]:
    """Three pictures of 8-bit levels and different sizes."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(0, 256, (3, *size), generator=generator) / 255 for size in ((40, 61), (32, 32), (75, 33))]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@contextmanager
def replaced(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    handle = module.register_forward_hook(lambda _module, _args, out: change(out))
    try:
        yield
    finally:
        handle.remove()


def slow_text(embedding: nn.Module, encode: Callable[[Tensor], Tensor], ids: list[int], first: int, v: Tensor) -> Tensor:
    """The whole padded sentence through the model's own code, with v (B, R, width) in place of the words from `first` on."""
    with replaced(embedding, lambda out: torch.cat((out[:, :first], v, out[:, first + v.shape[1] :]), dim=1)):
        return encode(torch.tensor([ids] * len(v)))


def slow_image(convolution: nn.Module, encode: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    """A blank picture through the model's own code, with w (B, P, width) repeated along the raster in place of its patches."""

    def repeat(out: Tensor) -> Tensor:
        count = out.shape[2] * out.shape[3]
        return w[:, [i * w.shape[1] // count for i in range(count)]].transpose(1, 2).reshape(out.shape)

    with replaced(convolution, repeat):
        return encode(torch.zeros(len(w), 3, SIDE, SIDE, dtype=w.dtype))


def slow_square(truth: Any, side: int, w: Tensor) -> Tensor:
    """A blank square picture through the model's own code, its patch embeddings replaced by w along the raster."""
    count = side * side
    with replaced(truth.vision_model.embeddings.patch_embedding, lambda _: w[:, [i * w.shape[1] // count for i in range(count)]]):
        return truth.get_image_features(
            pixel_values=torch.zeros(len(w), count, 3 * PATCH**2, dtype=w.dtype),
            pixel_attention_mask=torch.ones(len(w), count, dtype=torch.int32),
            spatial_shapes=torch.tensor([[side, side]] * len(w)),
        ).pooler_output


def assert_same(fast: Callable[[Tensor], Tensor], slow: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Equal values and equal gradients, in float64."""
    x = x.requires_grad_()
    ours, truth = fast(x), slow(x)
    assert ours.dtype == truth.dtype == torch.float64
    torch.testing.assert_close(ours, truth, rtol=1e-10, atol=1e-10)
    weight = draw(*truth.shape)
    grads = [torch.autograd.grad((y * weight).sum(), x)[0] for y in (ours, truth)]
    assert grads[1].abs().amax(dim=(0, 2)).min() > 1e-6  # every token counts
    torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-10)


def fingerprint(weights: dict[str, Tensor]) -> str:
    return hashlib.sha256(b"".join(weight.float().numpy().tobytes() for _, weight in sorted(weights.items()))).hexdigest()


def assert_close_in_bfloat16(load: Callable[[str], Any]) -> None:
    full, half = load("float32"), load("bfloat16")
    v, w = torch.ones(1, 2, WIDTH), torch.ones(1, 4, WIDTH)
    for give in (
        lambda model: model.image_features(pictures()),
        lambda model: model.text_features(TEXTS),
        lambda model: model.text_from_tokens(2)(v),
        lambda model: model.image_from_patches(4)(w),
    ):
        assert give(half).dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(give(full), give(half)).min() > 0.99


def assert_a_batch_equals_its_samples(model: Any) -> None:
    for fast in (model.text_from_tokens(2), model.image_from_patches(4)):
        x = draw(3, *fast.shape)
        torch.testing.assert_close(fast(x), torch.cat([fast(row[None]) for row in x]), rtol=1e-10, atol=1e-12)


def assert_frozen(model: Any) -> None:
    """OTI and OVI leave every weight as it was, and reach what a batch of one reaches."""
    from obvert import OTI, OVI

    before = fingerprint(model.parameters())
    image, text = model.image_features(pictures()), model.text_features(TEXTS)
    oti, ovi = OTI(steps=4, tokens=2)(model, image), OVI(steps=4)(model, text)
    assert fingerprint(model.parameters()) == before
    assert not any(w.requires_grad for w in model.parameters().values())
    torch.testing.assert_close(OTI(steps=4, tokens=2, batch=1)(model, image).features, oti.features, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(OVI(steps=4, batch=1)(model, text).features, ovi.features, rtol=1e-4, atol=1e-4)
    assert (oti.error < oti.solution.trace[0]).all()
    assert (ovi.error < ovi.solution.trace[0]).all()


def assert_shared(model: Any, weight: str, make: Callable[[], Tensor]) -> None:
    """Changing a weight of the model in place changes what the fast path gives: it holds no copy."""
    before = make()
    model.parameters()[weight].mul_(0.5)
    assert (make() - before).abs().max() > 1e-4
