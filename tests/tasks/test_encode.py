"""Encoding files in pieces: broken ones left out everywhere, finished pieces not encoded twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from obvert.core import PictureSet
from obvert.io import PictureError, read_images
from obvert.store import Run
from obvert.tasks import _encode
from obvert.tasks.retrieval import as_split
from obvert.zoo.draw import draw
from obvert.zoo.scenes import sample


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Six scenes, the third of them no picture."""
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, picture in zip(paths, draw(sample(6, 1)), strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
    paths[2].write_text("no picture")
    return paths


def test_the_broken_are_left_out_and_rows_counted_anew(clip, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encode, "CHUNK", 2)
    told: list[int] = []
    data = PictureSet(
        paths=files, labels=[0, 3, 2, 3, 0, 3], classes=["a", "no file", "lost", "b"], queries=[0, 2, 5], gallery=[1, 2, 3, 4]
    )
    found = _encode.encode(clip, data, progress=lambda done, total, error: told.append(done))
    good = [files[i] for i in (0, 1, 3, 4, 5)]
    torch.testing.assert_close(found.features, clip.image_features(read_images(good)).cpu(), rtol=0, atol=1e-5)
    assert found.pictures.paths == good
    assert found.pictures.labels == [0, 2, 2, 0, 2]
    assert found.pictures.classes == ["a", "no file", "b"]
    assert (found.pictures.queries, found.pictures.gallery) == ([0, 4], [1, 2, 3])
    assert len(found.broken) == 1
    assert "2.png: need a picture" in found.broken[0]
    assert told == [2, 4, 6]
    collection = as_split(found.pictures, found.features)
    assert collection.query_rows.tolist() == [0, 4]
    assert collection.self_index is None


def test_finished_pieces_are_not_encoded_again(clip, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encode, "CHUNK", 3)
    data = PictureSet(paths=files, labels=[0] * 6, classes=["a"])
    run = Run(tmp_path / "run", {})
    first = _encode.encode(clip, data, run=run)
    monkeypatch.setattr(type(clip), "image_features", lambda *_: pytest.fail("encoded again"))
    again = _encode.encode(clip, data, run=run)
    assert torch.equal(first.features, again.features)
    assert first.broken == again.broken


def test_nothing_readable_is_told(clip, files: list[Path]) -> None:
    with pytest.raises(PictureError, match="got 1 broken"):
        _encode.encode(clip, PictureSet(paths=files[2:3], labels=[0], classes=["a"]))
