"""Solvers: directions into steps. One a file; the loop that runs them is `iterate`."""

from obvert.solvers.iterate import iterate
from obvert.solvers.plateau import Plateau

__all__ = ["Plateau", "iterate"]
