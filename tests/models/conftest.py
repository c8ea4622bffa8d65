"""Before any test imports transformers: obvert makes torchvision importable, where it is installed."""

from __future__ import annotations

import pytest
import torch

import obvert.models  # noqa: F401


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
