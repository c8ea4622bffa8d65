"""What can be known about a fixed-point iteration from its points: how cocoercive the map was, and how it stretches.

References:
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), section 4
    | https://arxiv.org/abs/2409.18442
    | Numerical Methods for Large Eigenvalue Problems (Saad, 2011), chapter 6: Arnoldi
    | https://doi.org/10.1137/1.9781611970739
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def cocoercivity(points: Tensor, images: Tensor, limit: Tensor, limit_image: Tensor) -> Tensor:
    """How cocoercive a map was along an iteration: beta_k = <M z_inf - M z_k, z_inf - z_k> / |M z_inf - M z_k|^2.

    A diagnostic, no certificate: where it is positive against the point the iteration came to, it may still be negative
    against the one it should have come to.

    Args:
        points: (K, B, ...) z_k.
        images: (K, B, ...) M z_k, of a decoder E(D(z_k)).
        limit: (B, ...) z_inf: a late point, or the true one.
        limit_image: (B, ...) M z_inf.

    Returns:
        (K, B) fp64; NaN where z_k is mapped to the limit's image.

    Raises:
        ValueError: for shapes that do not belong together.
    """
    if points.shape != images.shape or limit.shape != limit_image.shape or points.shape[1:] != limit.shape:
        raise ValueError(
            f"need points and images (K, B, ...) and limits (B, ...), got {tuple(points.shape)}, {tuple(limit.shape)}"
        )
    apart, moved = ((a.double()[None] - b.double()).flatten(2) for a, b in ((limit, points), (limit_image, images)))
    size = moved.square().sum(2)
    return torch.where(size > 0, (moved * apart).sum(2) / size, torch.nan)


@torch.no_grad()
def local_spectrum(map: Callable[[Tensor], Tensor], z: Tensor, *, size: int = 20, step: float = 1e-3, seed: int = 0) -> Tensor:
    """Outer eigenvalues of a map's Jacobian at a point, by Arnoldi on central differences: 2 `size` evaluations.

    Args:
        map: (1, ...) -> (1, ...) of the same shape, e.g. z -> E(D(z)).
        z: (1, ...) the point.
        size: of the Krylov space; the extreme eigenvalues are found first.
        step: of the differences, as a share of |z|.
        seed: of the first direction.

    Returns:
        (m,) complex Ritz values, largest modulus first; m is `size`, or less where the space is exhausted.

    Raises:
        ValueError: unless z is one sample.
    """
    if len(z) != 1 or size < 1:
        raise ValueError(f"need one sample (1, ...) and size >= 1, got {tuple(z.shape)} and {size}")
    size = min(size, z.numel())
    length = step * z.norm().clamp(min=torch.finfo(z.dtype).tiny ** 0.5)
    draw = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed), dtype=z.dtype).to(z.device)
    basis, table = [(draw / draw.norm()).flatten().double()], torch.zeros(size + 1, size, dtype=torch.float64)
    for j in range(size):
        move = length * basis[j].to(z.dtype).view_as(z)
        image = ((map(z + move).double() - map(z - move).double()) / (2 * length.double())).flatten()
        whole = image.norm()
        for _ in range(2):  # twice is enough to stay orthogonal
            for i, known in enumerate(basis):
                share = known @ image
                table[i, j] += share.cpu()
                image = image - share * known
        left = image.norm()
        if not left > 1e-10 * whole:
            return _by_modulus(torch.linalg.eigvals(table[: j + 1, : j + 1]))
        table[j + 1, j] = left.cpu()
        basis.append(image / left)
    return _by_modulus(torch.linalg.eigvals(table[:size, :size]))


def _by_modulus(values: Tensor) -> Tensor:
    return values[values.abs().argsort(descending=True)]
