"""What every objective keeps: one value a sample, samples apart, gradients; and what each is on inputs that are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from obvert.core import Objective, ObvertError, descent
from obvert.metrics import LogMel
from obvert.objectives.cosine import Cosine
from obvert.objectives.feature_statistics import FeatureStatistics, moments, together
from obvert.objectives.in_range import InRange
from obvert.objectives.l2 import L2
from obvert.objectives.mel_consistency import MelConsistency
from obvert.objectives.patch_seam import PatchSeam
from obvert.objectives.patch_variance import PatchVariance
from obvert.objectives.spectrum import Spectrum
from obvert.objectives.total_variation import TotalVariation
from obvert.registry import names

MEL = LogMel()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def layers(x: Tensor) -> Sequence[Tensor]:
    """Two layers of features (B, N, d)."""
    return [x.flatten(2).transpose(1, 2), x.flatten(2)[..., :5].tanh()]


PICTURES, WIDTH = (3, 3, 20, 24), 3 * 20 * 24
CASES: dict[str, list[tuple[Objective, tuple[int, ...]]]] = {
    "cosine": [(Cosine(lambda x: x.flatten(1), draw(1, WIDTH, seed=1)), PICTURES)],
    "feature-statistics": [
        (FeatureStatistics.of(layers, draw(9, *PICTURES[1:], seed=1)), PICTURES),
        (FeatureStatistics.of(layers, draw(9, *PICTURES[1:], seed=1), divergence="kl"), PICTURES),
    ],
    "in-range": [(InRange(), PICTURES)],
    "l2": [(L2(), PICTURES), (L2(power=1, centre=0.5), (3, 1, 500))],
    "mel-consistency": [(MelConsistency(MEL, lambda m: MEL.sound(m, steps=2)), (3, 80, 12))],
    "patch-seam": [(PatchSeam(patch=4), PICTURES)],
    "patch-variance": [(PatchVariance(patch=5), PICTURES)],
    "spectrum": [(Spectrum(slope=-2), PICTURES), (Spectrum.of(draw(2, 1, 900, seed=1)), (3, 1, 900))],
    "total-variation": [
        (TotalVariation(), PICTURES),
        (TotalVariation(power=2, diagonals=True), (3, 80, 30)),
        (TotalVariation(), (3, 1, 500)),
        (TotalVariation(power=2, edges=1.0), PICTURES),
    ],
}
"""Samples of each objective; a new one adds a line."""
ELSEWHERE = {"alignment", "reading"}
"""Those that need a model, tested with it."""
every = pytest.mark.parametrize(("objective", "shape"), [case for cases in CASES.values() for case in cases])


def test_every_objective_is_here() -> None:
    assert set(names("objectives")) - ELSEWHERE == set(CASES), "add a sample of the new objective"


@every
def test_a_batch_equals_its_samples(objective: Objective, shape: tuple[int, ...]) -> None:
    x = draw(*shape) * torch.tensor([0.1, 1.0, 3.0]).view(3, *(1,) * (len(shape) - 1))
    for name, value in objective(x).items():
        assert value.shape == (3,)
        assert (value >= 0).all()
        alone = torch.cat([objective(row[None])[name] for row in x])
        torch.testing.assert_close(value, alone, rtol=1e-3, atol=1e-6)


@every
def test_the_gradient_is_there(objective: Objective, shape: tuple[int, ...]) -> None:
    found = descent(objective)(draw(*shape))
    assert found.direction.isfinite().all()
    assert (found.direction.flatten(1).abs().amax(1) > 0).all()
    weighed = descent(0.5 * objective + objective)(draw(*shape))
    torch.testing.assert_close(weighed.direction, 1.5 * found.direction, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "objective", [L2(), L2(power=1), TotalVariation(), TotalVariation(power=2), Spectrum(slope=-1), InRange()]
)
def test_the_gradient_of_nothing_is_a_number(objective: Objective) -> None:
    assert descent(objective)(torch.zeros(2, 3, 16, 16)).direction.isfinite().all()


def test_total_variation_by_hand() -> None:
    x = torch.tensor([[[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]])
    down, right = (2 + 1 + 1) / 3, (1 + 2 + 0 + 0) / 4
    assert TotalVariation()(x)["tv1"].item() == pytest.approx(down + right)
    diagonal = (2 + 1) / 2 + (1 + 1) / 2
    assert TotalVariation(diagonals=True)(x)["tv1"].item() == pytest.approx(down + right + diagonal)
    assert TotalVariation(power=2)(x)["tv2"].item() == pytest.approx((4 + 1 + 1) / 3 + (1 + 4) / 4)
    assert TotalVariation()(x[:, :1])["tv1"].item() == pytest.approx(1.5)  # a sound has neighbours in time only
    assert TotalVariation(diagonals=True)(torch.ones(2, 3, 1, 1))["tv1"].tolist() == [0, 0]
    assert set((TotalVariation() + TotalVariation(power=2))(x)) == {"tv1", "tv2"}
    with pytest.raises(ObvertError, match="two axes"):
        TotalVariation()(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="power 1 or 2"):
        TotalVariation(power=3)  # type: ignore[arg-type]


def test_sizes_and_ranges_by_hand() -> None:
    x = torch.tensor([[3.0, 4.0], [0.5, 0.5]])
    assert L2()(x)["l2"].tolist() == [12.5, 0.25]
    assert L2(power=1)(x)["l2"].tolist() == pytest.approx([2.5, 0.5**0.5 / 2])
    assert L2(centre=0.5)(x)["l2"][1] == 0
    y = torch.tensor([[-1.0, 0.0, 0.5, 3.0]])
    assert InRange()(y)["range"].item() == (1 + 4) / 4
    assert InRange(low=-1, high=3)(y)["range"] == 0
    with pytest.raises(ValueError, match="low < high"):
        InRange(low=1, high=1)
    with pytest.raises(ValueError, match="power 1 or 2"):
        L2(power=3)  # type: ignore[arg-type]


def test_a_spectrum_is_that_of_its_kind() -> None:
    white = draw(8, 3, 48, 48)
    assert (Spectrum(slope=0)(white)["spectrum"] < 0.2).all()
    assert (Spectrum(slope=-2)(white)["spectrum"] > 1.5).all()
    torch.testing.assert_close(Spectrum(slope=-2)(5 * white)["spectrum"], Spectrum(slope=-2)(white)["spectrum"])
    like = Spectrum.of(draw(8, 3, 48, 48, seed=1))
    assert (like(white)["spectrum"] < 0.3).all()
    assert (like(5 * white)["spectrum"] > 5).all()  # the level of real data counts: (2 ln 5)^2 is 10.4
    with pytest.raises(ObvertError, match="need a spectrum of"):
        like(draw(1, 3, 96, 96))
    for wrong in ({}, {"slope": 1.0, "target": torch.zeros(3)}, {"slope": 1.0, "floor": 0}):
        with pytest.raises(ValueError, match="one of them"):
            Spectrum(**wrong)  # type: ignore[arg-type]


def test_descent_gives_noise_the_wanted_slope() -> None:
    from obvert.metrics import spectrum_slope
    from obvert.solvers import Adam, iterate

    found = iterate(descent(Spectrum(slope=-2)), Adam(lr=0.05), draw(2, 1, 24, 24), max_steps=150)
    assert spectrum_slope(found.x).tolist() == pytest.approx([-2, -2], abs=0.1)


def test_feature_statistics_by_hand() -> None:
    features = FeatureStatistics(lambda x: [x], ((torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0])),))
    x = torch.tensor([[[3.0, 0.0], [3.0, 4.0]]])  # means 3, 2; variances 0, 4
    assert features(x)["features"].item() == pytest.approx((9 + 1) ** 0.5 + (1 + 9) ** 0.5)
    real = draw(7, 5, 3)
    own = FeatureStatistics.of(lambda x: [x, 2 * x], real, batch=2)
    torch.testing.assert_close(own.targets[0][0], real.mean((0, 1)))
    torch.testing.assert_close(own.targets[1][1], 4 * real.var(1, correction=0).mean(0))
    with pytest.raises(ObvertError, match="need 2 layers"):
        FeatureStatistics(lambda x: [x], own.targets)(x)
    with pytest.raises(ObvertError, match=r"\(B, N, d\)"):
        features(draw(2, 3))


def test_consistency_pulls_towards_what_can_be_heard() -> None:
    half = MelConsistency(lambda sound: sound, lambda mel: 0.5 * mel)
    x = draw(2, 4, 6)
    found = descent(half)(x)
    torch.testing.assert_close(found.error, (0.5 * x).square().mean((1, 2)))
    torch.testing.assert_close(found.direction, 2 * 0.5 * x / 24)  # as if the nearest were fixed
    assert MelConsistency(lambda sound: sound, lambda mel: mel)(x)["consistency"].tolist() == [0, 0]


def test_seams_and_patches_by_hand() -> None:
    steps = torch.tensor([0.0, 0.0, 1.0, 1.0, 3.0]).expand(1, 1, 4, 5)  # patches of 2 columns, a rest of 1
    assert PatchSeam(patch=2)(steps)["seam"].item() == pytest.approx((1 + 4) / 2)
    assert PatchSeam(patch=2)(steps.mT)["seam"].item() == pytest.approx((1 + 4) / 2)
    assert PatchSeam(patch=9)(steps)["seam"] == 0
    assert PatchVariance(patch=2)(steps)["patch variance"] == 0
    assert PatchVariance(patch=4)(steps)["patch variance"].item() == pytest.approx(0.25)
    for objective in (PatchSeam(), PatchVariance()):
        with pytest.raises(ObvertError, match=r"need pictures \(B, C, H, W\)"):
            objective(torch.zeros(2, 30, 30))
    for kind in (PatchSeam, PatchVariance):
        with pytest.raises(ValueError, match="need a patch of 1 pixel"):
            kind(patch=0)


def test_strong_edges_are_spared() -> None:
    edge, slope = (torch.tensor(row).expand(1, 1, 3, 5) for row in ([0.0, 0, 4, 4, 4], [0.0, 1, 2, 3, 4]))
    plain, spared = TotalVariation(), TotalVariation(edges=1.0)
    torch.testing.assert_close(plain(edge)["tv1"], plain(slope)["tv1"])
    assert spared(edge)["tv1"].item() == pytest.approx(math.exp(-4))
    assert spared(slope)["tv1"].item() == pytest.approx(math.exp(-1))


def test_moments_by_hand_and_how_far_apart_they_are() -> None:
    tokens = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [8.0, 5.0]]])
    mean, variance = moments(tokens, torch.tensor([[True, True, False]]))
    assert (mean.tolist(), variance.tolist()) == ([[2, 0]], [[1, 0]])
    for found, wanted in zip(moments(tokens), (tokens.mean(1), tokens.var(1, correction=0)), strict=True):
        torch.testing.assert_close(found, wanted)
    wanted = (torch.tensor([2.0, 3.0]), torch.tensor([5.0, 0.0]))
    assert together([(mean, variance)], [wanted], "l2").item() == pytest.approx(3 + 4)
    same = (torch.zeros(1, 1), torch.ones(1, 1))
    assert together([same], [same], "kl") == 0
    other = (torch.ones(1, 1), torch.full((1, 1), 2.0))
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(1.0, 2**0.5), torch.distributions.Normal(0.0, 1.0))
    assert together([other], [same], "kl").item() == pytest.approx(kl.item(), rel=1e-3)
    with pytest.raises(ObvertError, match=r"need features \(B, N, d\)"):
        moments(torch.zeros(3, 4))
