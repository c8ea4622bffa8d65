"""Who speaks: the speaker embedding that lies beside a synthesiser."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from obvert.core import ObvertError

FILE = "speaker.safetensors"


def read_speaker(folder: Path, length: int, name: str) -> Tensor:
    """The speaker embedding of a folder.

    Args:
        folder: with speaker.safetensors, which holds one tensor; zeros are taken, with a warning, where it is not there.
        length: of the embedding.
        name: of the model, for messages.

    Returns:
        (1, length).

    Raises:
        ObvertError: for a file that does not hold one tensor of that length.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / FILE
    if not path.exists():
        warnings.warn(f"{name} has no {FILE}: it speaks with an embedding of zeros", stacklevel=5)
        return torch.zeros(1, length)
    try:
        (found,) = load_file(path).values()
        return found.float().reshape(1, length)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ObvertError(f"need a speaker embedding of {length} numbers in {path}, got: {reason}") from error
