"""Plain class folders: sorted, labelled, hidden files left out, and what is no such folder is refused."""

from pathlib import Path

import pytest
from PIL import Image

from obvert.datasets.folder import read
from obvert.io import PictureError


def plant(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4 + i, 3), (i, 0, 0)).save(root / name)
    return root


def test_folder_is_sorted_and_labelled(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "dog/2.png",
        "dog/1.JPG",
        "cat/deep/er/3.webp",
        "cat/.hidden.png",
        ".git/4.png",
        "5.png",
        "cat/6.TIFF",
        "ant/7.gif",
    )
    (tmp_path / "dog/notes.txt").write_text("text")
    (tmp_path / "dog/8.jpeg").write_text("text")
    found = read(tmp_path)
    files = ["ant/7.gif", "cat/6.TIFF", "cat/deep/er/3.webp", "dog/1.JPG", "dog/2.png", "dog/8.jpeg"]
    assert [path.relative_to(tmp_path).as_posix() for path in found.paths] == files
    assert found.classes == ["ant", "cat", "dog"]
    assert found.labels == [0, 1, 1, 2, 2, 2]
    assert found.queries is None


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="nothing there"):
        read(tmp_path / "missing")
    with pytest.raises(PictureError, match=r"FOLDER/CLASS/picture.jpg, got 0 class folders without pictures and 0 pictures"):
        read(tmp_path)
    plant(tmp_path, "1.png", "2.png")
    (tmp_path / "cat").mkdir()
    with pytest.raises(PictureError, match="got 1 class folders without pictures and 2 pictures outside"):
        read(tmp_path)
    with pytest.raises(PictureError, match="a file"):
        read(tmp_path / "1.png")
