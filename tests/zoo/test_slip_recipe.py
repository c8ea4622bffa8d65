"""The CLIP with an intra-modal loss: the loss by hand, views that keep a scene, a folder without the head."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import obvert
from obvert.zoo import exam
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample
from obvert.zoo.slip import SlipRecipe, simclr, view


def test_the_loss_by_hand() -> None:
    codes = normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    wanted = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        scores = torch.stack([codes[i] @ codes[j] / 0.1 for j in others])
        wanted -= scores.log_softmax(0)[others.index((i + 3) % 6)].item() / 6
    assert simclr(codes).item() == pytest.approx(wanted, rel=1e-5)


def test_twins_that_agree_cost_nothing() -> None:
    assert simclr(torch.eye(4).repeat(2, 1)).item() < 1e-3


def test_views_differ_and_keep_the_hue() -> None:
    pictures = draw(sample(16, 0, things=1)).float() / 127.5 - 1
    one, other = (view(pictures, np.random.default_rng(seed)) for seed in (0, 1))
    assert one.shape == pictures.shape
    assert one.abs().max() <= 1
    assert (one - other).abs().mean() > 0.05
    torch.testing.assert_close(one, view(pictures, np.random.default_rng(0)))
    plain = torch.zeros(1, 3, 64, 64) + torch.tensor([0.2, -0.8, -0.8])[:, None, None]
    seen = view(plain, np.random.default_rng(3)).mean((2, 3))[0]
    assert seen[0] > seen[1] + 0.3
    assert seen[1] == pytest.approx(seen[2].item(), abs=0.02)


def test_training_is_reproducible_and_what_is_written_has_no_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exam, "examine", partial(exam.examine, count=32, rounds=1))
    recipe = SlipRecipe(steps=2, batch=8, views=4, pool=16)
    one, minutes = recipe.train(tmp_path / "one")
    other, _ = recipe.train(tmp_path / "other")
    weights = other.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    (tmp_path / "model").mkdir()
    card = recipe.export(one, tmp_path / "model", minutes)
    assert card["recipe"]["weight"] == 1.0
    loaded = obvert.load(str(tmp_path / "model"), device="cpu")
    assert not any("view_head" in name for name in loaded.parameters())
