"""Causal models: mixings that can be undone, latents of deviation 1, and a known share of style that content explains."""

from __future__ import annotations

import pytest
import torch
from torch import Generator
from torch.nn.functional import leaky_relu

from obvert.composition.theory.scm import SCM, Kind, Side, mixing, scm
from obvert.core import ObvertError

KINDS: tuple[Kind, ...] = ("sentence", "tokens")


def sides(model: SCM) -> tuple[Side, Side]:
    return model.image, model.text


@pytest.mark.parametrize("size", [1, 2, 6, 24])
def test_what_is_mixed_comes_back(size: int) -> None:
    made = mixing(size, Generator().manual_seed(size))
    z = torch.randn(50, size, dtype=torch.float64)
    double = type(made)(first=made.first.double(), second=made.second.double())
    torch.testing.assert_close(double.inverse(double(z)), z)
    assert not torch.allclose(double(-z), -double(z))  # the leaky ReLU bends it


def test_a_mixing_by_hand() -> None:
    made = type(mixing(1, Generator()))(first=torch.tensor([[2.0]]), second=torch.tensor([[3.0]]))
    torch.testing.assert_close(made(torch.tensor([[1.0], [-1.0]])), torch.tensor([[6.0], [-1.2]]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dependence", [0.0, 1.0])
def test_every_latent_comes_back_and_has_deviation_one(kind: Kind, dependence: float) -> None:
    for side in sides(scm(kind, size=3, dependence=dependence, seed=1)):
        assert torch.linalg.matrix_rank(side.structure) == 9
        torch.testing.assert_close(side.structure.norm(dim=1), torch.ones(9))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_gives_the_latents_and_these_the_styles(kind: Kind) -> None:
    model = scm(kind, size=2, seed=3)
    content, *views = model.draw(64, Generator().manual_seed(0))
    for side, view in zip(sides(model), views, strict=True):
        latents = side.mixing.inverse(view.x.unflatten(1, (side.tokens, -1))).flatten(1)
        torch.testing.assert_close(latents[:, side.rows], view.dependent, rtol=1e-3, atol=1e-4)
        exogenous = torch.linalg.solve(side.structure, latents.T).T
        torch.testing.assert_close(exogenous[:, :2], content, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(exogenous[:, 4:], view.independent, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_content_explains_as_much_of_the_dependent_style_as_is_said(kind: Kind) -> None:
    model = scm(kind, size=2, seed=5)
    content, *views = model.draw(100_000, Generator().manual_seed(0))
    for side, view in zip(sides(model), views, strict=True):
        left = view.dependent - view.expected
        assert (left.T @ content / len(left)).abs().max() < 0.02
        torch.testing.assert_close(1 - left.var(0) / view.dependent.var(0), side.explained, atol=0.01, rtol=0)
        assert (side.explained > 0.05).all()
        assert (view.independent.T @ torch.cat((content, view.dependent), 1) / len(left)).abs().max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_without_dependence_content_explains_nothing_of_style(kind: Kind) -> None:
    for side in sides(scm(kind, dependence=0, seed=2)):
        assert side.explained.abs().max() == 0


def test_a_token_is_drawn_from_the_content_and_the_tokens_before_it_alone() -> None:
    side = scm("tokens", size=3, seed=0).text
    for i in range(3):
        later = side.structure[3 * i : 3 * i + 3, 3:].unflatten(1, (2, 3))[..., i + 1 :]
        assert later.abs().max() == 0 if i < 2 else later.numel() == 0
    assert side.structure[3:, 3].abs().max() > 0  # the second token's latents hear of the first one's style


def test_tokens_share_one_mixing_and_sentences_are_mixed_whole() -> None:
    model = scm("tokens", size=2, seed=0)
    view = model.text.view(torch.randn(5, 2), Generator().manual_seed(0))
    assert view.x.shape == (5, 6)
    assert model.text.mixing.first.shape == (3, 3)
    assert model.image.mixing.first.shape == scm("sentence").text.mixing.first.shape == (6, 6)


def test_a_seed_is_a_model() -> None:
    assert scm("tokens", seed=1).text.structure.equal(scm("tokens", seed=1).text.structure)
    assert not scm("tokens", seed=1).text.structure.equal(scm("tokens", seed=2).text.structure)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ObvertError, match="need 'sentence' or 'tokens'"):
        scm("words")  # type: ignore[arg-type]
    with pytest.raises(ObvertError, match="size of 1 or more"):
        scm("sentence", size=0)


def test_leaky_relu_has_the_slope_that_is_said() -> None:
    made = mixing(4, Generator().manual_seed(0))
    z = torch.randn(3, 4)
    torch.testing.assert_close(made(z), leaky_relu(z @ made.first.T, 0.2) @ made.second.T)
