"""The recipe of the embedded CLIP: text is pooled at its end, padding is unseen, training is reproducible."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from obvert.zoo.clip import ClipRecipe, build, encode
from obvert.zoo.scenes import OPENINGS, Mention, caption, sample, vocabulary
from obvert.zoo.words import POSITIONS, say, tokenizer


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return build(100.0).eval()


@pytest.fixture(scope="module")
def words() -> Any:
    return tokenizer()


@torch.no_grad()
def feature(model: Any, ids: Tensor) -> Tensor:
    hidden = model.text_model(input_ids=ids)
    return model.text_projection(hidden.pooler_output)


def test_the_end_is_not_token_two(model: Any, words: Any) -> None:
    assert words.eos_token_id == model.config.text_config.eos_token_id == 3
    assert words.bos_token_id == model.config.text_config.bos_token_id == 1
    assert words.pad_token_id == model.config.text_config.pad_token_id == 0
    assert len(words) == model.config.text_config.vocab_size


def test_the_last_word_reaches_the_feature(model: Any, words: Any) -> None:
    for ending in ("circle", "shape", "on a dark background"):
        one, other = (feature(model, encode(words, [f"a red {last}"])) for last in (ending, f"{ending.rsplit(' ', 1)[0]} moon"))
        assert (one - other).abs().max() > 1e-3


def test_text_is_pooled_at_its_end(model: Any, words: Any) -> None:
    ids = encode(words, [caption(scene) for scene in sample(8, 0)])
    hidden = model.text_model(input_ids=ids)
    ends = (ids == 3).int().argmax(1)
    assert torch.equal(hidden.pooler_output, hidden.last_hidden_state[torch.arange(len(ids)), ends])


def test_padding_is_unseen(model: Any, words: Any) -> None:
    ids = encode(words, ["a small striped red circle"])
    padded = torch.cat([ids, torch.zeros(1, POSITIONS - ids.shape[1], dtype=torch.long)], 1)
    torch.testing.assert_close(feature(model, padded), feature(model, ids), rtol=1e-4, atol=1e-5)


def test_words_survive_the_round_trip(words: Any) -> None:
    texts = say(sample(50, 1), np.random.default_rng(0))
    assert words.batch_decode(encode(words, texts), skip_special_tokens=True) == texts
    assert words.convert_tokens_to_ids(vocabulary()) == list(range(4, 4 + len(vocabulary())))
    assert words("A RED Elephant")["input_ids"] == [1, *words.convert_tokens_to_ids(["a", "red"]), 2, 3]


def test_the_longest_caption_fits_and_what_is_longer_keeps_its_end(words: Any) -> None:
    longest = [caption(scene, Mention(opening=OPENINGS[0])) for scene in sample(4, 2, things=2)]
    assert encode(words, longest).shape[1] < POSITIONS
    cut = encode(words, ["red " * 50])
    assert cut.shape == (1, POSITIONS)
    assert cut[0, -1] == 3


@pytest.mark.parametrize(("learned", "start"), [(False, 100.0), (True, 1 / 0.07)])
def test_two_steps_are_reproducible(learned: bool, start: float, tmp_path: Path) -> None:
    recipe = ClipRecipe(steps=2, batch=8, pool=16, learned_temperature=learned)
    told: list[float] = []
    one, minutes = recipe.train(tmp_path / "one", report=lambda step, steps, loss: told.append(loss))
    other, _ = recipe.train(tmp_path / "other")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    assert not one.training
    assert minutes > 0
    assert np.isfinite(told).all()
    assert one.logit_scale.exp().item() == pytest.approx(start, rel=1e-3)
    assert one.logit_scale.requires_grad == learned
