"""The adapter of Chatterbox on a package of the same interface, with networks of a few numbers; the package itself needs another
torch. What is asked for and given is that of chatterbox-tts 0.1.7."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from obvert.core import ObvertError, Writer
from obvert.models import load_writer

LETTERS = ["[STOP]", "[START]", "[UNK]", "[SPACE]", "a", "b", "c", "."]
START, STOP, TOKENS = 20, 21, 20


class T3(nn.Module):
    """Logits of the next speech token are a linear map of all that was told before it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hp = SimpleNamespace(start_text_token=1, stop_text_token=0, start_speech_token=START, stop_speech_token=STOP)
        self.text_emb, self.speech_emb = nn.Embedding(len(LETTERS), 6), nn.Embedding(22, 6)
        self.speech_head = nn.Linear(6, 22)

    def prepare_conditioning(self, cond: Any) -> Tensor:
        cond.ready = True
        return torch.zeros(1, 1, 6)

    def embed(self, text: Tensor, speech: Tensor, guided: bool) -> Tensor:
        assert (text == 1).sum() == (text == 0).sum() == len(text)
        told = self.text_emb(text)
        if guided:
            told[1].zero_()
        place = 1 + torch.arange(told.shape[1])[:, None] / 10
        return torch.cat((told * place, self.speech_emb(speech)), dim=1).cumsum(1).tanh()

    def forward(
        self,
        *,
        t3_cond: Any,
        text_tokens: Tensor,
        text_token_lens: Tensor,
        speech_tokens: Tensor,
        speech_token_lens: Tensor,
        training: bool = False,
    ) -> Any:
        assert t3_cond.ready
        assert (text_token_lens == text_tokens.shape[1]).all()
        assert (speech_token_lens == speech_tokens.shape[1]).all()
        hidden = self.embed(text_tokens, speech_tokens, False)
        return SimpleNamespace(speech_logits=self.speech_head(hidden[:, text_tokens.shape[1] :]))

    @torch.inference_mode()
    def inference(self, *, t3_cond: Any, text_tokens: Tensor, max_new_tokens: int, cfg_weight: float = 0.5) -> Tensor:
        said = torch.full((2, 1), START)
        for _ in range(7):
            logits = self.speech_head(self.embed(text_tokens, said, True)[:, -1])
            guided = logits[0] + cfg_weight * (logits[0] - logits[1])
            said = torch.cat((said, guided.softmax(0).multinomial(1).expand(2, 1)), dim=1)
        return torch.cat((said[:1, 1:], torch.full((1, 1), STOP)), dim=1)


class Tokenizer:
    def __init__(self) -> None:
        from tokenizers import Regex, models, pre_tokenizers
        from tokenizers import Tokenizer as Core

        self.tokenizer = Core(models.WordLevel({letter: i for i, letter in enumerate(LETTERS)}, unk_token="[UNK]"))
        self.tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")

    def text_to_tokens(self, text: str) -> Tensor:
        return torch.IntTensor(self.tokenizer.encode(text).ids).unsqueeze(0)


def listen(wavs: list[Any], max_len: int) -> tuple[Tensor, Tensor]:
    """Speech tokens of sounds at 16 kHz: how loud each 640 samples are."""
    rows = [(torch.as_tensor(wav).unfold(0, 640, 640).abs().mean(1) * 19).long().clamp(0, 19) for wav in wavs]
    return torch.stack(rows)[:, :max_len], torch.tensor([min(max_len, len(row)) for row in rows])


class S3Gen(nn.Module):
    tokenizer = SimpleNamespace(forward=listen)

    @torch.inference_mode()
    def inference(self, speech_tokens: Tensor, ref_dict: dict[str, Any]) -> tuple[Tensor, None]:
        assert (speech_tokens < START).all()
        return (speech_tokens / 19).repeat_interleave(960)[None] + 0.01 * torch.randn(1), None


class ChatterboxTTS:
    sr = 24000

    def __init__(self, voice: bool) -> None:
        self.t3, self.s3gen, self.tokenizer = T3().eval(), S3Gen(), Tokenizer()
        self.conds = SimpleNamespace(t3=SimpleNamespace(ready=False), gen={}) if voice else None
        self.watermarker = SimpleNamespace(apply_watermark=lambda wav, sample_rate: 0.9 * wav)

    @classmethod
    def from_local(cls, folder: Path, device: str) -> ChatterboxTTS:
        if "nowhere" in str(folder):
            raise FileNotFoundError(f"no such file: {folder}\nand more")
        return cls("mute" not in str(folder))


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
