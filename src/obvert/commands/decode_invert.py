"""Find the latents behind pictures, video or sound: decoder inversion, without gradients or with."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from obvert.commands._common import ModelOptions, bars, named, parse, say, show
from obvert.core import Autoencoder, ObvertError, Status
from obvert.media import read, save, still
from obvert.methods.decoder_inversion import DecoderInversion
from obvert.methods.gradient_decoder_inversion import GradientDecoderInversion
from obvert.report import write
from obvert.solvers import Anderson, ForwardStep, GNSecant, Hybrid, InertialKM, ScheduledAdam
from obvert.store import Run, taken
from obvert.tasks.reconstruction import Rebuilt, reconstruct, report

SOLVERS: dict[str, Callable[[int], Any]] = {
    "anderson": lambda steps: Anderson(),
    "anderson-pixels": lambda steps: Anderson(pixels=True),
    "forward": lambda steps: ForwardStep(),
    "inertial-km": lambda steps: InertialKM(),
    "scheduled-adam": lambda steps: ScheduledAdam(horizon=max(1, min(steps, 100))),
    "gn-secant": lambda steps: GNSecant(),
    "hybrid": lambda steps: Hybrid(),
}
"""Solvers by name, each from the number of steps."""


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Find, for each picture, video or sound, the latents from which the decoder gives it."""

    media: tyro.conf.Positional[tuple[Path, ...]]
    """Files of what the model is of: pictures; videos, or folders of their frames; sounds."""
    out: Path
    """Folder to write: latents.safetensors, NAME-decoded (.png, .webp or .wav), NAME-error.png, report.html, report.json."""
    model: str = "zoo/vae"
    """zoo/NAME, a folder or a hub id owner/name[@revision]; of a whole pipeline, its vae is taken."""
    subfolder: str = ""
    """Part of a repository that holds the autoencoder, e.g. vae."""
    solver: Literal["anderson", "anderson-pixels", "forward", "inertial-km", "scheduled-adam", "gn-secant", "hybrid"] = "anderson"
    """Update rule; gn-secant and hybrid take gradients and their memory."""
    gradient: bool = False
    """Run the gradient baseline instead: Adam on the picture's error, lr .1 with a cosine."""
    by_frames: bool = False
    """Take videos, each frame through an autoencoder of pictures."""
    frames: int | None = None
    """Of each video, only the first so many."""
    max_steps: int = 50
    """Most steps."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Of the networks."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the results as JSON."""

    def method(self) -> Any:
        """The method that is asked for."""
        if self.gradient:
            if self.solver != "anderson":
                raise ObvertError(f"need --gradient or --solver, got --gradient and --solver {self.solver}")
            return GradientDecoderInversion(max_steps=self.max_steps, precision=self.precision)
        return DecoderInversion(solver=SOLVERS[self.solver](self.max_steps), max_steps=self.max_steps, precision=self.precision)


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "decode-invert")
    if not options.media:
        raise ObvertError("need at least one file to invert, got none")
    taken(options.out, overwrite=options.overwrite)
    method, model = options.method(), _load(options)
    media = {
        name: read(path, model, frames=options.frames) for name, path in zip(named(options.media), options.media, strict=True)
    }
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device", "out")}
    settings |= {"changed": [_changed(path) for path in options.media], "sha256": model.card.sha256}
    with Run(options.out, settings, overwrite=options.overwrite) as work, bars(options.json) as bar:
        found = reconstruct(model, media, method, run=work, progress=bar)
        page = report(model, found, method)
        write(replace(page, meta={**page.meta, "command": f"obvert decode-invert {shlex.join(argv)}"}), work.folder)
        _save(found, work.folder)
    show([part.row for part in found], as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return int(any(part.row["status"] == Status.NON_FINITE.name.lower() for part in found))


def _load(options: Options) -> Autoencoder:
    from obvert.models import by_frames, load_autoencoder

    model = load_autoencoder(options.model, device=options.device, dtype=options.dtype, subfolder=options.subfolder)
    if not options.by_frames:
        return model
    if model.media != "picture":
        raise ObvertError(f"need an autoencoder of pictures to go by frames, got {options.model} of {model.media}s")
    return by_frames(model)


def _changed(path: Path) -> list[int]:
    """When a file, or each file of a folder, was changed."""
    return [file.stat().st_mtime_ns for file in ([path] if path.is_file() else sorted(path.iterdir()))]


def _save(found: list[Rebuilt], folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({part.name: part.latents.contiguous() for part in found}, folder / "latents.safetensors")
    for part in found:
        save(part.seen, folder / f"{part.name}-decoded")
        save(still(part.error), folder / f"{part.name}-error")
