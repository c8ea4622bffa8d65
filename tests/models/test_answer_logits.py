"""BLIP-2 computes the logits of the answer alone, and they are those that it would have among all."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import tiny_readers as readers
import torch
from torch import Tensor

from obvert.models import blip_2
from obvert.models.parts.folder import read_preprocess

TEXTS = ["a red circle", "blue", "a large star"]


@pytest.mark.parametrize("name", ["blip-2 of OPT", "blip-2 of T5"])
def test_only_the_answer_is_scored_and_the_loss_is_that_of_all_logits(name: str, tmp_path: Path) -> None:
    truth = readers.FAMILIES[name](tmp_path)
    model = blip_2.captioner(truth.model, truth.tokenizer, read_preprocess(truth.folder), tiny.CARD).ask(truth.other)
    features, answer = model.front(tiny.pictures()), model.answer(TEXTS)
    scored: list[tuple[int, ...]] = []
    with truth.model.language_model.lm_head.register_forward_hook(lambda module, args, out: scored.append(tuple(out.shape))):
        found = model.log_likelihood(features, answer)
    count = answer.ids.shape[1]
    assert [shape[:2] for shape in scored] == [(len(TEXTS), count)]
    given = {key: ids.expand(len(TEXTS), -1) for key, ids in truth.opening(truth.other).items()}
    start = given.pop(truth.decoder, torch.tensor([truth.start] * len(TEXTS)))
    said = torch.cat((start, answer.ids[:, :-1]), dim=1)
    whole: Tensor = truth.model(features, **given, **{truth.decoder: said}).logits
    assert whole.shape[1] == said.shape[1]
    wanted = whole[:, -count:].log_softmax(-1).gather(2, answer.ids[..., None])[..., 0]
    torch.testing.assert_close(found, wanted.masked_fill(~answer.mask, 0), rtol=1e-5, atol=1e-5)
