"""Tree rings: what is put in comes out, the published mask's bug with its numbers, p-values that mean what they say."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from obvert.core import ObvertError
from obvert.core.diffusion import draw_noise
from obvert.metrics import nmse_db
from obvert.watermarks.tree_ring import TreeRing

BIG, SMALL = (4, 64, 64), (4, 8, 8)
PAPER = ((1.2, 0.6, 1.4, 0.8, 0.2, 1.8), (1.2, 0.2, 1.2, 1.4, 0.6, 1.4), (0.4, 1.4, 1.6, 0.6, 0.8, 1.2))
"""The three keys of the paper on decoder inversion, in units of 80."""


def white(count: int, shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def recovered(scheme: TreeRing, decibels: float | None = None, *, nearest: bool = True) -> list[list[int]]:
    """Which of the paper's keys 100 noises with each are taken for."""
    keys = [scheme.rings(BIG, 80 * torch.tensor(key)) for key in PAPER]
    table = []
    for i, key in enumerate(keys):
        noise = scheme.embed(white(100, BIG, i), key)
        if decibels is not None:
            wrong = white(100, BIG, 100 + i)
            size = (noise.flatten(1).norm(dim=1) / wrong.flatten(1).norm(dim=1))[:, None, None, None]
            found = noise + 10 ** (decibels / 20) * size * wrong
            assert (nmse_db(found, noise) - decibels).abs().max() < 1e-3
            noise = found
        told = torch.stack([scheme.score(noise, k) for k in keys]).argmax(0) if nearest else scheme.identify(noise, keys)
        table.append(torch.bincount(told, minlength=3).tolist())
    return table


def test_the_published_mask_lies_a_row_too_high_and_perfect_recovery_classifies_200_of_300() -> None:
    """Key 1 is always taken for key 2: its rings .2 and 1.8 are averaged with those two rows off and with the noise
    around the disc, and what is left is nearer to the smoother key 2. Keys 2 and 3 stay nearest to themselves."""
    published, centred = (TreeRing(radius=6, channel=0, mask=mask) for mask in ("published", "centred"))
    for scheme, rows in ((published, (25, 37)), (centred, (26, 38))):
        covered = scheme._disc(BIG, 6).any(1).nonzero()
        assert (covered.min().item(), covered.max().item()) == rows
    assert recovered(published) == [[0, 100, 0], [0, 100, 0], [0, 0, 100]]
    assert recovered(centred) == [[100, 0, 0], [0, 100, 0], [0, 0, 100]]
    assert recovered(published, nearest=False) == [[100, 0, 0], [0, 100, 0], [0, 0, 100]]  # it knows what is left of a key


@pytest.mark.parametrize("nearest", [True, False])
def test_a_centred_mask_holds_down_to_minus_3_decibels(nearest: bool) -> None:
    assert sum(row[i] for i, row in enumerate(recovered(TreeRing(radius=6, channel=0), -3.0, nearest=nearest))) >= 299


@pytest.mark.parametrize("shape", [BIG, SMALL, (16, 9, 13)])
@pytest.mark.parametrize("pattern", ["ring", "random", "zeros"])
def test_a_centred_key_comes_out_as_it_went_in(pattern: str, shape: tuple[int, ...]) -> None:
    scheme = TreeRing(pattern=pattern)
    keys = [scheme.key(shape, seed) for seed in range(3)]
    noise = white(20, shape, 9)
    marked = scheme.embed(noise, keys[1])
    assert marked.shape == noise.shape
    assert scheme.score(marked, keys[1]).min() > -1e-3
    assert ((marked != noise).flatten(2).any(2).sum(1) == 1).all()  # one channel
    p = scheme.p_value(marked, keys[1])
    assert p.max() < (1e-30 if shape == BIG else 1e-4)
    if pattern != "zeros":
        assert (scheme.identify(marked, keys) == 1).all()
        assert scheme.p_value(marked, keys[0]).median() > 1e-6
    torch.testing.assert_close(scheme.p_value(noise[:3], keys[1]), scheme.p_value(noise, keys[1])[:3])


def test_a_picture_of_the_keys_own_seed_does_not_carry_it() -> None:
    scheme = TreeRing(pattern="random")
    assert scheme.p_value(draw_noise(BIG, 1, 7), scheme.key(BIG, 7)).item() > 1e-3


