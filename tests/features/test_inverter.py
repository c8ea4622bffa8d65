"""The learned inverter: a known map is learned, the numbers are the network's, queries alone are mapped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import gelu, normalize

import obvert
from obvert.core import Reference
from obvert.features.inverter import Inverter

G = torch.Generator().manual_seed(0)
X = normalize(torch.randn(400, 8, generator=G), dim=1)
TURN = torch.linalg.qr(torch.randn(8, 8, generator=G)).Q
SMALL = Inverter(hidden=64, steps=300, batch=128)


def test_a_rotation_is_learned() -> None:
    fitted = SMALL.fit(Reference(image=X[:300], inverted={"image": X[:300] @ TURN.T}))
    assert fitted.queries_only
    assert ((fitted(X[300:], "image") * (X[300:] @ TURN.T)).sum(1)).min() > 0.999
    with pytest.raises(obvert.ObvertError, match="without text"):
        fitted(X, "text")


def test_what_is_not_linear_is_learned_better_than_by_least_squares() -> None:
    wanted = normalize(X.abs() @ TURN.T, dim=1)
    fitted = Inverter(hidden=256, steps=600, batch=128).fit(Reference(text=X[:300], inverted={"text": wanted[:300]}))
    straight = normalize(X @ torch.linalg.lstsq(X[:300], wanted[:300]).solution, dim=1)
    bent = (fitted(X[300:], "text") * wanted[300:]).sum(1).mean()
    assert bent > (straight[300:] * wanted[300:]).sum(1).mean() + 0.2
    assert bent > 0.9


def test_the_formula_and_the_way_to_disk_and_back(tmp_path: Path) -> None:
    fitted = SMALL.fit(Reference(image=X, inverted={"image": X @ TURN.T}))
    layer = fitted.hidden["image"]
    wanted = X @ fitted.matrix["image"].T + gelu(X @ layer["into"].T + layer["bias"]) @ layer["out"].T
    torch.testing.assert_close(fitted(X, "image"), normalize(wanted, dim=1))
    again = obvert.open(obvert.save(fitted, tmp_path / "inverter"))
    assert torch.equal(again(X, "image"), fitted(X, "image"))
    assert again.queries_only
    assert again.settings == fitted.settings


def test_fits_are_reproducible_and_bad_pairs_refused() -> None:
    reference = Reference(image=X, inverted={"image": X})
    one, other = SMALL.fit(reference), SMALL.fit(reference)
    assert torch.equal(one.hidden["image"]["out"], other.hidden["image"]["out"])
    with pytest.raises(obvert.ObvertError, match="two pairs or more"):
        SMALL.fit(Reference(image=X[:1], inverted={"image": X[:1]}))
    with pytest.raises(obvert.ObvertError, match="two pairs or more"):
        SMALL.fit(Reference(image=X[:3], inverted={"image": X[:2]}))
