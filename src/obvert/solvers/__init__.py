"""Solvers: directions into steps. One a file; the loop that runs them is `iterate`, which may be told when to stop."""

from obvert.solvers.adam import Adam
from obvert.solvers.anderson import Anderson
from obvert.solvers.forward import ForwardStep
from obvert.solvers.gn_secant import GNSecant
from obvert.solvers.hybrid import Hybrid
from obvert.solvers.inertial_km import InertialKM
from obvert.solvers.iterate import iterate
from obvert.solvers.plateau import Plateau
from obvert.solvers.residual_rate import ResidualRate
from obvert.solvers.scheduled_adam import ScheduledAdam
from obvert.solvers.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "Anderson",
    "ForwardStep",
    "GNSecant",
    "Hybrid",
    "InertialKM",
    "Plateau",
    "ResidualRate",
    "ScheduledAdam",
    "iterate",
]
