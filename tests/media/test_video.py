"""Videos: animations, folders of frames and films come in frame by frame, upright, and go out without a loss."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from obvert.core import Autoencoder, ObvertError
from obvert.io import PictureError
from obvert.media import Medium, difference, read, save, still

TOY = Autoencoder.from_functions(lambda x: x, lambda z: z, media="video", name="toy")
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 10, 3), dtype=np.uint8)
VIDEO = torch.from_numpy(FRAMES).permute(3, 0, 1, 2).float() / 255


def film(path: Path, count: int = 5) -> Path:
    """A square whose upper left quarter is white, brighter from frame to frame."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for i in range(count):
            picture = np.full((32, 64, 3), 10 + 10 * i, np.uint8)
            picture[:16, :32] = 255
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_animations_and_folders_are_read_exactly(tmp_path: Path, kind: str) -> None:
    first, *rest = (Image.fromarray(frame) for frame in FRAMES)
    first.save(tmp_path / f"a.{kind}", save_all=True, append_images=rest, duration=40, lossless=True, exact=True)
    found = read(tmp_path / f"a.{kind}", TOY)
    assert (found.kind, found.rate) == ("video", pytest.approx(25))
    torch.testing.assert_close(found.data, VIDEO)
    torch.testing.assert_close(read(tmp_path / f"a.{kind}", TOY, frames=3).data, VIDEO[:, :3])


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, frame in zip((1, 2, 9, 10, 100), FRAMES, strict=True):
        Image.fromarray(frame).save(tmp_path / f"f{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / ".hidden.png").write_text("no frame")
    found = read(tmp_path, TOY)
    torch.testing.assert_close(found.data, VIDEO)
    assert found.rate is None
    assert torch.equal(read(tmp_path / "f10.png", TOY).data, found.data[:, 3:4])


def test_gifs_keep_their_frames_and_unequal_times_give_a_mean_rate(tmp_path: Path) -> None:
    grey = [Image.fromarray(np.full((4, 4), 40 * i, np.uint8)) for i in range(3)]
    grey[0].save(tmp_path / "a.gif", save_all=True, append_images=grey[1:], duration=[100, 100, 400])
    found = read(tmp_path / "a.gif", TOY)
    assert found.data.shape == (3, 3, 4, 4)
    assert found.rate == pytest.approx(5)
    torch.testing.assert_close(found.data[0, :, 0, 0] * 255, torch.tensor([0.0, 40.0, 80.0]))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = save(Medium(kind="video", data=VIDEO, rate=20.0), tmp_path / "a-decoded")
    assert path.name == "a-decoded.webp"
    found = read(path, TOY)
    torch.testing.assert_close(found.data, VIDEO)
    assert found.rate == pytest.approx(20)
    assert read(save(Medium(kind="video", data=VIDEO), tmp_path / "b"), TOY).rate == pytest.approx(10)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "avi"])
def test_films_are_read_frame_by_frame(tmp_path: Path, suffix: str) -> None:
    found = read(film(tmp_path / f"a.{suffix}"), TOY)
    assert found.data.shape == (3, 5, 32, 64)
    assert found.rate == pytest.approx(8)
    assert (found.data[:, :, 2:14, 2:30] > 0.9).all()
    brightness = found.data[0, :, 24, 48] * 255
    torch.testing.assert_close(brightness, torch.arange(10.0, 60, 10), rtol=0, atol=4)
    assert read(tmp_path / f"a.{suffix}", TOY, frames=2).data.shape[1] == 2


def test_a_film_that_was_turned_is_shown_upright(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")

    def matrix(a: int, b: int, c: int, d: int) -> bytes:
        return b"".join(x.to_bytes(4, "big", signed=True) for x in (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30))

    head, track, rest = path.read_bytes().split(matrix(1, 0, 0, 1))  # of the film, of its track
    path.write_bytes(head + matrix(1, 0, 0, 1) + track + matrix(0, 1, -1, 0) + rest)  # a quarter to the right
    found = read(path, TOY).data
    assert found.shape == (3, 5, 64, 32)
    assert (found[:, :, 2:30, 18:30] > 0.9).all()
    assert (found[:, 0, 34:, :] < 0.2).all()


def test_what_is_left_is_over_grey_and_stands_in_a_row() -> None:
    given, seen = (Medium(kind="video", data=torch.full((3, 20, 2, 4), x)) for x in (0.5, 0.525))
    left = difference(seen, given)
    torch.testing.assert_close(left.data, torch.full((3, 20, 2, 4), 0.7))
    moving = Medium(kind="video", data=torch.arange(20.0).expand(3, 2, 4, 20).permute(0, 3, 1, 2) / 20)
    row = still(moving).data
    assert row.shape == (3, 2, 32)
    assert (row[0, 0, 0], row[0, 0, -1]) == (0, 0.95)
    assert still(Medium(kind="video", data=VIDEO[:, :1])).data.shape == (3, 6, 10)


def test_bad_videos_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("broken.mp4", "broken.gif"):
        (tmp_path / name).write_text("no video")
    (tmp_path / "empty").mkdir()
    (tmp_path / "unlike").mkdir()
    (tmp_path / "bad").mkdir()
    for i, frame in enumerate((FRAMES[0], FRAMES[0, :4])):
        Image.fromarray(frame).save(tmp_path / "unlike" / f"{i}.png")
    (tmp_path / "bad" / "0.png").write_text("no picture")
    first, *rest = (Image.fromarray(frame) for frame in FRAMES)
    first.save(tmp_path / "cut.png", save_all=True, append_images=rest)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:700])
    wrong = {
        "missing.mp4": "missing.mp4: need a video or a folder of frames, got nothing there",
        "broken.mp4": "broken.mp4: need a video, got what cannot be decoded",
        "broken.gif": "broken.gif: need an animation or a picture",
        "cut.png": "cut.png: need a video, got what cannot be decoded",
        "empty": "empty: need a frame or more, got none",
        "unlike": "unlike: need frames of one size, got 10 x 6 and, frame 2, 10 x 4",
        "bad": "0.png: need a picture",
    }
    for name, told in wrong.items():
        with pytest.raises((ObvertError, PictureError), match=told) as caught:
            read(tmp_path / name, TOY)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr("obvert.media.video.MAX_PIXELS", 32 * 64 * 3)
    with pytest.raises(ObvertError, match="need at most 6,144 pixels in all frames, got more; take fewer frames"):
        read(film(tmp_path / "long.mp4"), TOY)
    assert read(tmp_path / "long.mp4", TOY, frames=3).data.shape[1] == 3
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ObvertError, match=r"need PyAV to read .*long.mp4, got none: pip install 'obvert\[video\]'"):
        read(tmp_path / "long.mp4", TOY)
