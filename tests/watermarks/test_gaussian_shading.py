"""Gaussian shading: noise that stays normal, messages that come back, p-values by brute force."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from obvert.core import ObvertError
from obvert.core.diffusion import draw_noise
from obvert.watermarks.gaussian_shading import GaussianShading

BIG, SMALL = (4, 64, 64), (4, 8, 8)


def test_a_message_comes_back_and_through_noise_too() -> None:
    scheme = GaussianShading()
    noise = scheme.embed(draw_noise(BIG, 8, 0), scheme.key(BIG, 7))
    message = scheme.message(BIG, 7)
    assert message.shape == (4, 8, 8)
    assert message.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert (scheme.read(noise, 7) == message).all()
    assert scheme.score(noise, scheme.key(BIG, 7)).tolist() == [1.0] * 8
    noisy = noise + draw_noise(BIG, 8, 50)  # 0 dB
    assert (scheme.read(noisy, 7) == message).float().mean() > 0.99
    own = torch.zeros(4, 8, 8)
    own[0] = 1
    assert (scheme.read(scheme.embed(noise, scheme.write(BIG, 3, own)), 3) == own).all()


def test_what_is_embedded_is_normal_noise() -> None:
    scheme = GaussianShading()
    for seed in range(3):
        marked = scheme.embed(draw_noise(BIG, 2, 10 * seed), scheme.key(BIG, seed))
        assert stats.kstest(marked.flatten().numpy(), "norm").pvalue > 0.01
    key = scheme.key(BIG, 0)[0].float()
    assert ((key[:, 1:] == key[:, :-1]).float().mean() - 0.5).abs() < 0.03  # copies of a bit are not told to be such


def test_the_truncated_quantiles_are_the_half_normals() -> None:
    noise, scheme = draw_noise(SMALL, 1, 0).double(), GaussianShading()
    key = scheme.key(SMALL, 1).double()
    tail = torch.special.ndtr(-noise.abs())
    u = torch.where(key > 0, 1 - 2 * tail, 2 * tail)
    torch.testing.assert_close(scheme.embed(noise, key), torch.special.ndtri((u + key) / 2), rtol=1e-9, atol=1e-12)


def test_p_values_by_brute_force_and_without_a_watermark() -> None:
    scheme = GaussianShading(copies_channel=1, copies_height=2, copies_width=2)
    shape = (2, 4, 4)  # 8 bits of 4 copies: a bit is right when 3 or 4 copies are, 5 ways of 16
    key = scheme.key(shape, 5)
    noise = draw_noise(shape, 2000, 0)
    p, right = scheme.p_value(noise, key), (8 * scheme.score(noise, key)).round().long()
    for count in right.unique().tolist():
        wanted = sum(math.comb(8, k) * 5**k * 11 ** (8 - k) for k in range(count, 9)) / 16**8
        torch.testing.assert_close(p[right == count], torch.full_like(p[right == count], wanted))
    for level in p.unique().tolist():
        share = int((p <= level).sum())
        assert stats.binomtest(share, 2000, min(1.0, level)).pvalue > 1e-3
    assert scheme.p_value(scheme.embed(noise, key), key).max() == pytest.approx((5 / 16) ** 8)


def test_keys_are_told_apart_at_the_zoos_size() -> None:
    scheme = GaussianShading()
    keys = [scheme.key(SMALL, seed) for seed in range(5)]
    marked = scheme.embed(draw_noise(SMALL, 50, 0), keys[2]) + 1.4 * draw_noise(SMALL, 50, 99)  # 3 dB
    assert scheme.message(SMALL, 0).numel() == 256
    assert (scheme.identify(marked, keys) == 2).all()
    assert torch.equal(scheme.key(SMALL, 3), keys[3])


def test_what_does_not_fit_is_told() -> None:
    for wrong, told in (
        (lambda: GaussianShading(copies_height=3).key(SMALL, 0), "copies that divide"),
        (lambda: GaussianShading().key((8, 8), 0), "need latents"),
        (lambda: GaussianShading().write(SMALL, 0, torch.ones(4, 4, 8)), "need a message of bits \\(4, 8, 8\\)"),
        (lambda: GaussianShading().score(torch.zeros(1, *BIG), torch.zeros(SMALL)), "and a key"),
    ):
        with pytest.raises(ObvertError, match=told):
            wrong()
