"""Draw scenes as pictures: signed distances, soft edges, everything in one batch.

Each shape is a signed distance in its own rotated frame (inside negative, unit half-width); half a pixel of its
edge is blended, so that shapes stay clear at 64 x 64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from obvert.zoo.scenes import COLOURS, SHAPES, SIDE, TEXTURES, Scene, Thing

RGB = {
    "red": (0.86, 0.10, 0.12),
    "orange": (0.96, 0.52, 0.05),
    "yellow": (0.95, 0.90, 0.15),
    "green": (0.13, 0.62, 0.16),
    "cyan": (0.15, 0.85, 0.88),
    "blue": (0.12, 0.22, 0.88),
    "purple": (0.50, 0.10, 0.66),
    "pink": (0.97, 0.52, 0.74),
}


def draw(scenes: Sequence[Scene], *, chunk: int = 256) -> Tensor:
    """Draw scenes.

    Args:
        scenes: what to draw.
        chunk: how many at a time; changes memory, never the picture.

    Returns:
        (B, 3, 64, 64) uint8. A scene's picture does not depend on the others.
    """
    if not scenes:
        return torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8)
    return torch.cat([_draw(scenes[i : i + chunk]) for i in range(0, len(scenes), chunk)])


def _draw(scenes: Sequence[Scene]) -> Tensor:
    grid = torch.arange(SIDE, dtype=torch.float32) + 0.5
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    canvas = _background(scenes, x, y)
    for slot in range(2):
        rows = [i for i, scene in enumerate(scenes) if len(scene.things) > slot]
        if rows:
            colour, cover = _things([scenes[i].things[slot] for i in rows], x, y)
            canvas[rows] += cover * (colour - canvas[rows])
    noise = torch.tensor([scene.background.noise for scene in scenes]).view(-1, 1, 1, 1)
    field, size = _noise_field(), 3 * SIDE * SIDE
    starts = [scene.background.noise_seed % (len(field) - size) for scene in scenes]
    canvas += noise * torch.stack([field[s : s + size] for s in starts]).view(-1, 3, SIDE, SIDE)
    return (canvas.clamp(0, 1) * 255).round().to(torch.uint8)


def _background(scenes: Sequence[Scene], x: Tensor, y: Tensor) -> Tensor:
    backs = [scene.background for scene in scenes]
    angle = torch.tensor([b.direction for b in backs]).view(-1, 1, 1)
    along = ((x - SIDE / 2) * angle.cos() + (y - SIDE / 2) * angle.sin()) / (SIDE * math.sqrt(2)) + 0.5
    near = torch.tensor([b.near for b in backs]).view(-1, 3, 1, 1)
    far = torch.tensor([b.far for b in backs]).view(-1, 3, 1, 1)
    fx, fy, contrast = torch.tensor([b.wave for b in backs]).T.reshape(3, -1, 1, 1)
    wave = contrast * (fx * x + fy * y).sin()
    return near + (far - near) * along[:, None] + wave[:, None]


def _things(things: Sequence[Thing], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Colour (B, 3, H, W) of each thing, and how much of each pixel it covers (B, 1, H, W)."""
    cx, cy, radius, angle, phase = torch.tensor([(t.x, t.y, t.radius, t.angle, t.phase) for t in things]).T.reshape(5, -1, 1, 1)
    dx, dy = x - cx, y - cy
    u, v = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
    cover, dark = torch.zeros_like(u), torch.zeros_like(u)
    for shape, distance in DISTANCES.items():
        rows = [i for i, thing in enumerate(things) if thing.shape == shape]
        if rows:
            cover[rows] = (0.5 - distance(u[rows] / radius[rows], v[rows] / radius[rows]) * radius[rows]).clamp(0, 1)
    for texture, pattern in PATTERNS.items():
        rows = [i for i, thing in enumerate(things) if thing.texture == texture]
        if rows:
            dark[rows] = pattern(u[rows] + phase[rows], v[rows] + phase[rows]).float()
    base = torch.tensor([RGB[t.colour] for t in things]) + torch.tensor([t.tint for t in things])
    colour = base.clamp(0, 1).view(-1, 3, 1, 1) * (1 - 0.5 * dark[:, None])
    return colour, cover[:, None]


@cache
def _noise_field() -> Tensor:
    """A fixed field of standard normal numbers; each scene reads its own stretch of it."""
    return torch.randn(1 << 21, generator=torch.Generator().manual_seed(0))


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return torch.hypot(x, y) - 0.92


def _square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) - 0.8


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    y = y - 0.2
    return torch.maximum(0.866 * x.abs() - 0.5 * y, y) - 0.58


def _star(x: Tensor, y: Tensor) -> Tensor:
    fifth = 2 * math.pi / 5
    turn = torch.atan2(x, -y)
    turn = (turn - fifth * (turn / fifth).round()).abs()
    r = torch.hypot(x, y)
    tip, notch = 1.05, 0.42
    nx, ny = notch * math.cos(fifth / 2), notch * math.sin(fifth / 2)
    length = math.hypot(tip - nx, ny)
    return ((r * turn.cos() - tip) * ny + r * turn.sin() * (tip - nx)) / length


def _cross(x: Tensor, y: Tensor) -> Tensor:
    x, y = x.abs(), y.abs()
    return torch.maximum(torch.maximum(x, y) - 0.95, torch.minimum(x, y) - 0.3)


def _ring(x: Tensor, y: Tensor) -> Tensor:
    return (torch.hypot(x, y) - 0.7).abs() - 0.22


def _heart(x: Tensor, y: Tensor) -> Tensor:
    x, y = x.abs(), y + 0.1
    lobe = torch.hypot(x - 0.42, y + 0.35) - 0.48
    tip = torch.maximum(0.72 * x + 0.69 * y - 0.66, -y - 0.3)
    return torch.minimum(lobe, torch.maximum(tip, x - 0.92))


def _moon(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(torch.hypot(x, y) - 0.95, 0.72 - torch.hypot(x - 0.48, y))


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(
    zip(SHAPES, (_circle, _square, _triangle, _star, _cross, _ring, _heart, _moon), strict=True)
)
PATTERNS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "plain": lambda u, v: torch.zeros_like(u),
    "striped": lambda u, v: u % 5 < 2,
    "dotted": lambda u, v: torch.hypot(u % 6 - 3, v % 6 - 3) < 1.6,
    "checked": lambda u, v: (u % 8 < 4) ^ (v % 8 < 4),
}
assert set(RGB) == set(COLOURS)
assert set(PATTERNS) == set(TEXTURES)
