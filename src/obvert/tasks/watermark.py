"""Watermarks in noise, from the noise to a picture and back: how often they are found, and whose they are.

For each caption a clean picture is drawn, and from the same noise one with each key. Every picture is attacked; a decoder
inversion finds its latents, a diffusion inversion their noise, and the noise is asked for every key. A clean picture that
answers to a key is a false alarm; a watermarked one must answer to its own key more than to any other.

References:
    | Tree-Ring Watermarks: Fingerprints for Diffusion Images that are Invisible and Robust (Wen et al., 2023)
    | https://arxiv.org/abs/2305.20030
    | Gradient-free Decoder Inversion in Latent Diffusion Models (Hong et al., 2024), section 5.3
    | https://arxiv.org/abs/2409.18442
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from obvert.attacks import attack, check
from obvert.core import Diffusion, ObvertError, Progress, Watermark
from obvert.core.diffusion import draw_noise
from obvert.metrics import detection, nmse_db
from obvert.provenance import clock
from obvert.store import Run
from obvert.tasks._memory import peak_memory

TASK = "watermark detection"
ALARM = 0.01
"""A p-value below this says that there is a watermark."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a benchmark needs done, by whatever model."""

    draw: Callable[[Sequence[str], Tensor], Tensor]
    """Captions and noise (B, *shape) -> pictures (B, 3, H, W) in [0, 1]."""
    inversions: Mapping[str, Callable[[Tensor], Tensor]]
    """By name, decoder inversions that are compared: pictures (B, 3, H, W) -> latents (B, *shape)."""
    back: Callable[[Tensor], Tensor]
    """Diffusion inversion: latents -> the noise they were drawn from."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What was found."""

    rows: list[dict[str, Any]]
    """One for each attack and inversion."""
    p_values: dict[tuple[str, str], tuple[Tensor, Tensor]]
    """{(attack, inversion): p-values of watermarked pictures under their own key, and of clean ones under every key}."""
    examples: list[tuple[str, list[Tensor]]]
    """Captions, each with its clean picture (3, H, W) and then those with each key."""


def bench(
    model: Diffusion,
    watermark: Watermark,
    captions: Sequence[str],
    tools: Tools,
    *,
    keys: Sequence[int] = (0, 1, 2),
    attacks: Sequence[str] = ("none",),
    batch: int = 8,
    seed: int = 0,
    run: Run | None = None,
    progress: Callable[[str], Progress | None] = lambda name: None,
) -> Benchmark:
    """Draw, attack, invert and ask.

    Args:
        model: who draws; its shape, name and device are read.
        watermark: the scheme.
        captions: what is drawn, a picture for each caption and key and a clean one.
        tools: how it is drawn and inverted.
        keys: seeds of keys.
        attacks: names of attacks.
        batch: pictures at once.
        seed: caption i starts from noise of seed + i, and its attack draws from that too.
        run: where finished pieces are kept.
        progress: gives a progress callback for a name.

    Returns:
        Rows and what they are made of. A row holds AUC, true positive rate at 1 % false positives and best accuracy, of
        p-values, with bootstrap intervals over captions; keys_right of so many pictures, and key_accuracy with Wilson's interval;
        false_alarms, the share of clean p-values below .01; noise_db, the mean error of the noise; seconds of the decoder
        inversion and of the diffusion inversion, a picture; memory_mib, what the decoder inversion of one picture takes.

    Raises:
        ObvertError: for captions, keys or attacks that are missing, unknown or given twice.
    """
    check(list(attacks))
    for name, given in (("caption", captions), ("key", keys), ("attack", attacks), ("inversion", tools.inversions)):
        if not given or (name != "caption" and len(set(given)) < len(given)):
            raise ObvertError(f"need at least one {name} and none twice, got {', '.join(map(str, given)) or 'none'}")
    secrets = [watermark.key(model.shape, key) for key in keys]
    whole = _Bench(model, watermark, list(captions), tools, secrets, batch, seed, run)
    for who, start in whole.places(progress("pictures")):
        whole.drawn(who, start)
    rows, p_values = [], {}
    for hurt in attacks:
        for name in tools.inversions:
            found = whole.all_found(hurt, name, progress(f"{hurt}, {name}"))
            p = torch.stack([part["p"] for part in found])  # (clean and each key, captions, keys)
            own = p[1:].diagonal(dim1=0, dim2=2)  # (captions, keys)
            p_values[hurt, name] = own.flatten(), p[0].flatten()
            told = torch.stack([part["told"] for part in found[1:]])
            right = int((told == torch.arange(len(keys))[:, None]).sum())
            row = {"task": TASK, "model": model.card.name, "attack": hurt, "inversion": name}
            row |= measure(own, p[0], right, told.numel(), seed) | _costs(found, len(captions))
            rows.append(row | {"memory_mib": whole.memory(name) / 2**20})
    examples = [(captions[i], [part[i] for part in whole.first()]) for i in range(min(3, batch, len(captions)))]
    return Benchmark(rows=rows, p_values=p_values, examples=examples)


