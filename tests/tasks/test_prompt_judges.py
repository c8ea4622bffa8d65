"""Judges of prompts as words, on toys whose answers are known by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from obvert.core import ObvertError
from obvert.tasks._prompt_judges import PromptJudges, captions, judge_words, prompt_judges

GREY = {"black": 0.0, "grey": 0.5, "white": 1.0}
WANTED = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 4, 4)


def names(media: list[Tensor]) -> list[str]:
    return [min(GREY, key=lambda word: abs(GREY[word] - m.mean().item())) for m in media]


def draw(texts: list[str]) -> Tensor:
    if wrong := [text for text in texts if text not in GREY]:
        raise ObvertError(f"no token for {wrong[0]}")
    return torch.tensor([GREY[text] for text in texts]).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def circle(shades: Tensor) -> Tensor:
    return torch.stack([(3 * shades).cos(), (3 * shades).sin()], 1)


def encoder() -> Any:
    return SimpleNamespace(
        text_features=lambda texts: circle(torch.tensor([GREY.get(text, 0.2) for text in texts])),
        image_features=lambda pictures: circle(torch.stack(pictures).mean((1, 2, 3))),
    )


PAINTER: Any = SimpleNamespace(media="picture", draw=draw)
READERS: Any = {"toy": SimpleNamespace(read=names)}


def test_words_that_say_what_is_wanted_are_matched_and_lie_among_captions() -> None:
    judges = PromptJudges(readers=READERS, encoder=encoder(), captions=("black", "grey", "white"))
    found = judge_words(PAINTER, ["black", "grey", "white"], WANTED, judges)
    assert found == {"in words": 1.0, "transfer": 1.0, "distance": pytest.approx(0, abs=1e-6)}


def test_words_that_say_something_else_are_not() -> None:
    judges = PromptJudges(readers=READERS, encoder=encoder(), captions=("black", "grey", "white"))
    found = judge_words(PAINTER, ["white", "grey", "grey"], WANTED, judges)
    assert found["in words"] == found["transfer"] == pytest.approx(1 / 3)
    odd = judge_words(PAINTER, ["black", "gibberish", "white"], WANTED, judges)
    assert odd["in words"] is None  # the writer has no token for it
    assert odd["transfer"] == pytest.approx(2 / 3)
    usual = 2 * torch.tensor(0.75).sin().item()  # of two captions 1.5 apart on the circle
    assert odd["distance"] == pytest.approx(2 * torch.tensor(0.3).sin().item() / usual / 3, rel=1e-5)


def test_what_has_no_judge_is_told_as_none() -> None:
    nothing = {"in words": None, "transfer": None, "distance": None}
    assert judge_words(PAINTER, ["black", "grey", "white"], WANTED, PromptJudges()) == nothing
    some = judge_words(PAINTER, ["black", "grey", "white"], WANTED, PromptJudges(encoder=encoder()))
    assert some == {"in words": None, "transfer": 1.0, "distance": None}


def test_letters_are_compared_without_spaces() -> None:
    heard: Any = {"ear": SimpleNamespace(read=lambda sounds: ["a red ring", "a blue star"])}
    speaker: Any = SimpleNamespace(media="sound", draw=lambda texts: torch.zeros(len(texts), 1, 8))
    found = judge_words(speaker, ["a   r e d   r i n g", "a   b l u e"], torch.zeros(2, 1, 8), PromptJudges(readers=heard))
    assert found == {"in words": 1.0, "transfer": 0.5, "distance": None}


def test_the_zoo_has_its_own_judges_and_others_only_those_that_are_told() -> None:
    own = prompt_judges("zoo/diffusion")
    assert list(own.readers) == ["zoo/captioner"]
    assert own.encoder is not None
    assert own.encoder.card.name == "zoo/siglip"
    assert own.captions == captions()
    assert len(set(captions())) == len(captions()) > 100
    other = prompt_judges("some/pipeline", readers=[], encoder="")
    assert (other.readers, other.encoder, other.captions) == ({}, None, ())
