"""Edit pictures by words: the noise of a picture under one caption, drawn again under another."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor

from obvert.commands._common import ModelOptions, bars, named, parse, say, show
from obvert.core import Diffusion, ObvertError, Status
from obvert.io import read_images
from obvert.media import Medium, save
from obvert.methods.diffusion_inversion import DiffusionInversion
from obvert.report import write
from obvert.solvers import ForwardStep
from obvert.store import new_folder, taken
from obvert.tasks._edit_report import report, rows
from obvert.tasks._fit import fit, native_size
from obvert.tasks.edit import Edited, edit

FEW = 8
"""Pictures edited at once."""


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions):
    """Turn what a caption says of pictures into what another says."""

    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """Picture files; those of another size than the model draws are cropped to its shape and resized."""
    source: str
    """Caption of the pictures as they are."""
    target: str
    """Caption of the pictures as they shall be."""
    out: Path
    """Folder to write: NAME-edited.png, NAME-reconstructed.png, report.html, report.json."""
    model: str = "zoo/diffusion"
    """A text-to-image pipeline: zoo/NAME, a folder, or a hub id owner/name[@revision]."""
    mask: Path | None = None
    """Picture as large as those given, or as the model draws: white where they may change, black where not."""
    keep_background: bool = False
    """Put back what lies outside the mask; without it the mask only measures."""
    guidance: float = 3.0
    """Towards the target caption."""
    steps: int = 50
    """Of the walk between noise and latents."""
    inversion: Literal["exact", "naive"] = "exact"
    """Backward Euler, solved at every step, or one pass a step that misses a little at each."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""

    def pipeline(self) -> Diffusion:
        """Load the model."""
        from obvert.models import load_diffusion

        return load_diffusion(self.model, device=self.device, dtype=self.dtype)

    def check(self) -> None:
        """ObvertError for options that do not go together."""
        if not self.pictures:
            raise ObvertError("need at least one picture to edit, got none")
        if not self.source.strip() or not self.target.strip():
            raise ObvertError(f"need a source and a target caption, got {self.source!r} and {self.target!r}")
        if self.keep_background and self.mask is None:
            raise ObvertError("need --mask to keep the background, got none")


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    options = parse(Options, argv, "edit")
    options.check()
    taken(options.out, overwrite=options.overwrite)
    method = DiffusionInversion(steps=options.steps, solver=ForwardStep(step_size=1.0) if options.inversion == "exact" else None)
    read = read_images(list(options.pictures))
    mask = None if options.mask is None else read_mask(options.mask)
    names, model = named(options.pictures), options.pipeline()
    size = native_size(model)
    pictures = torch.stack([fit(picture, size, str(path)) for picture, path in zip(read, options.pictures, strict=True)])
    masks = None
    if mask is not None:
        masks = torch.stack([_mask_of(mask, x, size, str(path)) for x, path in zip(read, options.pictures, strict=True)])
    found: list[Edited] = []
    with bars(options.json) as bar:
        for i in range(0, len(pictures), FEW):
            some = pictures[i : i + FEW]
            found.append(
                edit(
                    model,
                    some,
                    [options.source] * len(some),
                    [options.target] * len(some),
                    masks=None if masks is None else masks[i : i + FEW],
                    keep_background=options.keep_background,
                    method=method,
                    guidance=options.guidance,
                    progress=bar("inversion"),
                )
            )
    made = rows(names, found)
    page = report(model, found, pictures, masks, made)
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "out")}
    with new_folder(options.out, overwrite=options.overwrite) as folder:
        write(replace(page, meta={**page.meta, "command": f"obvert edit {shlex.join(argv)}", "settings": settings}), folder)
        for what, parts in (("edited", [x.pictures for x in found]), ("reconstructed", [x.reconstructed for x in found])):
            for name, picture in zip(names, torch.cat(parts), strict=True):
                save(Medium(kind="picture", data=picture), folder / f"{name}-{what}")
    show([{k: v for k, v in row.items() if options.json or k not in ("source", "target")} for row in made], as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return int(any(row["status"] == Status.NON_FINITE.name.lower() for row in made))


def read_mask(path: Path) -> Tensor:
    """(1, H, W), 1 where a picture is nearer to white than to black; ObvertError where it is so nowhere."""
    mask = (read_images(path)[0].mean(0, keepdim=True) >= 0.5).float()
    if not mask.any():
        raise ObvertError(f"{path}: need a mask that is white where pictures may change, got one that is black all over")
    return mask


def _mask_of(mask: Tensor, picture: Tensor, size: tuple[int, int], name: str) -> Tensor:
    """The mask, cropped and resized as its picture was."""
    if tuple(mask.shape[1:]) == size:
        return mask
    if mask.shape[1:] == picture.shape[1:]:
        inside = fit(mask, size, nearest=True)
        if not inside.any():
            raise ObvertError(f"need a mask with white left when it is cropped and resized as {name} is, got none")
        return inside
    sizes = [f"{width} x {height}" for height, width in (picture.shape[1:], size, mask.shape[1:])]
    raise ObvertError(f"need a mask as large as the picture, {sizes[0]}, or as the model draws, {sizes[1]}, got {sizes[2]}")
