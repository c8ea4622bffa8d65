"""The command decode-invert on tiny autoencoders of video and sound: files, pages, JSON, and what it refuses."""

from __future__ import annotations

import json
import re
import warnings
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import obvert
import obvert.models  # before diffusers  # noqa: F401
from obvert.cli import main
from obvert.core import Autoencoder
from obvert.media import Medium, save
from obvert.tasks.reconstruction import reconstruct, report

RATE = 16000


@pytest.fixture(scope="module")
def oobleck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of stereo sound at 16 kHz, 8 samples a latent."""
    from diffusers import AutoencoderOobleck

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("oobleck")
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        AutoencoderOobleck(
            encoder_hidden_size=8,
            downsampling_ratios=[2, 4],
            channel_multiples=[1, 1],
            decoder_channels=4,
            decoder_input_channels=4,
            sampling_rate=RATE,
        ).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of videos of 1 + 4 k frames."""
    from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("wan")
    AutoencoderKLWan(base_dim=8, z_dim=16, num_res_blocks=1, dim_mult=[1, 1, 1, 1]).save_pretrained(path)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A fifth of a second of a tone, stereo."""
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(RATE // 5) / RATE)
    return save(Medium(kind="sound", data=torch.stack([tone, -tone]), rate=RATE), tmp_path / "tone")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Six frames of a square that moves, of 16 x 16 pixels."""
    frames = np.full((6, 16, 16, 3), 60, np.uint8)
    for i, frame in enumerate(frames):
        frame[4:10, i : i + 6] = (220, 60, 40)
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(tmp_path / "ball.gif", save_all=True, append_images=rest, duration=50)
    return tmp_path / "ball.gif"


def test_sounds_become_latents_files_and_a_page_that_plays(
    oobleck: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["decode-invert", "--model", str(oobleck), "--out", str(out), "--max-steps", "3", "--gradient", "--json"]
    assert main([*argv, str(sound)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["sound"] == "tone"
    assert {"pixel_residual_db", "evaluations", "seconds", "status"} <= set(row)
    assert row["pixel_residual_db"] <= row["encoder_residual_db"]
    assert load_file(out / "latents.safetensors")["tone"].shape == (4, RATE // 5 // 8)
    with wave.open(str(out / "tone-decoded.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, RATE, RATE // 5)
    with Image.open(out / "tone-error.png") as image:
        assert image.height == 257
    page = (out / "report.html").read_text()
    assert page.count('<audio controls src="data:audio/wav;base64,') == 4
    assert "plays the first 6 seconds" in page
    assert not re.search(r"https?://", page)


@pytest.mark.filterwarnings("default::UserWarning")
def test_what_is_changed_about_a_sound_is_said(oobleck: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mono = save(Medium(kind="sound", data=torch.rand(1, 801) - 0.5, rate=8000), tmp_path / "mono")
    argv = ["decode-invert", "--model", str(oobleck), "--out", str(tmp_path / "out"), "--max-steps", "1", "--gradient"]
    assert main([*argv, str(mono)]) == 0
    told = capsys.readouterr().err
    assert "sound of 8000 Hz is resampled to the 16000 Hz of" in told
    assert "sound of 1 channels is repeated for 2 channels" in told
    assert "padded to 1608" in told


def test_videos_become_latents_files_and_a_page_that_moves(
    wan: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["decode-invert", "--model", str(wan), "--out", str(out), "--max-steps", "1", "--frames", "5", "--json"]
    assert main([*argv, str(video)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["video"] == "ball"
    assert load_file(out / "latents.safetensors")["ball"].shape == (16, 2, 2, 2)
    with Image.open(out / "ball-decoded.webp") as image:
        assert (image.size, image.n_frames) == ((16, 16), 5)
        image.load()
        assert image.info["duration"] == 50
    with Image.open(out / "ball-error.png") as image:
        assert image.size == (5 * 16, 16)
    assert (out / "report.html").read_text().count("data:image/png;base64") == 4
    report_ = json.loads((out / "report.json").read_text())
    assert report_["rows"][0]["video"] == "ball"


def test_an_autoencoder_of_pictures_takes_videos_by_frames(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["decode-invert", "--model", "zoo/vae-tiny", "--by-frames", "--frames", "2", "--max-steps", "1", "--json"]
    assert main([*argv, "--out", str(tmp_path / "out"), str(video)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["video"] == "ball"
    assert load_file(tmp_path / "out" / "latents.safetensors")["ball"].shape[1] == 2


@pytest.mark.parametrize(
    ("model", "files", "more", "told"),
    [
        ("wan", ["ball.gif"], [], "ball: need 1 + 4 k frames for"),
        ("wan", ["ball.gif"], ["--frames", "0"], "need 1 frame or more of a video, got 0"),
        ("wan", ["tone.wav"], [], "tone.wav: need a video, got a file without frames"),
        ("wan", ["nothing"], [], "nothing: need a frame or more, got none"),
        ("wan", ["ball.gif"], ["--by-frames"], "need an autoencoder of pictures to go by frames"),
        ("oobleck", ["ball.gif"], [], "ball.gif: need a sound file"),
        ("oobleck", ["tone.wav"], ["--frames", "3"], "need a model of videos to take so many frames"),
        ("oobleck", ["tone.wav", "gone.wav"], [], "gone.wav: need a sound file, got nothing there"),
    ],
)
def test_what_it_cannot_use_is_told_in_one_line_and_leaves_nothing(
    model: str,
    files: list[str],
    more: list[str],
    told: str,
    sound: Path,
    video: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    (tmp_path / "nothing").mkdir()
    argv = ["decode-invert", "--model", str(request.getfixturevalue(model)), "--out", str(tmp_path / "out"), *more]
    assert main([*argv, *(str(tmp_path / file) for file in files)]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball.gif", "nothing", "tone.wav"]


def test_a_page_holds_so_much_of_a_medium_and_not_more() -> None:
    toy = Autoencoder.from_functions(lambda x: x, lambda z: 0.9 * z, media="video", name="toy")
    draw = torch.Generator().manual_seed(0)
    media = {f"v{i}": Medium(kind="video", data=torch.rand(3, 2, 40, 50, generator=draw)) for i in range(10)}
    page = report(toy, reconstruct(toy, media, obvert.DecoderInversion(max_steps=1)), None)
    assert len(page.blocks[0].queries) == 8  # type: ignore[union-attr]
    assert len(page.rows) == 10
