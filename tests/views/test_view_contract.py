"""What every view keeps: shape, its generator's word, samples apart, gradients, and a setting that changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from obvert.core import Domain, ObvertError, View
from obvert.registry import find, names
from obvert.views import speed
from obvert.views.colour_shift import ColourShift
from obvert.views.cut_outs import CutOuts
from obvert.views.equaliser import Equaliser
from obvert.views.gain import Gain
from obvert.views.jitter import Jitter
from obvert.views.noise import Noise
from obvert.views.spec_augment import SpecAugment
from obvert.views.speed import Speed
from obvert.views.time_shift import TimeShift

PICTURE = Domain(media="picture", shape=(3, 24, 32), bounds=(0.0, 1.0))
SOUND = Domain(media="sound", shape=(1, 2000), bounds=(-1.0, 1.0), rate=16_000)
MEL = Domain(media="sound", shape=(20, 50), rate=100)
NEUTRAL: dict[str, dict[str, Any]] = {
    "affine": {"degrees": 0, "zoom": 1, "shift": 0},
    "colour-shift": {"scale": 0, "shift": 0},
    "cut-outs": {"least": 1},
    "equaliser": {"decibels": 0},
    "gain": {"decibels": 0},
    "jitter": {"pixels": 0},
    "noise": {"least": math.inf},
    "spec-augment": {"time": 0, "frequency": 0},
    "speed": {"most": 1},
    "time-shift": {"seconds": 0},
}
"""The setting of each view that changes nothing; a new view adds a line."""
TAKES = {
    "equaliser": [SOUND],
    "gain": [SOUND],
    "noise": [PICTURE, SOUND, MEL],
    "spec-augment": [MEL],
    "speed": [SOUND],
    "time-shift": [SOUND, MEL],
}
"""The domains of each view, where those are not pictures."""
CASES = [(name, domain) for name in names("views") for domain in TAKES.get(name, [PICTURE])]
every = pytest.mark.parametrize(
    ("name", "domain"), CASES, ids=lambda case: case if isinstance(case, str) else f"{case.media}{case.shape}"
)


def some(domain: Domain, count: int = 3) -> Tensor:
    """Samples within the bounds, unlike each other."""
    low, high = domain.bounds or (-1.0, 1.5)
    draw = torch.rand(count, *domain.shape, generator=torch.Generator().manual_seed(0))
    return low + (high - low) * draw * torch.tensor([1.0, 0.5, 0.25])[:count].view(-1, *(1,) * len(domain.shape))


def look(view: View, x: Tensor, domain: Domain, seed: int = 0) -> Tensor:
    return view(x, domain, torch.Generator().manual_seed(seed))


def test_every_view_is_here() -> None:
    assert set(NEUTRAL) == set(names("views")), "add the neutral setting of the new view"


@every
def test_shape_bounds_and_repetition(name: str, domain: Domain) -> None:
    view, x = find("views", name)(), some(domain)
    before = x.clone()
    looks = [look(view, x, domain, seed) for seed in range(8)]
    assert all(y.shape == x.shape and y.dtype == x.dtype for y in looks)
    assert torch.equal(x, before)
    assert torch.equal(looks[0], look(view, x, domain, 0))
    assert any(not torch.equal(looks[0], y) for y in looks[1:])
    if domain.bounds is not None:
        assert all(domain.bounds[0] - 1e-6 <= y.min() and y.max() <= domain.bounds[1] + 1e-6 for y in looks)


@every
def test_a_batch_equals_its_samples(name: str, domain: Domain) -> None:
    view, x = find("views", name)(), some(domain)
    whole = look(view, x, domain)
    for row in range(len(x)):
        torch.testing.assert_close(look(view, x[row : row + 1], domain), whole[row : row + 1], rtol=1e-5, atol=1e-6)


@every
def test_the_gradient_flows(name: str, domain: Domain) -> None:
    view, x = find("views", name)(), (0.8 * some(domain)).requires_grad_()
    (gradient,) = torch.autograd.grad(look(view, x, domain).square().sum(), x)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().amax(1) > 0).all()


@every
def test_the_neutral_setting_changes_nothing(name: str, domain: Domain) -> None:
    view, x = find("views", name)(**NEUTRAL[name]), some(domain)
    assert all(torch.equal(look(view, x, domain, seed), x) for seed in range(3))


@every
def test_other_domains_are_refused(name: str, domain: Domain) -> None:
    for other in (PICTURE, SOUND, MEL):
        if other not in TAKES.get(name, [PICTURE]):
            with pytest.raises(ObvertError, match=f"for the view {name}, got"):
                look(find("views", name)(), some(other), other)


def test_a_shift_brings_back_what_leaves() -> None:
    x = torch.arange(50.0).expand(1, 20, 50)
    moved = look(TimeShift(seconds=0.1), x, MEL)
    steps = int((moved[0, 0, 0] - 0) % 50)
    assert steps <= 10 or steps >= 40
    assert torch.equal(moved, x.roll(-steps, dims=-1))
    with pytest.raises(ObvertError, match="an unknown rate"):
        look(TimeShift(), x, replace(MEL, rate=None))


def test_gains_are_decibels_and_clip() -> None:
    x = torch.full((1, *SOUND.shape), 0.1)
    gains = [20 * (look(Gain(decibels=6), x, SOUND, seed)[0, 0, 0] / 0.1).log10().item() for seed in range(50)]
    assert -6 <= min(gains) < -3
    assert 3 < max(gains) <= 6
    assert look(Gain(decibels=40), 9 * x, SOUND, 1).abs().max() <= 1


def tone(hertz: float) -> Tensor:
    """A sine of half scale that begins and ends softly."""
    seconds = torch.arange(SOUND.shape[1]) / 16_000
    return (0.5 * torch.hann_window(SOUND.shape[1]) * (2 * math.pi * hertz * seconds).sin())[None, None]


@pytest.mark.parametrize("power", [-1.0, -0.3, 0.6, 1.0])
def test_a_tone_is_played_at_its_speed(power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "uniform", lambda *args: [power])
    played = look(Speed(most=1.5), tone(1000), SOUND)
    factor = SOUND.shape[1] / round(SOUND.shape[1] / 1.5**power)
    at = torch.arange(SOUND.shape[1]) * factor / 16_000
    envelope = torch.where(at < SOUND.shape[1] / 16_000, (math.pi * at * 16_000 / SOUND.shape[1]).sin() ** 2, 0)
    torch.testing.assert_close(played[0, 0], 0.5 * envelope * (2 * math.pi * 1000 * at).sin(), rtol=0, atol=2e-3)


def test_an_equaliser_has_one_gain_for_a_tone(monkeypatch: pytest.MonkeyPatch) -> None:
    knots = torch.zeros(8, dtype=torch.float64)
    knots[3], knots[4] = -6, 6  # at 500 and 1,000 Hz
    monkeypatch.setattr(torch, "randn", lambda *args, **options: knots)
    for hertz, decibels in ((500, -6), (1000, 6), (500 * 2**0.5, 0), (125, 0), (4000, 0)):
        heard = look(Equaliser(decibels=1), tone(hertz), SOUND)
        gain = 20 * (heard.square().sum() / tone(hertz).square().sum()).sqrt().log10()
        assert gain == pytest.approx(decibels, abs=0.15)
    with pytest.raises(ObvertError, match="an unknown rate"):
        look(Equaliser(), tone(500), replace(SOUND, rate=None))


@pytest.mark.parametrize("domain", [PICTURE, SOUND, MEL], ids=str)
def test_noise_has_its_ratio(domain: Domain) -> None:
    x = 0.5 * some(domain) + 0.2
    noise = look(Noise(least=20, most=20), x, replace(domain, bounds=None)) - x
    ratio = 20 * (x.flatten(1).std(1) / noise.flatten(1).std(1)).log10()
    assert ratio.tolist() == pytest.approx([20] * 3, abs=0.3)
    assert torch.equal(look(Noise(), torch.full_like(x, 0.3), domain), torch.full_like(x, 0.3))  # silence stays silent


def test_masks_are_stretches_of_the_mean() -> None:
    x = some(MEL)
    seen = [look(SpecAugment(time=0.5, frequency=0.5), x, MEL, seed) for seed in range(20)]
    for y in seen:
        gone = (y != x)[0]
        rows, columns = gone.all(1), gone.all(0)
        assert torch.equal(gone, rows[:, None] | columns)
        assert rows.sum() <= 10
        assert columns.sum() <= 25
        assert torch.allclose(y[0][gone], x[0].mean())
    assert any((y != x).any() for y in seen)


@pytest.mark.parametrize("border", ["wrap", "reflect"])
def test_jitter_moves_by_whole_pixels(border: Any) -> None:
    x = some(PICTURE)
    moved = look(Jitter(pixels=5, border=border), x, PICTURE, 3)
    inner = moved[..., 5:-5, 5:-5]
    found = [(i, j) for i in range(11) for j in range(11) if torch.equal(inner, x[..., i : i + 14, j : j + 22])]
    assert len(found) == 1


def test_a_quarter_turn_is_exact() -> None:
    """By the transform's own arithmetic: a turn of 90 degrees of a square picture."""
    from obvert.views import affine

    square = Domain(media="picture", shape=(1, 16, 16), bounds=(0.0, 1.0))
    x, draws = some(square), [1.0, 0.0, 0.0, 0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(affine, "uniform", lambda *args, **options: draws)
        turned = look(affine.Affine(degrees=90, zoom=1, shift=0), x, square)
        torch.testing.assert_close(turned, x.rot90(1, dims=(-2, -1)))
        draws[:] = [0.0, 0.0, 1.0, 0.0]
        torch.testing.assert_close(look(affine.Affine(degrees=0, zoom=1, shift=0.25), x, square)[..., 4:], x[..., :-4])
        draws[:] = [0.0, 1.0, 0.0, 0.0]
        flat = look(affine.Affine(degrees=0, zoom=2, shift=0), torch.eye(16)[None, None], square)
        assert flat[0, 0].diagonal().min() >= 0.5  # a line through the centre stays one


def test_crops_are_parts_and_channels_are_scaled_alone() -> None:
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 24, 32)
    widths = [torch.diff(look(CutOuts(least=0.25), ramp, PICTURE, seed)[0, 0, 0, 8:-8]).mean().item() * 31 for seed in range(20)]
    assert 0.2 <= min(widths) < 0.5 < max(widths) <= 1.01
    x = 0.5 * some(PICTURE) + 0.25
    y = look(ColourShift(scale=0.1, shift=0.05), x, PICTURE)
    for channel in range(3):
        line = torch.stack([x[0, channel].flatten(), torch.ones(24 * 32)], dim=1)
        fit = torch.linalg.lstsq(line, y[0, channel].flatten()[:, None]).solution
        assert 0.9 <= fit[0] <= 1.11
        assert fit[1].abs() <= 0.051


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("affine", {"zoom": 0.9}),
        ("colour-shift", {"scale": -1}),
        ("cut-outs", {"least": 0}),
        ("equaliser", {"decibels": -1}),
        ("gain", {"decibels": -1}),
        ("jitter", {"border": "zero"}),
        ("noise", {"most": math.inf}),
        ("spec-augment", {"time": 1}),
        ("speed", {"most": 2}),
        ("time-shift", {"seconds": -1}),
    ],
)
def test_wrong_settings_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="need"):
        find("views", name)(**wrong)
