"""Pictures in: every kind lands on the same tensor, and every failure is one line that names the picture."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from obvert.io import PictureError, read_images

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
TRUTH = torch.from_numpy(PIXELS).movedim(-1, 0) / 255


def bomb(path: Path, width: int, height: int) -> Path:
    """A 1-bit PNG of any size in a hundred bytes: a true header over data for a few rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(50_000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def fails(picture: object, *parts: str) -> None:
    """Reading fails in one line that holds all the parts."""
    with pytest.raises(PictureError) as caught:
        read_images(picture)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_every_kind_of_picture_is_the_same_tensor(tmp_path: Path) -> None:
    path = tmp_path / "a.PNG"
    Image.fromarray(PIXELS).save(path)
    kinds = [path, str(path), Image.open(path), path.read_bytes(), PIXELS, PIXELS / 255, (PIXELS / 255).astype(">f4")]
    kinds += [torch.from_numpy(PIXELS).movedim(-1, 0), TRUTH, TRUTH.double()]
    for x in read_images(kinds):
        assert x.dtype == torch.float32
        torch.testing.assert_close(x, TRUTH, rtol=0, atol=1e-7)
    kinds[2].close()


def test_one_picture_is_a_list_of_one() -> None:
    for one in (PIXELS, TRUTH, Image.fromarray(PIXELS)):
        (x,) = read_images(one)
        assert torch.equal(x, TRUTH)
    assert read_images([]) == []


def test_read_only_array_is_copied() -> None:
    pixels = PIXELS.copy()
    pixels.flags.writeable = False
    assert torch.equal(read_images(pixels)[0], TRUTH)


def test_gradient_reaches_a_tensor() -> None:
    x = TRUTH.clone().requires_grad_()
    read_images(x)[0].sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    stored = np.zeros((16, 32, 3), dtype=np.uint8)
    stored[:8, :8] = 255  # one white block in the corner that says where up is
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=95)
    (x,) = read_images(tmp_path / "a.jpg")
    turned = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    assert x.shape == ((3, 16, 32) if orientation < 5 else (3, 32, 16))
    corner = x.mean(0).unflatten(0, (2, -1)).unflatten(2, (2, -1))[turned[0], :, turned[1]]
    assert corner.sum() > 0.95 * x.mean(0).sum() > 50


def test_transparency_is_white(tmp_path: Path) -> None:
    rgba = np.dstack([PIXELS, np.full((5, 7), 255, np.uint8)])
    rgba[0, :, 3] = 0
    expected = TRUTH.clone()
    expected[:, 0] = 1
    image = Image.fromarray(rgba)
    image.save(tmp_path / "a.png")
    palette = Image.new("P", (4, 3), 1)
    palette.putpalette([10, 20, 30, 255, 0, 0])
    palette.putpixel((0, 0), 0)
    palette.save(tmp_path / "p.png", transparency=0)
    for x in read_images([tmp_path / "a.png", image, rgba, rgba / 255]):
        torch.testing.assert_close(x, expected)
    (x,) = read_images(tmp_path / "p.png")
    assert x[:, 0, 0].tolist() == [1, 1, 1]
    assert x[:, 1, 1].tolist() == [1, 0, 0]


def test_grey_of_every_depth(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(grey > 127).save(tmp_path / "1.png")
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "f.tiff")
    eight, sixteen, real, array, one = read_images(
        [*(tmp_path / n for n in ("8.png", "16.png", "f.tiff")), grey, tmp_path / "1.png"]
    )
    for x in (eight, sixteen, real, array):
        torch.testing.assert_close(x, TRUTH[:1].expand(3, -1, -1))
    assert torch.equal(one, (TRUTH[:1] > 0.5).float().expand(3, -1, -1))


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "LA", "PA"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (4, 3), (204, 204, 204)).convert("L" if mode in ("LA", "PA") else "RGB").convert(mode)
    (x,) = read_images(image)
    torch.testing.assert_close(x, torch.full((3, 3, 4), 204 / 255), rtol=0, atol=0.01)


def test_cmyk_file(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    (x,) = read_images(tmp_path / "a.jpg")
    torch.testing.assert_close(x.mean((1, 2)), torch.tensor([1.0, 0, 0]), rtol=0, atol=0.02)


def test_broken_files(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    fails(tmp_path / "missing.png", "missing.png", "nothing there")
    fails(tmp_path, str(tmp_path), "a folder")
    fails(tmp_path / "text.png", "text.png", "need a picture")
    fails(tmp_path / "empty.png", "empty.png", "need a picture")
    fails(tmp_path / "half.jpg", "half.jpg", "truncated")
    fails([PIXELS, tmp_path / "text.png"], "text.png")


@pytest.mark.parametrize("edge", [8_001, 11_000, 50_000])
def test_bomb_is_refused_from_its_header(tmp_path: Path, edge: int) -> None:
    fails(bomb(tmp_path / "bomb.png", edge, edge), "bomb.png", "64,000,000")


def test_largest_picture_is_decoded(tmp_path: Path) -> None:
    fails(bomb(tmp_path / "short.png", 8_000, 8_000), "short.png", "cannot decode")


def test_wrong_arrays() -> None:
    fails(Image.new("RGB", (0, 4)), "pictures[0]", "0 x 4")
    fails([PIXELS, np.zeros((0, 4, 3))], "pictures[1]", "at least one pixel")
    fails(torch.zeros(3, 0, 4), "at least one pixel")
    fails(np.zeros((2, 5, 7, 3)), "(2, 5, 7, 3)")
    fails(np.zeros((3, 5, 7)), "(3, 5, 7)")
    fails(torch.zeros(5, 7, 3), "(3, H, W)", "(5, 7, 3)")
    fails(torch.zeros(2, 3, 5, 7), "(2, 3, 5, 7)")
    fails(PIXELS.astype(np.int64), "int64")
    fails(TRUTH.long(), "int64")
    fails(PIXELS.astype(float), "in [0, 1]", f"to {PIXELS.max()}")
    fails(TRUTH - 0.5, "in [0, 1]", "-0.")
    fails(torch.where(TRUTH > 0.5, torch.nan, TRUTH), "nan")
    fails(np.full((2, 2, 4), np.nan), "nan")
    fails([3], "pictures[0]", "int")


def test_import_is_light() -> None:
    code = (
        "import sys, types, importlib.util as u; s = u.spec_from_file_location('io_', sys.argv[1]); m = u.module_from_spec(s);"
        "sys.modules['io_'] = m; s.loader.exec_module(m); assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    path = Path(__file__).parents[1] / "src/obvert/io.py"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
