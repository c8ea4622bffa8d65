"""Worlds to draw and small models to train on them, with all weights embedded."""

import obvert.models  # noqa: F401  makes torchvision importable, which transformers looks for
