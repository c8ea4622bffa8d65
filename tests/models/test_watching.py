"""Layers of readers of pictures: watched, and run again in the backward pass."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import tiny_readers as readers
import tiny_vlms as vlms
import torch
from test_vision_language import network

import obvert
from obvert.core import ObvertError, Reader

TEXTS = ["red", "a large star"]
FAMILIES = {**vlms.FAMILIES, "blip-2 of OPT": readers.blip_2_opt, "blip-2 of T5": readers.blip_2_t5}


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    truth = FAMILIES[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-")))
    return obvert.load(str(truth.folder), device="cpu")


def test_layers_leave_the_tokens_of_each_picture(model: Reader) -> None:
    features, answer = model.front(tiny.pictures()[:2]), model.answer(TEXTS[:2])
    assert len(model.layers) == 3
    assert model.vision_layers() == model.layers
    with model.watch(model.layers) as seen:
        assert seen == {}
        model.log_likelihood(features, answer)
        both = dict(seen)
        assert list(both) == list(model.layers)
        assert {(tokens.ndim, len(tokens)) for tokens in both.values()} == {(3, 2)}
        for i in range(2):
            model.log_likelihood(features[i : i + 1], model.answer(TEXTS[i : i + 1]))
            for layer in model.layers:
                assert seen[layer].shape == (1, *both[layer].shape[1:])
                torch.testing.assert_close(seen[layer][0], both[layer][i], rtol=1e-4, atol=1e-5)
        model.generate(features)
        for layer in model.layers:
            torch.testing.assert_close(seen[layer], both[layer], rtol=1e-4, atol=1e-5)
    model.log_likelihood(features.flip(0), answer)
    assert all(torch.allclose(seen[layer], both[layer], rtol=1e-4, atol=1e-5) for layer in model.layers)  # nobody watches now
    with model.watch(model.layers[1:2]) as seen:
        model.log_likelihood(features.requires_grad_(), answer)
        (gradient,) = torch.autograd.grad(seen[model.layers[1]].square().sum(), features)
    assert list(seen) == [model.layers[1]]
    assert gradient.abs().amax(dim=tuple(range(1, gradient.ndim))).min() > 0
    for names, told in ((["no.such", "nor.such"], r"no\.such, nor\.such"), (["lm_head"], "lm_head")):
        with pytest.raises(ObvertError, match=rf"need layers of .*, got {told}"), model.watch(names):
            pass


def test_layers_of_the_language_model_can_be_watched_and_told_in_words(model: Reader) -> None:
    if not model.card.family.startswith("blip"):
        assert len(model.language_layers) == 2
        features, answers = model.front(tiny.pictures()[:2]), [model.answer([text] * 2) for text in TEXTS]
        first, last, inside = model.layers[0], model.language_layers[-1], network(model)
        with model.watch([first, *model.language_layers]) as seen:
            model.log_likelihood(features, answers[0])
            before = seen[last]
            for answer in answers:
                model.log_likelihood(features, answer)
                assert list(seen) == [first, *model.language_layers]
                assert seen[last].shape[:2] == (2, before.shape[1] + answer.ids.shape[1] - answers[0].ids.shape[1])
            shared = [tokens[:, : -given.ids.shape[1]] for tokens, given in ((seen[last], answer), (before, answers[0]))]
            torch.testing.assert_close(*shared, rtol=1e-4, atol=1e-5)
            one = model.answer(TEXTS[1:])
            assert model.told is not None
            said = model.told("a picture of it", one)
            assert list(seen) == list(model.language_layers)
            truth = inside.lm_head(inside.get_decoder().norm(seen[last]))[0, -one.ids.shape[1] :].log_softmax(-1)
        torch.testing.assert_close(said[0], truth.gather(1, one.ids.T)[:, 0], rtol=1e-4, atol=1e-4)
        assert not torch.equal(said, model.told("nothing", one))


def test_what_a_model_is_told_in_words_needs_no_picture(model: Reader) -> None:
    if model.told is None:
        assert model.card.family == "blip-2"
        assert model.language_layers == ()
        return
    answer = model.answer(TEXTS[1:])
    assert len(model.language_layers) == network(model).config.get_text_config().num_hidden_layers
    with model.watch(model.language_layers) as seen:
        one = model.told("a red circle", answer)
        assert list(seen) == list(model.language_layers)
        assert {(tokens.ndim, len(tokens)) for tokens in seen.values()} == {(3, 1)}
    assert one.shape == answer.ids.shape
    assert (one < 0).all()
    assert not torch.allclose(one, model.told("a blue star", answer))
    with model.watch(model.language_layers) as seen:
        both = model.answer(TEXTS)
        model.log_likelihood(model.front(tiny.pictures()[:2]), both)
        assert {len(tokens) for tokens in seen.values()} == {2}
        assert min(tokens.shape[1] for tokens in seen.values()) > both.ids.shape[1]


def states(inside: Any) -> list[dict[str, Any]]:
    """Settings of all layers."""
    return [
        {key: value for key, value in vars(layer).items() if isinstance(value, int | float | str)} for layer in inside.modules()
    ]


def test_layers_run_again_in_the_backward_pass(model: Reader) -> None:
    features = model.front(tiny.pictures()[:2]).requires_grad_()
    answer, inside = model.answer(TEXTS[:2]), network(model)
    for layer in inside.modules():
        if isinstance(getattr(layer, "dropout", None), float):
            layer.dropout = 0.3  # in a layer that is in training, it would show
    before, runs = states(inside), []
    mlp = dict(inside.named_modules())[model.layers[1]]

    def gradient() -> torch.Tensor:
        runs.clear()
        handle = mlp.register_forward_pre_hook(lambda *_: runs.append(1))  # the second run ends within it
        with model.watch(model.layers) as seen:
            error = model.log_likelihood(features, answer).sum() + sum(tokens.square().mean() for tokens in seen.values())
            (found,) = torch.autograd.grad(error, features)
        handle.remove()
        return found

    plain = gradient()
    assert len(runs) == 1
    with model.checkpointed():
        again = gradient()
        assert len(runs) == 2
        with model.checkpointed():
            gradient()
        assert torch.equal(gradient(), again)
        assert len(runs) == 2
    torch.testing.assert_close(again, plain, rtol=1e-5, atol=1e-7)
    assert states(inside) == before
    assert not any("_gradient_checkpointing_func" in vars(layer) for layer in inside.modules())
    assert torch.equal(gradient(), plain)
    assert len(runs) == 1
    with pytest.raises(KeyError), model.checkpointed():
        raise KeyError
    assert states(inside) == before
