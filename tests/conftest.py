"""Fixtures of the whole suite: the embedded CLIP, and real data where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
torch.set_num_threads(1)
settings.register_profile("busy", deadline=None)  # a busy machine says nothing about the code
settings.load_profile("busy")


@pytest.fixture(scope="session")
def clip():
    """The embedded CLIP."""
    import obvert

    return obvert.load("zoo/clip", device="cpu")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real data beside the checkout; skips where there is none."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data at {path}")
    return path
