"""Text judges: a tiny BERT against transformers' own code, the packaged MiniLM against published numbers, failures."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from obvert.cli import main
from obvert.core import ObvertError
from obvert.metrics import bert_score, sentence_cosine
from obvert.models.parts.sentence import PACKAGE, load_text_judge

TEXTS = ["a red apple", "a table", "a red red red apple on a table"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and ten words, without the pooler that is not used."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "apple", "on", "table"]
    rules = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    rules.pre_tokenizer = pre_tokenizers.Whitespace()
    rules.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=rules, **names).save_pretrained(path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=9, max_position_embeddings=32, **sizes), add_pooling_layer=False).save_pretrained(path)
    return path


def test_tokens_are_those_of_the_model(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    judge = load_text_judge(str(folder))
    tokens = judge(TEXTS)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    assert tokens.states.shape == (3, 10, 16)
    assert tokens.mask.sum(1).tolist() == [5, 4, 10]
    assert tokens.words.sum(1).tolist() == [3, 2, 8]
    for row, text in enumerate(TEXTS):
        with torch.no_grad():
            alone = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        torch.testing.assert_close(tokens.states[row][tokens.mask[row]], alone, rtol=1e-4, atol=1e-5)
    assert sentence_cosine(judge, TEXTS, TEXTS).tolist() == pytest.approx([1] * 3)
    assert not judge.model.training
    assert not any(p.requires_grad for p in judge.model.parameters())


def test_layers_can_be_chosen(folder: Path) -> None:
    last, named, first = (load_text_judge(str(folder), layer=layer)(TEXTS).states for layer in (-1, 2, 0))
    assert torch.equal(last, named)
    assert not torch.allclose(last, first)
    with pytest.raises(ObvertError, match="layer within 0 to 2"):
        load_text_judge(str(folder), layer=3)


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ObvertError, match="need a model folder"):
        load_text_judge(str(tmp_path / "nowhere"))
    monkeypatch.setattr("obvert.models.parts.sentence.find_spec", lambda name: None)
    with pytest.raises(ObvertError, match=r"pip install 'obvert\[text\]'"):
        load_text_judge()


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="the extra `text` is not installed")
def test_a_real_model_gives_the_numbers_of_the_published_packages() -> None:
    """Of sentence-transformers 6.2 and bert-score 0.3.13 (six layers, no baseline) on the same weights."""
    judge = load_text_judge()
    found = ["a red apple on a table", "the cat sat on the mat.", "Printing, in the only sense"]
    wanted = ["A red apple on a wooden table", "a dog lies outside in the sun", "the art of printing, as we know it"]
    assert sentence_cosine(judge, found, wanted).tolist() == pytest.approx([0.9430, 0.1911, 0.7637], abs=1e-4)
    score = bert_score(judge, found, wanted)
    assert score["precision"].tolist() == pytest.approx([0.9651, 0.2750, 0.6130], abs=1e-4)
    assert score["recall"].tolist() == pytest.approx([0.8991, 0.2381, 0.5930], abs=1e-4)
    weighted = bert_score(judge, found, wanted, corpus=wanted)
    assert weighted["f1"].tolist() == pytest.approx([0.9250, 0.2368, 0.5555], abs=1e-4)


def test_what_a_captioner_reads_is_compared_as_sentences(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["invert", "--target", "a red circle", "--steps", "1", "--judges", "", "--encoder", "", "--sentences", str(folder)]
    assert main([*argv, "--json", "--out", str(tmp_path / "run")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    wanted = sentence_cosine(load_text_judge(str(folder)), [row["as_file"]], ["a red circle"])
    assert row["meaning"] == pytest.approx(wanted.item())
    assert main([*argv[:-1], str(tmp_path / "nowhere"), "--out", str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other").exists()
