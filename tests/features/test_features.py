"""Feature maps against direct formulas, and on real features where they are there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import normalize

import obvert
from obvert.core import Reference
from obvert.registry import find, names

G = torch.Generator().manual_seed(0)


def test_mean_by_hand() -> None:
    fitted = obvert.Mean().fit(Reference(image=torch.tensor([[1.0, 0.0], [0.0, 1.0]])))
    torch.testing.assert_close(fitted(torch.tensor([[1.0, 0.0]]), "image"), torch.tensor([[0.5, -0.5]]) * 2**0.5)
    with pytest.raises(obvert.ObvertError, match="without text"):
        fitted(torch.ones(1, 2), "text")


def test_text_pca_is_the_span_of_the_main_directions() -> None:
    texts = normalize(torch.randn(50, 8, generator=G), dim=1)
    _, _, vh = torch.linalg.svd(texts - texts.mean(0))
    x = torch.randn(5, 8, generator=G)
    wanted = normalize(x @ vh[:4].T @ vh[:4], dim=1)
    torch.testing.assert_close(obvert.TextPCA().fit(Reference(names=texts))(x, "image"), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("d", "wide_image", "wide_text"), [(6, 10, 8), (6, 6, 7), (9, 6, 7)])
def test_isoclip_on_features_equals_isoclip_on_the_layers(d: int, wide_image: int, wide_text: int) -> None:
    image, text = torch.randn(d, wide_image, generator=G).double(), torch.randn(d, wide_text, generator=G).double()
    fitted = obvert.IsoCLIP(top=1, bottom=2).fit(Reference(projections=(image, text)))
    u, s, vh = torch.linalg.svd(image.T @ text)
    band = slice(1, int((s > 1e-9).sum()) - 2)
    for modality, layer, directions in (("image", image, u[:, band]), ("text", text, vh.T[:, band])):
        hidden = torch.randn(4, layer.shape[1], generator=G).double()
        wanted = normalize(hidden @ directions @ directions.T @ layer.T, dim=1)
        given = normalize(hidden @ layer.T, dim=1)
        torch.testing.assert_close(fitted(given, modality), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", names("features"))
def test_every_map_says_what_it_lacks(name: str) -> None:
    with pytest.raises(obvert.ObvertError, match="needs"):
        find("features", name)().fit(Reference())


def test_saved_and_opened_it_is_the_same(tmp_path: Path) -> None:
    fitted = obvert.TextPCA(components=3).fit(Reference(names=torch.randn(9, 5, generator=G)))
    again = obvert.open(obvert.save(fitted, tmp_path / "map"))
    x = torch.randn(2, 5, generator=G)
    assert torch.equal(again(x, "text"), fitted(x, "text"))


def test_real_features_without_a_model(shared_data: Path) -> None:
    given = {k: normalize(v.float(), dim=1) for k, v in load_file(shared_data / "clip500" / "features.safetensors").items()}
    reference = Reference(image=given["image"], text=given["text"], names=given["text"])
    for fitted in (obvert.Mean().fit(reference), obvert.TextPCA().fit(reference)):
        image, text = fitted(given["image"], "image"), fitted(given["text"], "text")
        found = ((image @ text.T).argmax(1) == torch.arange(500)).float().mean()
        assert found > 0.5
    centred = obvert.Mean().fit(reference)
    assert obvert.metrics.modality_gap(centred(given["image"], "image"), centred(given["text"], "text")) < 0.1


def test_real_pairs_from_bare_arrays_gap_retrieval_and_what_mean_removal_does_to_both(shared_data: Path) -> None:
    given = {k: normalize(v.float(), dim=1) for k, v in load_file(shared_data / "clip500" / "features.safetensors").items()}
    image, text, rows = given["image"], given["text"], torch.arange(500)
    centred = obvert.Mean().fit(Reference(image=image, text=text))
    moved = centred(image, "image"), centred(text, "text")
    assert obvert.metrics.modality_gap(image, text) == pytest.approx(0.851, abs=0.01)
    assert obvert.metrics.linear_separability(image, text) == 1.0
    assert obvert.metrics.modality_gap(*moved) < 0.05

    def precision(a: torch.Tensor, b: torch.Tensor) -> tuple[float, float]:
        """Of texts for pictures, and of the other modality's half of the pair among pictures and texts together."""
        both, twice = torch.cat([a, b]), torch.cat([rows, rows])
        across = obvert.metrics.retrieval(a, b, rows, rows)["map"]
        mixed = obvert.metrics.retrieval(both, both, twice, twice, self_index=torch.arange(1000))["map"]
        return across.mean().item(), mixed.mean().item()

    native, removed = precision(image, text), precision(*moved)
    assert native[0] > 0.6
    assert removed[0] == pytest.approx(native[0], abs=0.05)
    assert native[1] < 0.01  # the gap: everything of one's own modality is nearer than the matching half
    assert removed[1] > 0.1
