"""Blocks to what a page shows: curves and histograms to SVG, pictures to data URIs.

The SVG names colours by CSS variables, so that the page's light and dark schemes both reach it. Words stay out of it:
legend and labels are the page's, in the reader's own fonts; only the numbers on the axes are drawn.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from obvert.report.blocks import Curves, Dots, Histograms, Shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#7f7f7f")
"""Okabe and Ito's colours, which stay apart for colour-blind readers; yellow and black give way to two that always show."""
INK, RULE = "#010101", "#020202"
SIDE, LOSSLESS = 96, 32
"""Pictures are shrunk to 96 px; up to 32 px they are kept exact."""


class Key(NamedTuple):
    """An entry of a legend."""

    name: str
    colour: int
    style: Literal["solid", "dashdot", "dashed", "dotted", "area"]


def legend(block: Curves | Histograms | Dots | Shares, colours: dict[str, int]) -> list[Key]:
    """The legend of a figure.

    Args:
        block: the figure.
        colours: number of each name's colour; new names are added, so that a name keeps its colour over a report unless
            another of the same figure has it.

    Returns:
        One entry for each series, baseline and mark, in the order drawn.
    """

    if isinstance(block, Shares):
        colours.update(block.colours)
    styles: list[tuple[str, Any]] = [(name, "solid" if isinstance(block, Curves) else "area") for name in block.series]
    if isinstance(block, Curves | Dots):
        styles += [(name, "dashed") for name in block.lines]
    if isinstance(block, Curves):
        styles += [(name, "dotted") for name in block.marks]
    known, used, keys = {colours[name] for name, _ in styles if name in colours}, set[int](), []
    for name, style in styles:
        colour = colours.get(name)
        if colour is None or colour in used:
            colour = next(i for i in itertools.count() if i not in known | used)
        used.add(colour)
        colours.setdefault(name, colour)
        keys.append(Key(name, colour % len(CYCLE), "dashdot" if style == "solid" and colour >= len(CYCLE) else style))
    return keys


