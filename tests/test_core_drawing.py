"""Text-to-image models as writers, on one whose pictures are known: flat, as bright as its prompt says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from obvert.core import Autoencoder, Card, Diffusion, ObvertError, Schedule
from obvert.core.diffusion import TextSide
from obvert.core.drawing import as_writer

WORDS = ("", "dark", "grey", "bright")
TABLE = torch.tensor([[0.0, 0.0], [0.1, 0.3], [0.5, 0.5], [0.8, 0.9]])
ASKED: list[Any] = []


def flat(pooled: bool = True, told: bool = False) -> Diffusion:
    """It flows from any z to c, the mean of all that it is told; each picture is one number."""

    def condition(rows: Tensor) -> Any:
        return (rows, rows.mean(1)) if pooled else rows

    def predict(z: Tensor, times: Tensor, given: Any) -> Tensor:
        ASKED.append((len(z), float(times[0]), given[2][0].item() if told else None))
        said = given[0].flatten(1).mean(1) / 2 + given[1].mean(1) / 2 if pooled else given.flatten(1).mean(1)
        s = times[:, None, None, None] / 1000
        return (z - said[:, None, None, None]) / s

    def schedule(steps: int) -> Schedule:
        s = torch.linspace(1, 0, steps + 1).double()
        return Schedule(times=1000 * s[:-1].float(), signal=1 - s, noise=s)

    text = TextSide(
        vocabulary=TABLE,
        tokens=lambda texts: torch.tensor([[WORDS.index(text), 0] for text in texts]),
        spell=lambda ids: [WORDS[i] for i in ids],
        words=(0, 1),
        choices=torch.tensor([False, True, True, True]),
        condition=condition,
    )
    return Diffusion(
        card=Card(name="flat", family="functions"),
        device=torch.device("cpu"),
        dtype=torch.float32,
        autoencoder=Autoencoder.from_functions(lambda x: x, lambda z: z),
        shape=(3, 2, 2),
        prediction="flow",
        embed=lambda texts: condition(TABLE[text.tokens(texts)]),
        predict=predict,
        schedule=schedule,
        text=text,
        guidance=1.0,
        told=(lambda given, guidance: (*given, torch.full((len(given[0]), 1), guidance))) if told else None,
    )


@pytest.mark.parametrize("pooled", [True, False])
def test_pictures_errors_and_gradients_are_known(pooled: bool) -> None:
    model = as_writer(flat(pooled), steps=4)
    prompts = model.prompt(model.embed(model.tokens(["bright", "dark"])))
    brightness = torch.tensor([0.85, 0.2]) / 2
    torch.testing.assert_close(model.write(prompts), brightness[:, None, None, None].expand(2, 3, 2, 2))
    assert torch.equal(model.states(prompts), TABLE[torch.tensor([[3, 0], [1, 0]])])
    assert prompts.shape == ((2, 6) if pooled else (2, 2, 2))
    media = torch.full((2, 3, 2, 2), 0.3)
    x = prompts.clone().requires_grad_()
    error = model.mismatch(x, media)
    torch.testing.assert_close(error, (brightness - 0.3) ** 2)
    (gradient,) = torch.autograd.grad(error.sum(), x)
    share = torch.tensor([1 / 8] * 4 + [1 / 4] * 2) if pooled else torch.full((2, 2), 1 / 4)
    torch.testing.assert_close(gradient, (2 * (brightness - 0.3))[:, *[None] * share.ndim] * share)


def test_steps_are_run_again_and_one_is_asked_to_denoise() -> None:
    model = as_writer(flat(), steps=4)
    prompts, media = model.prompt(model.embed(model.tokens(["grey"]))).requires_grad_(), torch.rand(1, 3, 2, 2)
    ASKED.clear()
    error = model.mismatch(prompts, media)
    assert len(ASKED) == 4
    error.sum().backward()
    assert len(ASKED) == 8
    ASKED.clear()
    assert model.denoising is not None
    model.denoising(prompts, media, torch.Generator().manual_seed(0)).sum().backward()
    assert len(ASKED) == 1


def test_denoising_errs_by_what_the_prompt_says_over_the_noise() -> None:
    model = as_writer(flat())
    assert model.denoising is not None
    prompts, media = model.prompt(model.embed(model.tokens(["bright", "dark"]))), torch.full((2, 3, 2, 2), 0.3)
    for seed in range(5):
        found = model.denoising(prompts, media, torch.Generator().manual_seed(seed))
        s = ASKED[-1][1] / 1000  # out = (a x + s n - c) / s, target n - x: they differ by (x - c) / s
        torch.testing.assert_close(found, (0.3 - torch.tensor([0.85, 0.2]) / 2) ** 2 / s**2, rtol=1e-3, atol=1e-6)


def test_guidance_is_told_or_asked_for_twice() -> None:
    texts = ["bright", "dark"]
    twice, told = as_writer(flat(), guidance=3.0, steps=2), as_writer(flat(told=True), guidance=3.0, steps=2)
    ASKED.clear()
    torch.testing.assert_close(twice.draw(texts)[:, 0, 0, 0], torch.tensor([1.0, 0.3]))  # 3 c, the empty text's being 0
    assert [count for count, *_ in ASKED] == [4, 4]
    ASKED.clear()
    torch.testing.assert_close(told.draw(texts)[:, 0, 0, 0], torch.tensor([0.425, 0.1]))
    assert [(count, g) for count, _, g in ASKED] == [(2, 3.0), (2, 3.0)]


def test_a_sentence_has_room_for_its_words() -> None:
    model = as_writer(flat())
    rows = torch.ones(2, 1, 2)
    assert torch.equal(model.sentence(rows), torch.cat((rows, torch.zeros(2, 1, 2)), dim=1))
    with pytest.raises(ObvertError, match="need at most 1 tokens for flat, got 2"):
        model.sentence(torch.ones(2, 2, 2))
