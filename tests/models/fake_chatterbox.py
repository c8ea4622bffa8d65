"""A package of the interface of chatterbox-tts 0.1.7, with networks of a few numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

VOICE = {
    "prompt_token": torch.tensor([[3, 4]]),
    "prompt_feat": torch.linspace(-1, 1, 12).view(1, 4, 3),
    "embedding": torch.arange(1.0, 6.0)[None],
}
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


BANDS = 3


class Encoder(nn.Module):
    """Two frames of each token, each with a look at the one before."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        assert (lengths == tokens.shape[1]).all()
        hidden = tokens.repeat_interleave(2, dim=1)
        return hidden + 0.5 * hidden.roll(1, 1), torch.ones(len(tokens), 1, hidden.shape[1])


class Estimator(nn.Module):
    def forward(self, *, x: Tensor, mask: Tensor, mu: Tensor, t: Tensor, spks: Tensor, cond: Tensor) -> Tensor:
        return (mu - x + 0.3 * cond + spks[..., None] * (1 + t[:, None, None])) * mask


class Flow(nn.Module):
    vocab_size = TOKENS

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.input_embedding, self.encoder = nn.Embedding(TOKENS, 4), Encoder()
        self.encoder_proj, self.spk_embed_affine_layer = nn.Linear(4, BANDS), nn.Linear(5, BANDS)
        self.decoder = SimpleNamespace(inference_cfg_rate=0.7, estimator=Estimator())


def mel(sounds: Tensor) -> Tensor:
    """(B, BANDS, S / 480): how loud, three times over."""
    return sounds.unfold(1, 480, 480).abs().mean(2).log()[:, None].expand(-1, BANDS, -1)


class S3Gen(nn.Module):
    tokenizer = SimpleNamespace(forward=listen)
    mel_extractor = staticmethod(mel)

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()

    @torch.inference_mode()
    def inference(self, speech_tokens: Tensor, ref_dict: dict[str, Any]) -> tuple[Tensor, None]:
        assert (speech_tokens < START).all()
        return (speech_tokens / 19).repeat_interleave(960)[None] + 0.01 * torch.randn(1), None


class ChatterboxTTS:
    sr = 24000

    def __init__(self, voice: bool) -> None:
        self.t3, self.s3gen, self.tokenizer = T3().eval(), S3Gen(), Tokenizer()
        self.conds = SimpleNamespace(t3=SimpleNamespace(ready=False), gen=VOICE) if voice else None
        self.watermarker = SimpleNamespace(apply_watermark=lambda wav, sample_rate: 0.9 * wav)

    @classmethod
    def from_local(cls, folder: Path, device: str) -> ChatterboxTTS:
        if "nowhere" in str(folder):
            raise FileNotFoundError(f"no such file: {folder}\nand more")
        return cls("mute" not in str(folder))
