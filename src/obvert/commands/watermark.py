"""Put watermarks into generated pictures, find them, and measure how well: obvert watermark embed, detect, bench."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from obvert.commands._common import bars, parse, say, show
from obvert.commands._watermark import WatermarkOptions
from obvert.core import ObvertError
from obvert.registry import unknown
from obvert.store import Run, new_folder, taken
from obvert.tasks._watermark_tools import INVERSIONS, decoder_inversion, diffusion_inversion, drawing, tools

FEW = 8
"""Pictures drawn at once."""


@dataclass(frozen=True, kw_only=True)
class Embed(WatermarkOptions):
    """Draw pictures that carry a key."""

    caption: tuple[str, ...]
    """What is drawn, a picture for each."""
    key: int
    """Seed of the key: the secret."""
    out: Path
    """Folder to write: 0.png, 1.png, ..., about.json, which holds all but the key and the seed."""
    guidance: float = 3.0
    """Of the captions."""
    seed: int = 0
    """Of the noise; caption i starts from seed + i."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the pictures as JSON."""


@dataclass(frozen=True, kw_only=True)
class Detect(WatermarkOptions):
    """Say whether pictures carry a key, and which."""

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Picture files; those of another size than the model draws are cropped to its shape and resized."""
    key: int
    """Seed of the first key."""
    keys: int = 1
    """How many keys are tried: KEY, KEY + 1, ...; the p-value counts for all of them together."""
    by: str = "gradient-free"
    """Decoder inversion: encoder, gradient or gradient-free."""
    json: bool = False
    """Print the findings as JSON."""


@dataclass(frozen=True, kw_only=True)
class Bench(WatermarkOptions):
    """Draw, attack, invert and ask. An interrupted benchmark goes on where it stopped."""

    out: Path
    """Folder to write: report.html, report.json, report.md."""
    keys: int = 3
    """Keys 0, 1, ... that are told apart; of the published mask, those that follow the seeds of the noises."""
    captions: int = 100
    """Captions drawn, of scenes that no training saw; with --texts, the first so many lines."""
    texts: Path | None = None
    """Text file with a caption a line."""
    attack: str = "all"
    """Attacks, separated by commas, or all: none, jpeg, blur, noise, crop, rotation, brightness."""
    by: str = ",".join(INVERSIONS)
    """Decoder inversions, separated by commas."""
    guidance: float = 3.0
    """Of the captions."""
    batch: int = FEW
    """Pictures at once."""
    seed: int = 0
    """Of noises, attacks and intervals."""
    overwrite: bool = False
    """Replace what the folder holds."""
    json: bool = False
    """Print the rows as JSON."""

    def seeds(self) -> range:
        """Of the keys. Published ones are taken from noise of torch's own seeds: none may be that of a clean picture."""
        own = self.scheme == "tree-ring" and self.ring.mask == "published"
        first = self.seed + self.captions if own else 0
        return range(first, first + self.keys)


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    actions: dict[str, tuple[Any, Callable[[Any, str], int]]] = {
        "embed": (Embed, embed),
        "detect": (Detect, detect),
        "bench": (Bench, bench),
    }
    if not argv or argv[0] in ("-h", "--help"):
        say("usage: obvert watermark {embed,detect,bench} [OPTIONS]; each has its own --help")
        return 0 if argv else 2
    if argv[0] not in actions:
        raise ObvertError(unknown("action", argv[0], list(actions)))
    kind, act = actions[argv[0]]
    titled: Any = Annotated[kind, tyro.conf.arg(name="")]
    options = parse(titled, argv[1:], f"watermark {argv[0]}")
    return act(options, " ".join(argv))


