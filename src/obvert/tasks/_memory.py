"""Memory that a piece of work takes at its peak, on a GPU by its allocator's account, elsewhere tensor by tensor."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_memory(work: Callable[[], Any], device: torch.device) -> int:
    """Do some work and watch it.

    Args:
        work: what is done on the device; its result is dropped.
        device: where.

    Returns:
        Bytes at the peak, above what was held before: all tensors alive at once, those kept for a backward pass with them.
        Elsewhere than on a GPU, what an operation needs for itself while it runs is not seen.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _Alive() as alive:
        work()
    return alive.peak


class _Alive(TorchDispatchMode):
    """Counts storages from the operation that makes them until nobody holds them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.sizes: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_storage(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and (key := _storage(x)) not in self.sizes and key not in given:
                storage = x.untyped_storage()
                self.sizes[key] = weakref.ref(storage, partial(self._gone, key)), storage.nbytes()
                self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        return result

    def _gone(self, key: int, _: Any) -> None:
        self.now -= self.sizes.pop(key)[1]


def _storage(x: Tensor) -> int:
    return x.untyped_storage()._cdata