def test_the_power_of_a_drawn_key_is_that_of_noise() -> None:
    for scheme in (TreeRing(), TreeRing(mask="published"), TreeRing(pattern="random")):
        power = torch.stack([scheme.key((4, 32, 32), seed).abs().square().mean() for seed in range(400)]).mean() / 32**2
        assert power.item() == pytest.approx(1, abs=0.1)
    assert TreeRing(mask="published").key(BIG, 0).imag.any()
    assert not TreeRing().key(BIG, 0).imag.any()


@pytest.mark.parametrize("shape", [BIG, SMALL])
@pytest.mark.parametrize(
    "scheme", [TreeRing(), TreeRing(pattern="random"), TreeRing(pattern="zeros"), TreeRing(mask="published")], ids=str
)
def test_p_values_are_uniform_without_a_watermark(scheme: TreeRing, shape: tuple[int, ...]) -> None:
    scale = torch.linspace(0.2, 5, 800)[:, None, None, None]  # whatever the scale of what an inversion finds
    p = scheme.p_value(scale * white(800, shape, 5), scheme.key(shape, 3))
    assert stats.kstest(p.numpy(), "uniform").pvalue > 0.01
    assert stats.binomtest(int((p < 0.05).sum()), len(p), 0.05).pvalue > 0.01


def test_the_published_p_value_by_its_formula_is_not_uniform() -> None:
    scheme = TreeRing(test="published")
    key, noise = scheme.key(BIG, 3), white(400, BIG, 5)
    y = torch.view_as_real(torch.fft.fftshift(torch.fft.fft2(noise[0, 3].double()))[scheme._disc(BIG, 10)]).flatten().numpy()
    k = torch.view_as_real(key).flatten().double().numpy()
    sigma = y.std(ddof=1)
    by_hand = stats.ncx2.cdf((((y - k) / sigma) ** 2).sum(), len(k), (k**2).sum() / sigma**2)
    p = scheme.p_value(noise, key)
    assert p[0].item() == pytest.approx(by_hand, rel=1e-4)
    usual = TreeRing(pattern="random", test="published")  # keys of the power of noise
    many = usual.p_value(white(2000, (1, 64, 64), 6), usual.key((1, 64, 64), 3))
    assert stats.binomtest(int((many < 0.01).sum()), 2000, 0.01, alternative="greater").pvalue < 1e-6
    assert scheme.p_value(scheme.embed(noise, key), key).max() < 1e-12


def test_rings_survive_rotation_of_the_noise_and_random_keys_do_not() -> None:
    for pattern, below in (("ring", True), ("random", False)):
        scheme = TreeRing(pattern=pattern)
        key = scheme.key((4, 33, 33), 1)  # an odd size turns around its centre
        turned = scheme.embed(white(10, (4, 33, 33), 2), key).rot90(1, (2, 3))
        assert bool((scheme.p_value(turned, key) < 1e-6).all()) is below


def test_the_radius_follows_the_size() -> None:
    radii = {size: TreeRing()._place((4, size, size))[1] for size in (4, 8, 16, 32, 64, 128)}
    assert radii == {4: 1, 8: 3, 16: 3, 32: 5, 64: 10, 128: 20}
    assert TreeRing()._place((3, 8, 8))[0] == 2
    assert draw_noise((4, 8, 8), 2, 0).shape == TreeRing().embed(draw_noise((4, 8, 8), 2, 0), TreeRing().key(SMALL, 0)).shape


def test_what_does_not_fit_is_told() -> None:
    key = TreeRing().key(SMALL, 0)
    for wrong, told in (
        (lambda: TreeRing(radius=4).key(SMALL, 0), "radius of 1 to 3"),
        (lambda: TreeRing(channel=4).key(SMALL, 0), "channel of 0 to 3"),
        (lambda: TreeRing().key((4, 2, 8, 8), 0), "need latents"),
        (lambda: TreeRing().rings(SMALL, torch.ones(2)), "need 3 rings"),
        (lambda: TreeRing().score(torch.zeros(1, *BIG), key), "need a key of 317"),
        (lambda: TreeRing().score(torch.zeros(4, 8, 8), key), "need noise"),
        (lambda: TreeRing().identify(torch.zeros(1, *SMALL), []), "at least one key"),
    ):
        with pytest.raises(ObvertError, match=told):
            wrong()
