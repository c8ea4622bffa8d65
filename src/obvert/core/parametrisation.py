"""Parametrisations and views: what stands for a medium while it is searched for, and how it is looked at.

    theta --parametrisation--> x --view--> view --> objective

A parametrisation decides which media are near and which are far; a view, drawn anew at each step, makes what is found hold
under small changes that do not change what a medium means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from obvert.core.reader import Domain


class Parametrisation(ABC):
    """theta -> x. A frozen dataclass of settings."""

    @abstractmethod
    def start(self, domain: Domain, count: int, seed: int) -> Tensor:
        """Where a search starts, the same for every sample, so that a batch equals its samples.

        Args:
            domain: of x.
            count: samples B.
            seed: of the draw, made on the CPU.

        Returns:
            (B, ...) theta, fp32; ObvertError for a domain it is not made for.
        """

    @abstractmethod
    def __call__(self, theta: Tensor, domain: Domain, share: float = 1.0) -> Tensor:
        """Render.

        Args:
            theta: (B, ...).
            domain: of x.
            share: of the search that is done, in [0, 1], for those that grow.

        Returns:
            (B, *domain.shape), differentiable.
        """


class View(ABC):
    """x -> another look at it, random, the same for every sample. A frozen dataclass of settings."""

    @abstractmethod
    def __call__(self, x: Tensor, domain: Domain, generator: torch.Generator) -> Tensor:
        """Look.

        Args:
            x: (B, *domain.shape).
            domain: of x.
            generator: of whatever is drawn, on the CPU.

        Returns:
            Like x, differentiable.
        """
