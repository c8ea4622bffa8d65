"""What every writer owes: its class's own text path and media, true gradients, batches that equal their samples."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import tiny_writers
import torch
from tiny_synthesisers import Truth
from torch import Tensor

import obvert
from obvert.core import ObvertError, Writer
from obvert.models import DTYPES, load_diffusion, load_writer
from obvert.registry import names

pytestmark = pytest.mark.filterwarnings("ignore:.*(does not tell its spectrogram|speaks with)")


def read(truth: Truth, dtype: str = "float32") -> Writer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DTYPES, "float64", torch.float64)
        settings: Any = {"steps": tiny_writers.STEPS, "guidance": truth.guidance, "seed": tiny_writers.SEED}
        return load_writer(str(truth.folder), device="cpu", dtype=dtype, **settings)


@pytest.fixture(scope="module", params=tiny_writers.FAMILIES)
def truth(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return tiny_writers.FAMILIES[request.param](tmp_path_factory.mktemp("writer") / "model")


@pytest.fixture(scope="module")
def model(truth: Truth) -> Writer:
    return read(truth)


def prompts(model: Writer, texts: tuple[str, ...]) -> Tensor:
    return model.prompt(model.embed(model.tokens(texts)))


def sloped(error: Any, x: Tensor, length: float) -> None:
    """The gradient of a sum is its slope along the gradient and along a random direction, over steps of that share of x."""
    with torch.enable_grad():
        at = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(error(at).sum(), at)
    assert gradient.abs().max() > 0
    ways = [gradient, torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0)) * (gradient != 0)]
    for way in ways:
        way = way / way.norm()
        step = length * x.norm() * way
        with torch.no_grad():
            slope = (error(x + step).sum() - error(x - step).sum()) / (2 * step.norm())
        torch.testing.assert_close(slope, (gradient * way).sum(), rtol=0, atol=3e-3 * gradient.norm().item())


def test_who_it_is(model: Writer, truth: Truth) -> None:
    assert isinstance(model, obvert.Writer)
    assert model.card.family in names("models")
    assert len(model.card.sha256) == 64
    assert (model.device, model.dtype) == (torch.device("cpu"), torch.float32)
    assert (model.denoising is None) == (model.medium.media == "sound") == (model.medium.rate is not None)


def test_it_is_told_what_its_class_is_told(model: Writer, truth: Truth) -> None:
    ours, theirs = prompts(model, truth.texts), truth.told(list(truth.texts))
    torch.testing.assert_close(ours[:, : theirs.shape[1]], theirs, rtol=0, atol=1e-6)
    assert not ours[:, theirs.shape[1] :].any()
    assert not torch.equal(*theirs)
    assert model.states(ours).ndim == 3


def test_it_writes_what_its_class_writes(model: Writer, truth: Truth) -> None:
    media, low = model.draw(truth.texts), model.medium.bounds[0]
    for found, text in zip(media, truth.texts, strict=True):
        own = truth.written(text)
        size = own.shape[-1]
        torch.testing.assert_close(found[..., :size], own, rtol=0, atol=1e-5)
        assert not found[..., size:].any()
        assert own.std() > 0.01
        assert found.min() >= low
    assert media.shape[1:-1] == model.medium.shape[:-1]


def test_prompts_have_the_gradient_of_the_pipelines_own_loop(model: Writer, truth: Truth) -> None:
    if truth.decoded is None:
        pytest.skip("only pipelines have a loop of their own")
    media = model.draw(truth.texts).flip(0)
    ours, theirs = (prompts(model, truth.texts).requires_grad_() for _ in range(2))
    errors = (truth.decoded(theirs[i : i + 1]) - media[i : i + 1] for i in range(2))
    truths = torch.stack([error.square().mean() for error in errors])
    found = model.mismatch(ours, media)
    torch.testing.assert_close(found, truths, rtol=1e-3, atol=1e-8)
    grads = [torch.autograd.grad(error.sum(), x)[0] for error, x in ((found, ours), (truths, theirs))]
    torch.testing.assert_close(*grads, rtol=1e-2, atol=1e-3 * grads[1].abs().max().item())


def test_gradients_are_slopes(truth: Truth) -> None:
    model = read(truth, "float64")
    embeddings = model.embed(model.tokens(truth.texts)).double()
    media = model.draw(truth.texts).flip(0).double()
    with torch.no_grad():
        told = model.prompt(embeddings)
    sloped(lambda x: model.mismatch(x, media), told, truth.step)
    first = model.words[0]
    own = embeddings[:, first : first + 2]
    sloped(lambda x: model.mismatch(model.prompt(model.sentence(x)), media), own, truth.step)
    denoise = model.denoising
    if denoise:
        sloped(lambda x: denoise(model.prompt(model.sentence(x)), media, torch.Generator().manual_seed(1)), own, truth.step)


def test_a_batch_equals_its_samples(model: Writer, truth: Truth) -> None:
    told, media = prompts(model, truth.texts), model.draw(truth.texts)
    torch.testing.assert_close(torch.cat([prompts(model, (text,)) for text in truth.texts]), told, rtol=1e-4, atol=1e-5)
    for i in range(2):
        alone = model.write(told[i : i + 1])
        torch.testing.assert_close(alone, media[i : i + 1, ..., : alone.shape[-1]], rtol=0, atol=1e-5)
    other = media.flip(0)
    for ask in (model.mismatch, model.denoising and (lambda x, m: model.denoising(x, m, torch.Generator().manual_seed(3)))):
        if ask:
            alone = torch.cat([ask(told[i : i + 1], other[i : i + 1]) for i in range(2)])
            torch.testing.assert_close(ask(told, other), alone, rtol=1e-4, atol=1e-6)


def test_what_is_told_how_long_speaks_as_long(model: Writer, truth: Truth) -> None:
    if model.speak is None:
        assert model.card.family not in ("vits", "fastspeech2_conformer")
        return
    told = prompts(model, truth.texts).requires_grad_()
    for samples in (1, 3000, 3001):
        assert model.speak(told, samples).shape == (2, 1, samples)
    said = model.write(told)
    own = int((said[0, 0] != 0).nonzero().max()) + 1
    alone = model.speak(told[:1], own)
    torch.testing.assert_close(alone[0], said[0, :, :own], rtol=0, atol=1e-5)  # its own length is its own sound
    (slope,) = torch.autograd.grad(model.speak(told, 3000).square().sum(), told)
    assert (slope[:, 1].abs().sum(-1) > 0).all()
    torch.testing.assert_close(model.speak(told, 3000)[1:], model.speak(told[1:], 3000), rtol=0, atol=1e-5)
    with pytest.raises(ObvertError, match=r"need 1 to .* samples"):
        model.speak(told, 0)


def test_weights_stay_as_they_are(model: Writer, truth: Truth) -> None:
    before = tiny.fingerprint(model.parameters())
    x = prompts(model, truth.texts).requires_grad_()
    model.mismatch(x, model.draw(truth.texts)).sum().backward()
    assert tiny.fingerprint(model.parameters()) == before
    assert not any(weight.requires_grad for weight in model.parameters().values())


def test_what_tokens_are(model: Writer, truth: Truth) -> None:
    ids, empty = model.tokens(truth.texts), model.tokens([""])
    first, past = model.words
    assert ids.shape == (2, empty.shape[1])
    assert ids.max() < len(model.vocabulary)
    assert model.choices is not None
    assert not model.choices[empty].any()
    assert model.choices.shape == model.vocabulary.shape[:1]
    own = ids[:1, first:past]
    count = int(model.choices[own].sum())
    assert model.choices[own[:, :count]].all()
    assert "".join(model.spell(own[0, :count])).replace(" ", "") == truth.texts[0].replace(" ", "")
    assert torch.equal(model.sentence(model.embed(own[:, :count]))[:, first:], model.embed(ids[:1, first:]))
    assert torch.equal(model.sentence(model.embed(own[:, :0])), model.embed(empty))


def test_sixteen_bits_come_near(model: Writer, truth: Truth) -> None:
    half, media = read(truth, "bfloat16"), model.draw(truth.texts)
    told = prompts(half, truth.texts)
    assert told.dtype == half.write(told).dtype == torch.float32
    torch.testing.assert_close(told, prompts(model, truth.texts), rtol=0.1, atol=0.1)
    other = media.flip(0)
    torch.testing.assert_close(half.mismatch(told, other), model.mismatch(told, other), rtol=0.3, atol=1e-2)


def test_what_does_not_fit_is_told_in_a_line(model: Writer, truth: Truth) -> None:
    told, media = prompts(model, truth.texts), model.draw(truth.texts)
    room = model.words[1] - model.words[0]
    with pytest.raises(ObvertError, match=f"need at most {room} tokens"):
        model.sentence(torch.zeros(1, room + 1, model.vocabulary.shape[1]))
    with pytest.raises(ObvertError, match="need embeddings"):
        model.prompt(torch.zeros(1, 2, 3))
    for wrong in (media[:1], media[:, :, :0], media.repeat(1, 2, *[1] * (media.ndim - 2))):
        with pytest.raises(ObvertError, match=r"need (pictures|sounds) \(2"):
            model.mismatch(told, wrong)
    with pytest.raises(ObvertError, match="need texts"):
        model.draw([])


def test_in_the_zoo_the_caption_of_a_picture_beats_another() -> None:
    model = load_writer("zoo/diffusion", device="cpu", steps=10)
    assert model.denoising is not None
    captions = ("a large red circle", "a small blue star")
    told, media = prompts(model, captions), model.draw(captions)
    own, other = model.mismatch(told, media), model.mismatch(told.flip(0), media)
    assert (own < 1e-3).all()
    assert (other > 20 * own).all()
    times = [torch.Generator().manual_seed(i) for i in range(8)]
    gain = [model.denoising(told.flip(0), media, t) - model.denoising(told, media, t.manual_seed(i)) for i, t in enumerate(times)]
    assert (torch.stack(gain).mean(0) > 0).all()


@pytest.mark.parametrize("name", ["zoo/clip", "zoo/vae"])
def test_other_models_write_nothing(name: str) -> None:
    with pytest.raises(ObvertError, match=r"need a text-to-image pipeline .* got the (dual encoder|autoencoder) zoo/"):
        load_writer(name, device="cpu")


def test_words_that_a_text_tower_does_not_know_are_named() -> None:
    model = load_diffusion("zoo/diffusion")
    with pytest.warns(UserWarning, match="'a red zebra' has words that the text tower does not know; it reads: a red <unknown>"):
        model.embed(["a red zebra", "a red circle"])
    model.embed(["a red circle", ""])


def test_a_pipeline_without_text_towers_is_no_writer() -> None:
    from dataclasses import replace

    from obvert.core.drawing import as_writer
    from obvert.models import load_diffusion

    model = load_diffusion("zoo/diffusion", device="cpu")
    with pytest.raises(ObvertError, match="with its text towers"):
        as_writer(replace(model, text=None))
    with pytest.raises(ObvertError, match="steps, got 0"):
        as_writer(model, steps=0)
