"""The nouns of obvert: maps, objectives, fields, solvers, methods and what they return.

A frozen model maps x to y. A `Field` tells, at a point x, the error of each sample and a direction to move against; a
`Solver` turns directions into steps; `obvert.solvers.iterate` runs the two and returns a `Solution`; a `Method` sets
them up as one paper does and returns an `Inversion`.
"""

from obvert.core.autoencoder import Autoencoder
from obvert.core.contrast import Contrast, ContrastSet
from obvert.core.dataset import Judged, PictureSet, Stored, TextSet
from obvert.core.diffusion import Diffusion, Schedule
from obvert.core.method import Inversion, Method
from obvert.core.model import Card, DualEncoder, FeatureMap, Fitted, Modality, Reference
from obvert.core.parametrisation import Parametrisation, View
from obvert.core.reader import Answer, Domain, Reader
from obvert.core.search import Eval, Field, Map, Objective, ObvertError, Progress, Solution, Solver, Status, Stop, descent
from obvert.core.tuning import ImageTower, Tunable, Tuning
from obvert.core.watermark import Watermark
from obvert.core.writer import Writer

__all__ = [
    "Answer",
    "Autoencoder",
    "Card",
    "Contrast",
    "ContrastSet",
    "Diffusion",
    "Domain",
    "DualEncoder",
    "Eval",
    "FeatureMap",
    "Field",
    "Fitted",
    "ImageTower",
    "Inversion",
    "Judged",
    "Map",
    "Method",
    "Modality",
    "Objective",
    "ObvertError",
    "Parametrisation",
    "PictureSet",
    "Progress",
    "Reader",
    "Reference",
    "Schedule",
    "Solution",
    "Solver",
    "Status",
    "Stop",
    "Stored",
    "TextSet",
    "Tunable",
    "Tuning",
    "View",
    "Watermark",
    "Writer",
    "descent",
]