def measure(marked: Tensor, clean: Tensor, right: int, asked: int, seed: int = 0) -> dict[str, Any]:
    """Numbers of a row.

    Args:
        marked: (captions, keys) p-values of watermarked pictures under their own key.
        clean: (captions, keys) p-values of clean ones under each key. Intervals are over captions, whose pictures hang together.
        right: watermarked pictures whose key was told.
        asked: of so many.
        seed: of the bootstrap.

    Returns:
        auc, tpr_at_1_percent, accuracy, key_accuracy, each with NAME_interval; keys_right, pictures, false_alarms.
    """
    from scipy.stats import binomtest

    row: dict[str, Any] = {}
    seen = detection(-marked.nan_to_num(1.0), -clean.nan_to_num(1.0), seed=seed)  # what is no number answers to no key
    for name, (value, *interval) in (("auc", seen.auc), ("tpr_at_1_percent", seen.tpr), ("accuracy", seen.accuracy)):
        row |= {name: value, f"{name}_interval": interval}
    interval = list(map(float, binomtest(right, asked).proportion_ci(method="wilson")))
    row |= {"key_accuracy": right / asked, "key_accuracy_interval": interval, "keys_right": right, "pictures": asked}
    return row | {"false_alarms": (clean < ALARM).double().mean().item()}


def _costs(found: list[dict[str, Tensor]], captions: int) -> dict[str, Any]:
    pictures = captions * len(found)
    total = {name: sum(part[name].sum().item() for part in found) for name in ("seconds", "back_seconds")}
    return {
        "noise_db": torch.cat([part["noise_db"] for part in found]).mean().item(),
        "seconds": total["seconds"] / pictures,
        "diffusion_seconds": total["back_seconds"] / pictures,
    }


@dataclass(frozen=True)
class _Bench:
    model: Diffusion
    watermark: Watermark
    captions: list[str]
    tools: Tools
    keys: list[Tensor]
    batch: int
    seed: int
    run: Run | None
    kept: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """Finished pieces, where there is no run to keep them."""

    def places(self, progress: Progress | None) -> Iterator[tuple[int, int]]:
        """Every batch: whose pictures, 0 for clean ones and 1, 2, ... for each key, and where among the captions it starts."""
        every = [(who, start) for who in range(len(self.keys) + 1) for start in range(0, len(self.captions), self.batch)]
        for done, place in enumerate(every, 1):
            yield place
            if progress:
                progress(done, len(every), 0.0)

    def all_found(self, hurt: str, name: str, progress: Progress | None) -> list[dict[str, Tensor]]:
        """What `found` says, joined over the captions: of clean pictures, then of those with each key."""
        parts: dict[int, list[dict[str, Tensor]]] = {}
        for who, start in self.places(progress):
            parts.setdefault(who, []).append(self.found(hurt, name, who, start))
        return [{key: torch.cat([part[key] for part in some]) for key in some[0]} for some in parts.values()]

    def first(self) -> list[Tensor]:
        """(B, 3, H, W) of the first batch, clean and with each key."""
        return [self.drawn(who, 0) for who in range(len(self.keys) + 1)]

    def noise(self, who: int, start: int) -> Tensor:
        """(B, *shape) what a batch is drawn from."""
        noise = draw_noise(self.model.shape, len(self.captions[start : start + self.batch]), self.seed + start)
        return self.watermark.embed(noise, self.keys[who - 1]) if who else noise

    def drawn(self, who: int, start: int) -> Tensor:
        """(B, 3, H, W) multiples of 1 / 255."""

        def make() -> dict[str, Tensor]:
            seen = self.tools.draw(self.captions[start : start + self.batch], self.noise(who, start).to(self.model.device))
            return {"pictures": (seen.clamp(0, 1) * 255).round().byte().cpu()}

        return self._piece(f"pictures-{who}-{start:05}", make)["pictures"].float() / 255

    def found(self, hurt: str, name: str, who: int, start: int) -> dict[str, Tensor]:
        """p (B, keys), told (B,), noise_db (B,), and what it cost (1,)."""

        def make() -> dict[str, Tensor]:
            seen = [attack(hurt, picture, self.seed + start + i) for i, picture in enumerate(self.drawn(who, start))]
            device = self.model.device
            latents, seconds = timed(lambda: self.tools.inversions[name](torch.stack(seen).to(device)), device)
            back, back_seconds = timed(lambda: self.tools.back(latents), device)
            noise = back.float().cpu()
            costs = {"seconds": seconds, "back_seconds": back_seconds}
            return {
                "p": torch.stack([self.watermark.p_value(noise, key) for key in self.keys], 1),
                "told": self.watermark.identify(noise, self.keys),
                "noise_db": nmse_db(noise, self.noise(who, start)),
                **{cost: torch.tensor([value], dtype=torch.float64) for cost, value in costs.items()},
            }

        return self._piece(f"found-{hurt}-{name}-{who}-{start:05}".replace("/", "_"), make)

    def memory(self, name: str) -> float:
        """Bytes that the decoder inversion of one picture takes at its peak."""

        def make() -> dict[str, Tensor]:
            device = self.model.device
            one = self.drawn(0, 0)[:1].to(device)
            return {"bytes": torch.tensor(peak_memory(lambda: self.tools.inversions[name](one), device))}

        return self._piece(f"memory-{name}".replace("/", "_"), make)["bytes"].item()

    def _piece(self, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        if self.run:
            return self.run.piece(name, make)
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]


def timed(work: Callable[[], Tensor], device: torch.device) -> tuple[Tensor, float]:
    """Do some work.

    Args:
        work: what is done on the device.
        device: waited for before and after.

    Returns:
        Its result, and seconds.
    """
    began = clock(device)
    result = work()
    return result, clock(device) - began
