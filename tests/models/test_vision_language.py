"""What every vision-language model owes: all that it makes of pictures and questions equals its own class and processor."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import tiny_vlms as vlms
import torch
from tiny_vlm_truth import PLACES, QUESTION, Truth
from torch import Tensor

import obvert
from obvert.core import Answer, Card, ObvertError, Reader
from obvert.hub import kind_of
from obvert.methods.caption_inversion import CaptionInversion
from obvert.models import load_dual, load_reader
from obvert.models.parts.vision_language import Chat
from obvert.models.parts.watching import above, named
from obvert.registry import module

TEXTS = ["red", "a blue one", "up"]
CPU = torch.device("cpu")
Pair = tuple[Reader, Truth]


@pytest.fixture(scope="module", params=vlms.FAMILIES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    truth = vlms.FAMILIES[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-")))
    return load_reader(str(truth.folder), device="cpu").ask(QUESTION), truth


def in_double(truth: Truth) -> Reader:
    family = obvert.load(str(truth.folder), device="cpu").card.family
    card = Card(name="tiny", family=family)
    return module("models", family).load(truth.folder, card, CPU, torch.float64).ask(QUESTION)


def network(model: Reader) -> Any:
    """The module inside: the first that is called."""
    called: list[Any] = []
    handle = torch.nn.modules.module.register_module_forward_pre_hook(lambda layer, args: called.append(layer))
    try:
        model.log_likelihood(torch.ones(1, *model.features.shape, dtype=model.dtype), model.answer(["a"]))
    finally:
        handle.remove()
    return called[0]


def test_what_a_model_says_of_itself(pair: Pair, request: pytest.FixtureRequest) -> None:
    model, truth = pair
    assert model.card.family == request.node.callspec.params["pair"].split()[0]
    assert kind_of(truth.folder) == "vision-language model"
    with pytest.raises(ObvertError, match="got the vision-language model"):
        load_dual(str(truth.folder), device="cpu")
    assert len(model.card.sha256) == 64
    assert (model.medium.media, model.medium.bounds) == ("picture", (0, 1))
    if truth.size:
        assert model.medium.shape == (3, *truth.size)
    assert model.features.shape == tuple(model.front([torch.rand(3, 5, 7)]).shape[1:])
    answer = model.answer(TEXTS)
    assert answer.mask.sum(1).tolist() == [4, 11, 3] if model.spell(answer.ids[0])[0] == "r" else [5, 12, 4]
    assert answer.ids[answer.mask.cumsum(1) == answer.mask.sum(1, keepdim=True)].unique().numel() == 1
    assert model.spell(answer.ids[2][answer.mask[2]])[-1] == truth.end


def test_front_is_that_of_the_class(pair: Pair) -> None:
    model, truth = pair
    whole = torch.randint(0, 256, model.medium.shape, generator=torch.Generator().manual_seed(3)) / 255
    for pictures in ([*tiny.pictures(), whole], torch.stack([whole, whole.flip(2)])):
        found = model.front(pictures)
        assert found.dtype == torch.float32
        for x, picture in zip(found, pictures, strict=True):
            assert torch.equal(x, truth.inputs(picture, QUESTION)["pixel_values"].reshape(x.shape))


def test_what_the_network_takes_is_what_the_processor_makes(pair: Pair) -> None:
    model, truth = pair
    pictures, taken = tiny.pictures(), []
    inside = network(model)
    for question in (QUESTION, "which of the two\n is larger?"):
        asked = model.ask(question)
        answer = asked.answer(TEXTS[:1] * 3)
        handle = inside.register_forward_pre_hook(lambda layer, args, given: taken.append(given), with_kwargs=True)
        asked.log_likelihood(asked.front(pictures), answer)
        handle.remove()
        wanted = [truth.with_answer(picture, question, answer.ids[0, :-1].tolist()) for picture in pictures]
        whole = {key: torch.cat([given[key] for given in wanted]) for key in wanted[0]}
        given = {key: value for key, value in taken.pop().items() if isinstance(value, Tensor)}
        assert whole.keys() - given.keys() <= {"attention_mask", "pixel_attention_mask"}  # which are all ones
        assert all((whole[key] == 1).all() for key in whole.keys() - given.keys())
        assert all(torch.equal(value, whole[key]) for key, value in given.items())


def test_likelihoods_are_those_of_a_loop_over_the_class(pair: Pair) -> None:
    model, truth = pair
    pictures, answer = tiny.pictures(), model.answer(TEXTS)
    found = model.log_likelihood(model.front(pictures), answer)
    assert found.dtype == torch.float32
    assert (found[~answer.mask] == 0).all()
    for picture, said, ids, mask in zip(pictures, found, answer.ids, answer.mask, strict=True):
        tokens = ids[mask].tolist()
        steps = []
        for t, token in enumerate(tokens):
            steps.append(truth.model(**truth.with_answer(picture, QUESTION, tokens[:t])).logits[0, -1].log_softmax(-1)[token])
        torch.testing.assert_close(said[mask], torch.stack(steps), rtol=1e-5, atol=1e-5)
        given = truth.with_answer(picture, QUESTION, tokens)
        labels = given["input_ids"].clone()
        labels[:, : -len(tokens)] = -100
        torch.testing.assert_close(-said.sum() / mask.sum(), truth.model(**given, labels=labels).loss, rtol=1e-5, atol=1e-5)


def test_logits_are_asked_for_the_answer_alone(pair: Pair) -> None:
    model, _ = pair
    lengths: list[int] = []
    handle = network(model).lm_head.register_forward_hook(lambda layer, args, out: lengths.append(args[0].shape[1]))
    answer = model.answer(TEXTS)
    model.log_likelihood(model.front(tiny.pictures()), answer)
    handle.remove()
    assert lengths == [answer.ids.shape[1]]


def test_another_question_is_another_likelihood(pair: Pair) -> None:
    model, _ = pair
    features, answer = model.front(tiny.pictures()), model.answer(TEXTS)
    one, other = (model.ask(told).log_likelihood(features, answer) for told in (QUESTION, "where is it?"))
    assert (one - other).abs().sum(1).min() > 1e-4
    assert torch.equal(model.ask("where?").ask(f" {QUESTION}").log_likelihood(features, answer), one)
    usual = model.ask("").log_likelihood(features, answer)
    assert torch.equal(usual, model.ask(" ").log_likelihood(features, answer))
    assert not torch.equal(usual, one)


def test_questions_must_leave_room(pair: Pair) -> None:
    model, _ = pair
    with pytest.raises(ObvertError, match=f"need a question that leaves room in the {PLACES} tokens of .*: 'what what") as caught:
        model.ask("what " * PLACES)
    assert "\n" not in str(caught.value)
    with pytest.raises(ObvertError, match=r"need at most .* tokens for"):
        model.answer(["b" * PLACES])
    with pytest.raises(ObvertError, match=r"need \(B, "):
        model.generate(torch.zeros(1, 2, 3))
    with pytest.raises(ObvertError, match="of floats, got"):
        model.front([torch.zeros(2, 8, 8)])


def test_a_batch_equals_its_samples(pair: Pair) -> None:
    model = in_double(pair[1])
    features = model.front([picture.double() for picture in tiny.pictures()]).requires_grad_()
    answer = model.answer(TEXTS)
    found = model.log_likelihood(features, answer)
    assert found.dtype == torch.float64
    (whole,) = torch.autograd.grad(found.sum(), features)
    for i, text in enumerate(TEXTS):
        alone = features[i : i + 1].detach().requires_grad_()
        said = model.log_likelihood(alone, model.answer([text]))
        torch.testing.assert_close(said[0], found[i, : said.shape[1]], rtol=1e-5, atol=1e-5)  # norms and positions are fp32
        (gradient,) = torch.autograd.grad(said.sum(), alone)
        torch.testing.assert_close(gradient[0], whole[i], rtol=1e-3, atol=1e-5 * whole[i].abs().max().item())
    anything = Answer(torch.where(answer.mask, answer.ids, -100), answer.mask)
    assert torch.equal(model.log_likelihood(features, anything), found)


def test_gradients_are_those_of_differences(pair: Pair) -> None:
    """Norms and positions are fp32 in most classes, whatever the precision of the rest: differences are as exact as that."""
    model = in_double(pair[1])
    answer = model.answer(TEXTS[:1])
    medium = 0.8 * torch.rand(model.medium.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64) + 0.1
    at = model.front([medium])[0].requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_likelihood(at[None], answer).sum(), at)
    assert (gradient != 0).float().mean() > 0.9
    way = gradient / gradient.norm()
    with torch.no_grad():
        slopes = [
            sum(sign * model.log_likelihood((at + sign * h * way)[None], answer).sum() for sign in (1, -1)) / (2 * h)
            for h in (1e-1, 1e-2, 1e-3, 1e-4)
        ]
    assert min(abs(gradient.norm() / slope - 1).item() for slope in slopes) < 1e-3, [gradient.norm().item(), *slopes]


def test_front_passes_gradients(pair: Pair) -> None:
    """Linear but for rounding, which levels out over many pixels and large steps, and passes gradients unchanged."""
    model = in_double(pair[1])
    generator = torch.Generator().manual_seed(5)
    x = (0.5 + 0.2 * torch.rand(model.medium.shape, generator=generator, dtype=torch.float64)).requires_grad_()
    way = torch.randn(model.medium.shape, generator=generator, dtype=torch.float64)
    step = (model.front([x.detach() + 0.05 * way]) - model.front([x.detach() - 0.05 * way])) / 0.1
    (gradient,) = torch.autograd.grad((model.front([x]) * step).sum(), x)
    torch.testing.assert_close((gradient * way).sum(), step.square().sum(), rtol=1e-3, atol=0)
    assert (gradient != 0).float().mean() > 0.9
    (through,) = torch.autograd.grad(model.log_likelihood(model.front([x]), model.answer(TEXTS[:1])).sum(), x)
    assert (through != 0).float().mean() > 0.9


def test_what_it_reads_is_what_the_class_says(pair: Pair) -> None:
    model, truth = pair
    pictures, texts = tiny.pictures(), []
    for picture in pictures:
        given = truth.inputs(picture, QUESTION)
        row = truth.model.generate(**given, do_sample=False)[0, given["input_ids"].shape[1] :]
        texts.append(truth.processor.tokenizer.decode(row, skip_special_tokens=True).strip())
    assert model.read(pictures) == texts
    assert any(texts)
    assert [model.read([picture])[0] for picture in pictures] == texts
    assert model.read([]) == []


def test_weights_stay_and_texts_are_found(pair: Pair) -> None:
    model, truth = pair
    before = tiny.fingerprint(model.parameters())
    features = model.front(tiny.pictures()).requires_grad_()
    answer, errors = model.answer(TEXTS), []
    optimiser = torch.optim.Adam([features], lr=0.1)
    for _ in range(4):
        errors.append(-model.log_likelihood(features, answer).sum())
        optimiser.zero_grad()
        errors[-1].backward()
        optimiser.step()
    assert errors[-1] < errors[0]
    assert tiny.fingerprint(model.parameters()) == before == tiny.fingerprint(dict(truth.model.state_dict()))
    assert not any(weight.requires_grad for weight in model.parameters().values())


@pytest.mark.parametrize("way", ["naive", "regularised"])
def test_methods_search_in_pictures_and_in_what_the_network_takes(pair: Pair, way: str) -> None:
    model, _ = pair
    found = getattr(CaptionInversion, way)(steps=3, batch=2)(model, TEXTS)
    assert found.features.shape == (3, *model.medium.shape)
    assert found.solution.x.shape[1:] == (model.features if way == "naive" else model.medium).shape
    assert found.error.isfinite().all()
    assert way != "naive" or (found.error < found.solution.trace[0]).all()


def test_half_precision_is_near(pair: Pair) -> None:
    model, truth = pair
    half = load_reader(str(truth.folder), device="cpu", dtype="bfloat16").ask(QUESTION)
    features, answer = model.front(tiny.pictures()), model.answer(TEXTS)
    found = half.log_likelihood(features, answer)
    assert (half.dtype, found.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(found, model.log_likelihood(features, answer), rtol=0.1, atol=0.3)


def test_back_undoes_front(pair: Pair) -> None:
    model, _ = pair
    pictures = torch.randint(0, 256, (2, *model.medium.shape), generator=torch.Generator().manual_seed(6)) / 255
    features = model.front(pictures)
    torch.testing.assert_close(model.back(features), pictures, rtol=0, atol=1e-6)
    assert (model.back(features * 100).max(), model.back(features * -100).min()) == (1, 0)


def test_features_of_nothing_but_zeros_are_read(pair: Pair) -> None:
    """Idefics3 takes such tiles for padding."""
    model, _ = pair
    features = torch.zeros(2, *model.features.shape)
    features[1] = torch.ones(model.features.shape)
    features[1, 0] = 0
    answer = model.answer(TEXTS[:2])
    found = model.log_likelihood(features, answer)
    torch.testing.assert_close(found, model.log_likelihood(features + 1e-7, answer), rtol=1e-4, atol=1e-4)


def test_patterns_that_match_nothing_are_refused(pair: Pair) -> None:
    inside = network(pair[0])
    with pytest.raises(ObvertError, match="need layers that match 'none' in tiny, got none"):
        list(named(inside, ["none"], "tiny"))
    assert dict(inside.named_modules())[above(pair[0].layers)] is not inside


def test_prompts_are_refused_without_a_place_for_the_picture(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chat, "prompt", lambda self, question, pictures=1: question)
    with pytest.raises(ObvertError, match=r"need one .* in the chat template of .*, got: 'where"):
        pair[0].ask("where")
