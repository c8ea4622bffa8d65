"""A lean network gives what the plain one gives, and asks for less memory."""

from __future__ import annotations

import copy

import pytest
import tiny_autoencoders as tiny
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from obvert.models.parts.autoencoders import FACTS
from obvert.models.parts.lean import InPlaceSiLU, lean


class Made(TorchDispatchMode):
    """Counts the bytes of tensors that silu makes anew."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.silu.default:
            self.bytes += found.nbytes
        return found


@pytest.mark.parametrize("kind", [kind for kind, facts in FACTS.items() if facts.media == "picture"])
def test_a_lean_network_gives_what_the_plain_one_gives(kind: str) -> None:
    facts, plain = FACTS[kind], tiny.build(kind).eval().requires_grad_(False)
    changed = copy.deepcopy(plain)
    lean(changed)
    pictures = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    latents = facts.encode(plain, pictures)
    before = latents.clone()
    torch.testing.assert_close(facts.encode(changed, pictures), latents)
    decoded = facts.decode(plain, latents)
    torch.testing.assert_close(facts.decode(changed, latents), decoded)
    assert torch.equal(latents, before)


def test_without_gradients_no_picture_of_features_is_made_twice() -> None:
    plain = tiny.build("AutoencoderKL").eval().requires_grad_(False)
    changed = copy.deepcopy(plain)
    lean(changed)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    made = {}
    for name, network in (("plain", plain), ("lean", changed)):
        with torch.no_grad(), Made() as counted:
            decoded = network.decode(latents).sample
        made[name] = (counted.bytes, decoded)
    assert made["plain"][0] > 0 == made["lean"][0]
    torch.testing.assert_close(made["lean"][1], made["plain"][1])


def test_with_gradients_nothing_is_overwritten() -> None:
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    y = x * 1
    kept = y.detach().clone()
    assert torch.autograd.gradcheck(InPlaceSiLU(), (x,))
    InPlaceSiLU()(y)
    assert torch.equal(y, kept)
    with torch.no_grad():
        InPlaceSiLU()(y)
    assert not torch.equal(y, kept)