def embed(options: Embed, said: str) -> int:
    """Draw pictures with a key."""
    import torch
    from PIL import Image

    from obvert.core.diffusion import draw_noise

    taken(options.out, overwrite=options.overwrite)
    if not options.caption:
        raise ObvertError("need at least one caption, got none")
    model, watermark = options.pipeline(), options.watermark()
    noise = watermark.embed(draw_noise(model.shape, len(options.caption), options.seed), watermark.key(model.shape, options.key))
    draw = drawing(model, options.steps, options.guidance)
    parts = [draw(options.caption[i : i + FEW], noise[i : i + FEW].to(model.device)) for i in range(0, len(noise), FEW)]
    rows = []
    with new_folder(options.out, overwrite=options.overwrite) as folder:
        for i, (caption, picture) in enumerate(zip(options.caption, torch.cat(parts), strict=True)):
            pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            Image.fromarray(pixels).save(folder / f"{i}.png")
            rows.append({"task": "watermarked", "picture": str(options.out / f"{i}.png"), "caption": caption})
        about: dict[str, Any] = {"model": asdict(model.card), "watermark": options.described(), "captions": list(options.caption)}
        about |= {"steps": options.steps, "guidance": options.guidance, "shape": list(model.shape)}
        (folder / "about.json").write_text(json.dumps(about, indent=1, ensure_ascii=False, default=str))
    show(rows, as_json=options.json)
    say(f"saved in {options.out}; obvert watermark detect --key KEY{options.told()} PICTURE... finds them", options.json)
    return 0


def detect(options: Detect, said: str) -> int:
    """Ask pictures for keys."""
    import torch

    from obvert.io import read_images
    from obvert.tasks._fit import fit, native_size
    from obvert.tasks.watermark import ALARM

    if not options.images or options.keys < 1:
        raise ObvertError(f"need at least one picture and one key, got {len(options.images)} and {options.keys}")
    pictures = read_images(list(options.images))
    model, watermark = options.pipeline(), options.watermark()
    invert, back = decoder_inversion(model, options.by), diffusion_inversion(model, options.steps)
    keys = [watermark.key(model.shape, options.key + k) for k in range(options.keys)]
    size = native_size(model)
    pictures = [fit(picture, size, str(path)) for picture, path in zip(pictures, options.images, strict=True)]
    rows = []
    for i in range(0, len(pictures), FEW):
        noise = back(invert(torch.stack(pictures[i : i + FEW]))).float().cpu()
        told, p = watermark.identify(noise, keys), torch.stack([watermark.p_value(noise, key) for key in keys])
        for j, k in enumerate(told.tolist()):
            chance = min(1.0, options.keys * p[k, j].item())
            row = {"task": "watermarks", "picture": str(options.images[i + j]), "watermarked": chance < ALARM}
            rows.append(row | {"p_value": chance, "key": options.key + k})
    for row in rows if not options.json else ():
        row["p_value"] = f"{row['p_value']:.2g}"
    show(rows, as_json=options.json)
    return 0


def bench(options: Bench, said: str) -> int:
    """Measure."""
    from obvert.attacks import ATTACKS, check
    from obvert.report import write
    from obvert.tasks._watermark_report import mask_bug, report
    from obvert.tasks.watermark import bench

    taken(options.out, overwrite=options.overwrite)
    attacks = list(ATTACKS) if options.attack == "all" else _parts(options.attack)
    check(attacks)
    captions = _captions(options)
    model, watermark = options.pipeline(), options.watermark()
    given = tools(model, _parts(options.by), steps=options.steps, guidance=options.guidance)
    settings = {k: v for k, v in asdict(options).items() if k not in ("overwrite", "json", "device", "out")}
    mark = settings | {"sha256": model.card.sha256, "said": captions}
    with Run(options.out, mark, overwrite=options.overwrite) as work, bars(options.json) as bar:
        found = bench(
            model,
            watermark,
            captions,
            given,
            keys=options.seeds(),
            attacks=attacks,
            batch=options.batch,
            seed=options.seed,
            run=work,
            progress=bar,
        )
        bug = mask_bug() if options.scheme == "tree-ring" else []
        page = report(model, watermark, found, bug, title=f"Watermarks, {options.scheme}, {options.model}")
        write(replace(page, meta={**page.meta, "command": f"obvert watermark {said}", "settings": settings}), work.folder)
    show(page.rows, as_json=options.json)
    say(f"report: {options.out / 'report.html'}", options.json)
    return 0


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _captions(options: Bench) -> list[str]:
    from obvert.datasets._files import text
    from obvert.zoo.exam import HELD_OUT
    from obvert.zoo.scenes import caption, sample

    if min(options.captions, options.keys, options.batch) < 1:
        raise ObvertError(f"need captions, keys and batch of 1 or more, got {options.captions}, {options.keys}, {options.batch}")
    if options.texts is None:
        return [caption(scene) for scene in sample(options.captions, HELD_OUT + 501)]
    lines = [line.strip() for line in text(options.texts).splitlines() if line.strip()]
    if not lines:
        raise ObvertError(f"need a caption a line in {options.texts}, got none")
    return lines[: options.captions]
