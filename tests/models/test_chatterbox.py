"""The adapter of Chatterbox on a package of the same interface, with networks of a few numbers; the package itself needs another
torch. What is asked for and given is that of chatterbox-tts 0.1.7."""

from __future__ import annotations

import itertools
import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from fake_chatterbox import START, STOP, T3, TOKENS, VOICE, ChatterboxTTS, Flow, mel
from torch import Tensor
from torch.nn.functional import cross_entropy

from obvert.core import ObvertError, Writer
from obvert.models import load_writer
from obvert.models.parts.speech_flow import mel_of


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("chatterbox.tts")
    module.ChatterboxTTS, module.punc_norm = ChatterboxTTS, lambda text: text.rstrip(".") + "."  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chatterbox", ModuleType("chatterbox"))
    monkeypatch.setitem(sys.modules, "chatterbox.tts", module)


def read(name: str = "chatterbox:folder", dtype: str = "float32") -> Writer:
    return load_writer(name, device="cpu", dtype=dtype)


def test_a_missing_package_is_one_line_that_helps() -> None:
    with pytest.raises(ObvertError, match=r"need the package chatterbox-tts .* environment of its own, pip install") as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("package")
def test_texts_become_tokens_with_start_and_stop() -> None:
    model = read()
    ids = model.tokens(["ab", "c."])
    assert [row[:5].tolist() for row in ids] == [[1, 4, 5, 7, 0], [1, 6, 7, 0, 8]]
    assert model.words == (1, 199)
    assert model.spell(ids[0, :6]) == ["[START]", "a", "b", ".", "[STOP]", ""]
    assert model.choices is not None
    assert model.choices.nonzero()[:, 0].tolist() == [3, 4, 5, 6, 7]
    assert torch.equal(model.sentence(model.embed(ids[:1, 1:4])), model.embed(ids[:1]))


@pytest.mark.usefixtures("package")
def test_the_error_is_the_cross_entropy_of_the_sounds_own_tokens() -> None:
    model, truth = read(), T3().eval()
    sound = torch.rand(2, 1, 4800, generator=torch.Generator().manual_seed(0))
    ids = model.tokens(["ab", "cb"])
    x = model.prompt(model.embed(ids)).requires_grad_()
    found = model.mismatch(x, sound)
    heard = torch.nn.functional.pad(torch.full((2, 5), 9), (1, 1), value=START)
    heard[:, -1] = STOP
    told = [torch.tensor([row[:5].tolist()]) for row in ids]
    cond, five, seven = SimpleNamespace(ready=True), torch.tensor([5]), torch.tensor([7])
    for i in range(2):
        given: Any = {"text_tokens": told[i], "text_token_lens": five, "speech_token_lens": seven}
        logits = truth(t3_cond=cond, speech_tokens=heard[i : i + 1], **given).speech_logits
        torch.testing.assert_close(found[i], cross_entropy(logits[0, :-1], heard[i, 1:]))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient[:, :5].abs().amin(dim=(0, 2)).min() > 0
    assert not gradient[:, 5:].any()
    assert not any(weight.requires_grad for weight in model.parameters().values())


def walked(flow: Flow, told: Tensor, steps: int) -> Tensor:
    """The flow as the package walks it, sample by sample, for embeddings (B, P + n, d) of tokens."""
    rows = []
    for one in told:
        mu = flow.encoder_proj(flow.encoder(one[None], torch.tensor([len(one)]))[0]).mT
        voice = flow.spk_embed_affine_layer(VOICE["embedding"] / VOICE["embedding"].norm())
        cond = torch.zeros_like(mu)
        cond[:, :, :4] = VOICE["prompt_feat"].mT
        x = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
        times = [1 - math.cos(math.pi * k / (2 * steps)) for k in range(steps + 1)]
        for now, then in itertools.pairwise(times):
            at = {"x": x, "mask": torch.ones_like(x[:, :1]), "t": torch.tensor([now])}
            with_ = flow.decoder.estimator(mu=mu, spks=voice, cond=cond, **at)
            without = flow.decoder.estimator(mu=0 * mu, spks=0 * voice, cond=0 * cond, **at)
            x = x + (then - now) * (1.7 * with_ - 0.7 * without)
        rows.append(x[0, :, 4:])
    return torch.stack(rows)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_flow_is_walked_as_the_package_does_and_passes_gradients(steps: int) -> None:
    flow = Flow().requires_grad_(False)
    tokens = torch.tensor([[0, 7, 19], [5, 5, 2]])
    shares = torch.nn.functional.one_hot(tokens, TOKENS).float()
    told = flow.input_embedding(torch.cat((VOICE["prompt_token"].expand(2, -1), tokens), dim=1))
    with torch.no_grad():
        torch.testing.assert_close(mel_of(flow, shares, VOICE, steps=steps), walked(flow, told, steps))
    given = (0.5 * shares + 0.5 / TOKENS).requires_grad_()
    said = torch.cat((flow.input_embedding(VOICE["prompt_token"]).expand(2, -1, -1), given @ flow.input_embedding.weight), dim=1)
    found = [torch.autograd.grad(m.square().sum(), given, retain_graph=True)[0]
             for m in (mel_of(flow, given, VOICE, steps=steps), walked(flow, said, steps))]  # fmt: skip
    torch.testing.assert_close(*found)
    assert found[0].abs().amax(2).min() > 0


