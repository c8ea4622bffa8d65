"""The pictures of README's first screen and of docs/concepts.md, from real runs on the zoo: python docs/images/first.py

First: a search by a picture, native and with OTI; what a captioner reads as wanted, naive and regularised, and what another
says of it; what a vision-language model sees as a concept, and another says of it; a picture's latents, found, and the picture
drawn again under another caption; which of two captions a dual encoder takes. Then: seven concepts, in every version of MIMIC.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import obvert
from obvert.composition.scene_pairs import stream
from obvert.core.diffusion import Diffusion
from obvert.models import load_diffusion, load_reader
from obvert.tasks.edit import edit
from obvert.zoo.depict import depict
from obvert.zoo.exam import HELD_OUT, kind, kinds, pictures
from obvert.zoo.scenes import sample

SIDE, GAP, LEFT, TOP, BELOW = 104, 10, 250, 20, 62
RIGHT, WRONG, PLAIN = "#2a9d4e", "#c8453b", "#999999"
FONT = ImageFont.load_default(15)
SMALL = ImageFont.load_default(12)
CONCEPTS = ["a red circle", "a blue star", "a yellow triangle", "a green moon", "a pink heart", "a cyan cross", "an orange ring"]
VERSIONS = {
    "naive": "naive: the answer alone",
    "v1": "MIMIC, first version",
    "v2": "MIMIC, second version",
    "ours": "ours",
}
Cell = tuple[Tensor, str, str]
"""Picture (3, H, W) in [0, 1], what stands below, colour of its frame."""


def search() -> list[tuple[str, list[Cell]]]:
    """Native features and OTI's among 512 held-out scenes, for the query that gains more than three quarters of them do."""
    clip = obvert.load("zoo/clip", device="cpu")
    scenes = sample(512, HELD_OUT + 201, things=1)
    seen, shown = pictures(scenes), [kinds()[kind(scene)] for scene in scenes]
    features = clip.image_features(seen)
    found = obvert.OTI(steps=17, batch=128)(clip, features, seed=0).features
    relevant = torch.tensor([[a == b for b in shown] for a in shown])
    relevant.fill_diagonal_(False)
    ranked = {"search by a picture": features @ features.T, "... through OTI, 17 steps": found @ features.T}
    precisions = []
    for scores in ranked.values():
        scores.fill_diagonal_(-2)
        precisions.append(obvert.metrics.average_precision(scores, relevant))
    gains = precisions[1] - precisions[0]
    query = int(gains.argsort()[3 * len(gains) // 4])
    rows = []
    for (name, scores), precision in zip(ranked.items(), precisions, strict=True):
        cells = [(seen[i], shown[i], RIGHT if relevant[query, i] else WRONG) for i in scores[query].argsort(descending=True)[:6]]
        told = f"{name}\nmean average precision {precision.nanmean():.2f}"
        rows.append((told, [(seen[query], f"query: {shown[query]}", PLAIN), *cells]))
    return rows


def captions() -> tuple[str, list[Cell]]:
    """Naive and regularised pictures that are read as wanted, with what another captioner says of the file."""
    captioner, other = (load_reader(name, device="cpu") for name in ("zoo/captioner", "zoo/captioner-2"))
    texts, cells = ["a yellow triangle", "a cyan cross", "a purple heart"], []
    for preset in ("naive", "regularised"):
        found = getattr(obvert.CaptionInversion, preset)(steps=300)(captioner, texts, seed=0)
        files = (found.features * 255).round() / 255
        for x, text, said in zip(files, texts, other.read(list(files)), strict=True):
            cells.append((x, wrap(f"{preset}; another reads: {said}"), RIGHT if said == text else WRONG))
    return f"what is read as\n{', '.join(texts[:2])},\n{texts[2]}", cells


def concepts(texts: list[str]) -> list[tuple[str, list[Cell]]]:
    """Real scenes of some concepts, then what each version of MIMIC finds of them, with what another model says of the file."""
    model, other = (load_reader(name, device="cpu") for name in ("zoo/vlm", "zoo/vlm-2"))
    real = [torch.stack(pictures(depict(text, 16, seed=0))) for text in texts]
    rows = [("scenes of the concept", [(drawn[1], wrap(text), PLAIN) for drawn, text in zip(real, texts, strict=True)])]
    for version, told in VERSIONS.items():
        found = obvert.MIMIC(version=version, steps=300)(model, texts, real=None if version == "naive" else real, seed=0)
        files = (found.features * 255).round() / 255
        said = zip(files, other.read(list(files)), texts, strict=True)
        rows.append((told, [(x, wrap(f"another reads: {text}"), RIGHT if text == wanted else WRONG) for x, text, wanted in said]))
    return rows


def latents() -> tuple[str, list[Cell]]:
    """The errors of latents, encoded and found, eight times; an edit by words."""
    model: Diffusion = load_diffusion("zoo/diffusion", device="cpu")
    scene = next(s for s in sample(512, HELD_OUT + 301, things=1) if (s.things[0].colour, s.things[0].shape) == ("red", "circle"))
    x = torch.stack(pictures([scene]))
    vae = model.autoencoder
    with torch.no_grad():
        drawn = vae.decode(vae.encode(x))
        given = (drawn * 255).round() / 255
        encoded, found = vae.encode(given), obvert.DecoderInversion()(vae, given, seed=0).x
        errors = [(0.5 + 8 * (vae.decode(z) - given)).clamp(0, 1) for z in (encoded, found)]
    made = edit(model, x, ["a red circle"], ["a blue circle"])
    cells = [
        (given[0], "a drawn picture", PLAIN),
        (errors[0][0], "error x 8 of the\nencoder's latents", WRONG),
        (errors[1][0], "... of those found", RIGHT),
        (x[0], "a red circle", PLAIN),
        (made.reconstructed[0], "inverted to noise\nand drawn again", RIGHT),
        (made.pictures[0], "... as\na blue circle", RIGHT),
    ]
    return "latents behind pictures,\nand noise behind those", cells


def composition() -> tuple[str, list[Cell]]:
    """The first pair of each of three swaps with short captions, each picture with the caption that zoo/clip finds nearer."""
    clip, cells = obvert.load("zoo/clip", device="cpu"), []
    for i, atom in enumerate(("colour", "size", "relation")):
        drawn = stream("swap", atom, 1, seed=(HELD_OUT + 401, i), most=2048)
        pair = next(pair for pair in drawn if max(len(wrap(text).splitlines()) for text in pair.captions) <= 3)
        seen = pictures([pair.before, pair.after])
        nearer = (clip.image_features(seen) @ clip.text_features(pair.captions).T).argmax(1).tolist()
        cells += [
            (x, wrap(pair.captions[n]), RIGHT if n == row else WRONG) for row, (x, n) in enumerate(zip(seen, nearer, strict=True))
        ]
    return "which of two captions\nzoo/clip takes for each:\nswapped colours, sizes,\nrelations", cells


def wrap(text: str) -> str:
    """In lines as wide as a picture."""
    return "\n".join(textwrap.wrap(text, 18, max_lines=4, placeholder=" ..."))


def main() -> None:
    """Run it all, and draw."""
    seen = concepts(CONCEPTS)
    naive, _, _, ours = (cells for _, cells in seen[1:])
    concept = ("what a vision-language\nmodel sees as\n" + ",\n".join(CONCEPTS[:3]), [*naive[:3], *ours[:3]])
    place = Path(__file__)
    save([*search(), captions(), concept, latents(), composition()], place.with_name("first.png"))
    save(seen, place.with_name("concepts.png"))


def save(rows: list[tuple[str, list[Cell]]], path: Path) -> None:
    """Draw rows of pictures."""
    height = SIDE + BELOW
    page = Image.new("RGB", (LEFT + 7 * (SIDE + GAP) + GAP, TOP + len(rows) * height), "white")
    pen = ImageDraw.Draw(page)
    for r, (name, cells) in enumerate(rows):
        y = TOP + r * height
        pen.multiline_text((16, y + 20), name, "#222222", FONT, spacing=6)
        for c, (x, below, colour) in enumerate(cells):
            left = LEFT + c * (SIDE + GAP)
            pixels = (x.clamp(0, 1).permute(1, 2, 0) * 255).round().byte().cpu().numpy()
            page.paste(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST), (left, y))
            pen.rectangle((left - 2, y - 2, left + SIDE + 1, y + SIDE + 1), outline=colour, width=2)
            pen.multiline_text((left, y + SIDE + 4), below, "#444444", SMALL, spacing=2)
    page.save(path, optimize=True)


if __name__ == "__main__":
    main()
