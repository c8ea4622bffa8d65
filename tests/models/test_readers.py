"""What every reader owes: preprocessing, likelihoods, texts and gradients equal to those of the class it comes from."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import tiny_readers as readers
import torch
from torch import Tensor

import obvert
from obvert.core import Answer, Card, ObvertError, Reader
from obvert.registry import module

TEXTS = ["a red circle", "blue", "a large star"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=readers.FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, readers.Truth]:
    truth = readers.FAMILIES[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-")))
    return obvert.load(str(truth.folder), device="cpu"), truth


def media(model: Reader) -> list[Tensor]:
    return tiny.pictures() if model.medium.media == "picture" else readers.sounds()


def in_double(truth: readers.Truth) -> Reader:
    model = obvert.load(str(truth.folder), device="cpu")
    return module("models", model.card.family).load(truth.folder, Card(name="tiny", family="tiny"), CPU, torch.float64)


def test_what_a_reader_says_of_itself(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    assert isinstance(model, Reader)
    assert len(model.card.sha256) == 64
    assert (model.dtype, model.device) == (torch.float32, CPU)
    assert model.features.shape == tuple(truth.features(media(model)).shape[1:])
    if model.medium.media == "picture":
        assert (model.medium.shape, model.medium.bounds) == ((3, readers.SIDE, readers.SIDE), (0, 1))
        assert model.unknown == 2
    else:
        assert (model.medium.shape, model.medium.bounds, model.medium.rate) == ((1, 16000), (-1, 1), 16000)
        assert model.features.rate == 100
        assert model.unknown is None
    answer = model.answer(TEXTS)
    assert answer.mask.sum(1).tolist() == [len(truth.tokenizer(" " + t, add_special_tokens=False).input_ids) + 1 for t in TEXTS]
    ends = answer.ids[torch.arange(3), answer.mask.sum(1) - 1]
    assert (ends == truth.end).all()
    spelled = [model.spell(ids[mask])[:-1] for ids, mask in zip(answer.ids, answer.mask, strict=True)]
    if model.medium.media == "picture":
        assert [" ".join(words) for words in spelled] == TEXTS
    assert spelled[1] == (["blue"] if model.medium.media == "picture" else [readers.SPACE, *"blue"])


def test_front_is_that_of_the_class(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    assert torch.equal(model.front(media(model)), truth.features(media(model)))
    whole = [m for m in media(model) if m.shape == model.medium.shape]
    assert len(whole) == 1
    assert torch.equal(model.front(torch.stack(whole * 2)), truth.features(whole * 2))


def test_likelihoods_are_those_of_a_loop_over_the_class(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    features = model.front(media(model))
    if hasattr(truth.model, "text_decoder"):
        truth.model.text_decoder.label_smoothing = 0.0  # in training it is .1, and no likelihood
    for instruction in ("", truth.other):
        asked = model.ask(instruction)
        answer = asked.answer(TEXTS)
        found = asked.log_likelihood(features, answer)
        assert found.dtype == torch.float32
        assert (found[~answer.mask] == 0).all()
        for x, said, ids, mask in zip(features, found, answer.ids, answer.mask, strict=True):
            tokens = ids[mask].tolist()
            steps = [truth.logits(x, tokens[:t], instruction).log_softmax(-1)[token] for t, token in enumerate(tokens)]
            torch.testing.assert_close(said[mask], torch.stack(steps), rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(-said.sum() / mask.sum(), truth.loss(x, tokens, instruction), rtol=1e-5, atol=1e-5)


def test_an_instruction_is_what_stands_before_the_answer(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    features = model.front(media(model))
    answer = model.answer(TEXTS)
    plain, asked = (model.ask(i).log_likelihood(features, answer) for i in ("", truth.other))
    assert torch.equal(plain, model.log_likelihood(features, answer))
    assert torch.equal(plain, asked) == (truth.other == "en/transcribe")  # what English-only models do anyway
    if truth.decoder == "input_ids":  # the whole text says the same
        whole = model.log_likelihood(features, model.answer([f"a photo of {text}" for text in TEXTS]))
        torch.testing.assert_close(whole[:, 3:], asked, rtol=1e-5, atol=1e-5)


def test_a_batch_equals_its_samples(pair: tuple[Reader, readers.Truth]) -> None:
    model = in_double(pair[1])
    features = model.front([m.double() for m in media(model)]).requires_grad_()
    answer = model.answer(TEXTS)
    found = model.log_likelihood(features, answer)
    assert found.dtype == torch.float64
    (whole,) = torch.autograd.grad(found.sum(), features)
    for i, text in enumerate(TEXTS):
        alone = features[i : i + 1].detach().requires_grad_()
        one = model.answer([text])
        said = model.log_likelihood(alone, one)
        torch.testing.assert_close(said[0], found[i, : said.shape[1]], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(torch.autograd.grad(said.sum(), alone)[0][0], whole[i], rtol=1e-7, atol=1e-10)
    anything = Answer(torch.where(answer.mask, answer.ids, -100), answer.mask)
    assert torch.equal(model.log_likelihood(features, anything), found)


def test_gradients_are_those_of_differences(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = in_double(pair[1]), pair[1]
    (medium,) = [m.double() * 0.8 + 0.1 for m in media(model) if m.shape == model.medium.shape]
    answer = model.answer(TEXTS[:1])
    for at, give in ((model.front([medium])[0], lambda x: x[None]), (medium, lambda x: model.front([x]))):

        def said(x: Tensor, give: Any = give) -> Tensor:
            return model.log_likelihood(give(x), answer).sum()

        x = at.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(said(x), x)
        assert (gradient != 0).float().mean() > 0.9
        way = tiny.draw(*at.shape)
        with torch.no_grad():
            slopes = [(said(at + h * way) - said(at - h * way)) / (2 * h) for h in (1e-2, 1e-3, 1e-5, 1e-6, 1e-7)]
        wrong = min(abs((gradient * way).sum() / slope - 1).item() for slope in slopes)
        assert wrong < (1e-2 if truth.most is None else 1e-5), [  # T5 has norms in fp32
            (gradient * way).sum().item(),
            *slopes,
        ]


def test_what_it_reads_is_what_the_class_says(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    features = model.front(media(model))
    for instruction in ("", truth.other):
        asked, texts = model.ask(instruction), []
        for row in truth.generated(truth.model, features, instruction).tolist():
            said = row[: row.index(truth.end)] if truth.end in row else row
            texts.append(truth.tokenizer.decode(said, skip_special_tokens=True).strip())
        read = asked.generate(features)
        assert [text.startswith(own) for text, own in zip(read, texts, strict=True)] == [True] * 3
        assert asked.read(media(model)) == read
        assert [asked.generate(x[None])[0] for x in features] == read
    assert model.generate(features[:0]) == model.read([]) == []


def test_weights_stay_and_texts_are_found(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    before = tiny.fingerprint(model.parameters())
    features = model.front(media(model)).requires_grad_()
    answer = model.answer(TEXTS)
    optimiser = torch.optim.Adam([features], lr=0.1)
    errors = []
    for _ in range(5):
        errors.append(-model.log_likelihood(features, answer).sum())
        optimiser.zero_grad()
        errors[-1].backward()
        optimiser.step()
    assert errors[-1] < errors[0]
    model.read(media(model))
    assert tiny.fingerprint(model.parameters()) == before == tiny.fingerprint(dict(truth.model.state_dict()))
    assert not any(weight.requires_grad for weight in model.parameters().values())


def test_half_precision_is_near(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    half = obvert.load(str(truth.folder), device="cpu", dtype="bfloat16")
    assert half.dtype == torch.bfloat16
    features, answer = model.front(media(model)), model.answer(TEXTS)
    assert torch.equal(half.front(media(model)), features)
    found = half.log_likelihood(features, answer)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, model.log_likelihood(features, answer), rtol=0.1, atol=0.2)
    assert len(half.read(media(model))) == 3


def test_back_comes_near(pair: tuple[Reader, readers.Truth]) -> None:
    model, _ = pair
    features = model.front(media(model))
    found = model.back(features)
    assert found.shape == (3, *model.medium.shape)
    assert model.medium.bounds[0] <= found.min() <= found.max() <= model.medium.bounds[1]
    again = model.front(found)
    if model.medium.media == "picture":
        torch.testing.assert_close(again, features, rtol=0, atol=1e-5)
        assert model.back(features * 100).max() == 1
    else:
        silence = model.front(torch.zeros_like(found))
        wrong, nothing = ((x - features).abs().mean((1, 2)) for x in (again, silence))
        assert (wrong < 0.1 * nothing).all()
        torch.testing.assert_close(model.back(features[1:2])[0], found[1], rtol=1e-4, atol=1e-3)  # phases, found by iteration


def test_what_does_not_fit_is_told(pair: tuple[Reader, readers.Truth]) -> None:
    model, truth = pair
    features, answer = model.front(media(model)), model.answer(TEXTS)
    for texts in ([], [""], ["blue", " "]):
        with pytest.raises(ObvertError, match="need texts of a word or more"):
            model.answer(texts)
    with pytest.raises(ObvertError, match="need a text for each of the 2 samples, got 3"):
        model.log_likelihood(features[:2], answer)
    with pytest.raises(ObvertError, match=r"need \(B, .*, got"):
        model.generate(features[..., :-1])
    with pytest.raises(ObvertError, match="got none"):
        model.front([])
    for wrong in (torch.zeros(2, 8, 8), torch.zeros(3, 0, 4), torch.zeros(*model.medium.shape).long()):
        with pytest.raises(ObvertError, match="of floats, got"):
            model.front([wrong])
    if truth.most:
        room = truth.most - 1  # for the end token
        a, b = ("red " * room, "red " * (room + 1)) if model.medium.media == "picture" else ("b" * (room - 1), "b" * room)
        assert model.log_likelihood(features, model.answer([a] * 3)).shape == (3, truth.most)
        with pytest.raises(ObvertError, match=f"need at most {truth.most} tokens for .*, got {truth.most + 1}: '{b[:9]}"):
            model.answer(["blue", b])