@pytest.mark.usefixtures("package")
def test_by_mel_the_error_is_that_of_what_the_flow_is_told() -> None:
    model, truth, flow = read("chatterbox:folder@mel"), T3().eval(), Flow()
    sound = torch.rand(1, 1, 4800, generator=torch.Generator().manual_seed(0))
    ids = model.tokens(["ab"])
    x = model.prompt(model.embed(ids)).requires_grad_()
    found = model.mismatch(x, sound)
    heard = torch.tensor([[START, 9, 9, 9, 9, 9, STOP]])
    given: Any = {"text_tokens": ids[:, :5], "text_token_lens": torch.tensor([5]), "speech_token_lens": torch.tensor([7])}
    logits = truth(t3_cond=SimpleNamespace(ready=True), speech_tokens=heard, **given).speech_logits
    seen = mel_of(flow, logits[:, :5, :TOKENS].softmax(-1), VOICE)
    torch.testing.assert_close(found, (seen - mel(sound[:, 0])).abs().mean((1, 2)))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient[:, :5].abs().amax(dim=(0, 2)).min() > 0
    assert model.card.name == "chatterbox:folder@mel"


def test_the_flow_equals_that_of_the_package_itself() -> None:
    s3gen = pytest.importorskip("chatterbox.models.s3gen.s3gen", reason="chatterbox-tts needs an environment of its own")
    torch.manual_seed(0)
    flow, draw = s3gen.S3Token2Mel().eval().requires_grad_(False).flow, torch.Generator().manual_seed(1)
    voice = {
        "prompt_token": torch.randint(0, flow.vocab_size, (1, 4), generator=draw),
        "prompt_feat": torch.randn(1, 8, 80, generator=draw),
        "embedding": torch.randn(1, 192, generator=draw),
    }
    token = torch.randint(0, flow.vocab_size, (1, 3), generator=draw)
    noise = torch.randn(1, 80, 14, generator=torch.Generator().manual_seed(0))
    lengths = {"token_len": torch.tensor([3]), "prompt_token_len": torch.tensor([4]), "prompt_feat_len": None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn_like", lambda x: noise.clone())
        true, _ = flow.inference(token=token, finalize=True, n_timesteps=2, **lengths, **voice)
    shares = torch.nn.functional.one_hot(token, flow.vocab_size).float()
    torch.testing.assert_close(mel_of(flow, shares, voice, steps=2), true)


@pytest.mark.usefixtures("package")
def test_a_text_always_sounds_alike_and_bears_the_watermark() -> None:
    model = read()
    state = torch.get_rng_state()
    one, other = model.draw(["ab"]), model.draw(["ab", "cc"])
    assert torch.equal(one, other[:1])
    assert torch.equal(state, torch.get_rng_state())
    assert one.shape == (1, 1, 7 * 960)
    assert model.medium.rate == 24000
    assert one.max() <= 0.95
    x = model.prompt(model.embed(model.tokens(["ab"]))).requires_grad_()
    assert torch.autograd.grad(model.mismatch(x, one).sum(), x)[0].abs().max() > 0


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [
        ("chatterbox:nowhere", "float32", "need the files of ResembleAI/chatterbox in nowhere, got: no such file"),
        ("chatterbox:mute", "float32", "need a voice in mute, got no conds.pt"),
        ("chatterbox:folder", "bfloat16", "need float32 for chatterbox:folder, got bfloat16"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(name: str, dtype: str, message: str) -> None:
    with pytest.raises(ObvertError, match=message) as caught:
        read(name, dtype)
    assert "\n" not in str(caught.value)