def draw(block: Curves | Histograms, keys: list[Key], *, prefix: str) -> str:
    """Draw a figure.

    Args:
        block: the figure.
        keys: its legend.
        prefix: put before every id, so that figures share a page in peace.

    Returns:
        An `<svg>` element without background, legend or labels.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "obvert",
            "font.size": 8.5,
            "axes.formatter.limits": (-3, 5),
            "axes.formatter.useoffset": False,
        }
    ):
        figure = Figure(figsize=(5, 2.7), layout="constrained")
        axes = figure.add_subplot()
        if isinstance(block, Curves):
            _curves(axes, block, keys)
        else:
            _histograms(axes, block, keys)
        _dress(axes)
        page = io.StringIO()
        FigureCanvasSVG(figure).print_svg(page, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _inline(page.getvalue(), prefix)


def _curves(axes: Axes, block: Curves, keys: list[Key]) -> None:
    from matplotlib.ticker import MaxNLocator

    room = max(48, 1600 // max(1, len(block.series) + 2 * len(block.bands)))
    shown = {name: np.asarray(x, dtype=float) for name, (x, _) in block.series.items()}
    log = block.log_x and any((x > 0).any() for x in shown.values())
    for key in keys:
        style: dict[str, Any] = {"color": CYCLE[key.colour], "linewidth": 1.7 if key.style in ("solid", "dashdot") else 1.3}
        style["linestyle"] = key.style
        if key.style == "dashed":
            axes.axhline(block.lines[key.name], **style)
        elif key.style == "dotted":
            if not log or block.marks[key.name] > 0:
                axes.axvline(block.marks[key.name], **style)
        else:
            keep = _thin(shown[key.name], room, log=log)
            x, y = shown[key.name][keep], np.asarray(block.series[key.name][1], dtype=float)[keep]
            if key.name in block.bands:
                low, high = (np.asarray(end, dtype=float)[keep] for end in block.bands[key.name])
                axes.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)
            axes.plot(x, y, marker="o" if len(keep) <= 12 else "", markersize=3.5, **style)
    if shown and all((x == x.round()).all() for x in shown.values()):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # there are no half steps
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        low, high = axes.get_xlim()
        decades = any(low <= 10.0**k <= high for k in range(-12, 13))
        axes.xaxis.set_minor_formatter((lambda value, _: "") if decades else (lambda value, _: f"{value:g}"))


def _thin(x: np.ndarray, room: int, *, log: bool) -> np.ndarray:
    """Indices of at most `room` points, evenly spread along the axis."""
    keep = np.flatnonzero(x > 0) if log else np.arange(len(x))
    if len(keep) <= room:
        return keep
    places = np.geomspace(1, len(keep), room) - 1 if log else np.linspace(0, len(keep) - 1, room)
    return keep[np.unique(places.round().astype(int))]


def _histograms(axes: Axes, block: Histograms, keys: list[Key]) -> None:
    samples = {name: np.asarray(values, dtype=float).ravel() for name, values in block.series.items()}
    samples = {name: values[np.isfinite(values)] for name, values in samples.items()}
    edges = np.histogram_bin_edges(np.concatenate([np.empty(0), *samples.values()]), bins=48)
    for key in keys:
        if len(samples[key.name]):
            density, _ = np.histogram(samples[key.name], bins=edges, density=True)
            axes.stairs(density, edges, fill=True, color=CYCLE[key.colour], alpha=0.22, linewidth=0)
            axes.stairs(density, edges, color=CYCLE[key.colour], linewidth=1.4)
    axes.set_ylim(bottom=0)


def _dress(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", which="both", color=INK, labelcolor=INK, length=3)
    axes.tick_params(axis="y", which="both", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.offsetText.set_color(INK)


def _inline(text: str, prefix: str) -> str:
    """Make a stand-alone SVG fit to sit inside a page, and small."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(xmlns(:\w+)?|width|height|version)="[^"]*"', "", text, count=5)
    text = re.sub(r'(?<=<g) id="[^"]*"| transform="rotate\(-0 [^"]*"|font-(size|family): [^;"]*; ', "", text)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    names = {INK: "currentColor", RULE: "var(--rule)", **{colour: f"var(--c{i})" for i, colour in enumerate(CYCLE)}}
    text = re.sub("|".join(names), lambda m: names[m[0]], text)
    # Attributes only: the numbers on the axes stay as they are.
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag[0]), text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def data_uri(picture: Any, side: int = SIDE) -> str:
    """A picture as an address that holds it.

    Args:
        picture: (3, H, W) or (H, W, 3) tensor or array, uint8 or float in [0, 1]; floats outside are clipped.
        side: pixels that its longer edge is shrunk to.

    Returns:
        A data URI, PNG for tiny pictures and JPEG for others.

    Raises:
        ValueError: if the shape is another.
    """
    from PIL import Image

    if hasattr(picture, "detach"):
        picture = picture.detach().cpu()
        picture = picture.float() if picture.is_floating_point() else picture
    pixels = np.asarray(picture)
    if pixels.ndim != 3 or 3 not in (pixels.shape[0], pixels.shape[2]):
        raise ValueError(f"a picture is (3, H, W) or (H, W, 3), not {pixels.shape}")
    pixels = pixels.transpose(1, 2, 0) if pixels.shape[0] == 3 else pixels
    if pixels.dtype != np.uint8:
        pixels = (np.nan_to_num(pixels).clip(0, 1) * 255).round().astype(np.uint8)
    image, page = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    image.thumbnail((side, side))
    kind = "png" if max(image.size) <= LOSSLESS else "jpeg"
    image.save(page, kind, **({"optimize": True} if kind == "png" else {"quality": 86, "subsampling": 0}))
    return f"data:image/{kind};base64,{base64.b64encode(page.getvalue()).decode()}"
