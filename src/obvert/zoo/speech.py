"""Speech: a closed grammar of about 100 words, spoken by espeak-ng in several voices. Drawn from a seed, without end.

Phrases name the things of Scenes, count them, say who does what to which object where, and give orders. What is said is
discrete; voice, accent, speed and pitch are nuisance. Training and held-out phrases never share a text.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from obvert.zoo.espeak import RATE, Voice, speak
from obvert.zoo.scenes import COLOURS, RELATIONS, SHAPES, SIZES, TEXTURES

SECONDS = 3
"""Of a recogniser's window; longer phrases are not drawn."""
SHARD = 500
"""Phrases of a cached file."""
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NAMES = ("anna", "ben", "clara", "david", "emma", "george", "lucy", "oscar")
VERBS = ("sees", "finds", "draws", "likes", "wants", "hides", "takes", "paints")
ORDERS = ("show me", "put", "bring", "find", "draw", "hide")
OBJECTS = ("apple", "ball", "book", "boat", "lamp", "cup", "shoe", "hat")
MATERIALS = ("wooden", "glass")
PLACES = ("table", "box", "chair", "door", "window", "garden", "kitchen", "river")
WHERE = ("on", "under", "near", "in", "behind")
WHEN = ("now", "again", "today")
ACCENTS = ("en-us", "en", "en-gb-scotland")
VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m7", "f1", "f3", "f4")
OTHER_ACCENTS = ("en-us", "gmw/en-GB-x-rp", "en-gb-scotland")
OTHER_VARIANTS = ("m1", "m3", "m5", "m8", "f1", "f4", "f5")
HELD_OUT_VARIANTS = ("m6", "f2")


def voices(accents: Sequence[str] = ACCENTS, variants: Sequence[str] = VARIANTS) -> tuple[str, ...]:
    """Names of voices: every variant in every accent."""
    return tuple(f"{accent}+{variant}" for accent in accents for variant in variants)


def phrases(count: int, seed: int, *, held_out: bool = False) -> list[str]:
    """Draw phrases.

    Args:
        count: how many.
        seed: of the draw; the same seed gives the same phrases.
        held_out: from the tenth of all phrases that training never sees, rather than from the others.

    Returns:
        Lower-case words, 3 to 10 of them.
    """
    rng = np.random.default_rng(seed)
    drawn: list[str] = []
    while len(drawn) < count:
        text = phrase(rng)
        if (zlib.crc32(text.encode()) % 10 == 0) == held_out:
            drawn.append(text)
    return drawn


def phrase(rng: np.random.Generator) -> str:
    """Draw one phrase."""
    kind = rng.integers(6)
    if kind == 0:
        words = [_an(_shape(rng, rich=True))]
    elif kind == 1:
        words = [_an(_shape(rng)), _pick(rng, (*RELATIONS, "and")), _an(_shape(rng))]
    elif kind == 2:
        opening = "there are" if rng.random() < 0.5 else ""
        words = [opening, _pick(rng, NUMBERS), _pick(rng, COLOURS), _many(_pick(rng, SHAPES))]
    elif kind == 3:
        words = [_pick(rng, NAMES), _pick(rng, VERBS), _an(_object(rng)), _place(rng) if rng.random() < 0.6 else ""]
    elif kind == 4:
        words = [_an(_object(rng)), _place(rng)]
    else:
        words = [_pick(rng, ORDERS), "the", _object(rng), _place(rng) if rng.random() < 0.6 else _pick(rng, WHEN)]
    return " ".join(" ".join(words).split())


def vocabulary() -> list[str]:
    """Every word a phrase can hold, each once, in a fixed order."""
    groups = (COLOURS, SHAPES, [_many(s) for s in SHAPES], SIZES, TEXTURES, RELATIONS, NUMBERS, NAMES, VERBS, ORDERS)
    others = (OBJECTS, MATERIALS, PLACES, WHERE, WHEN)
    words = " ".join(word for group in (*groups, *others) for word in group).split()
    return list(dict.fromkeys([*words, "a", "an", "the", "and", "there", "are"]))


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Spoken phrases, one after another in one array."""

    texts: list[str]
    samples: np.ndarray
    """(S,) int16 at 16 kHz."""
    ends: np.ndarray
    """(N,) where each phrase ends in `samples`; each starts where the last one ended."""
    starts: np.ndarray
    """(N, 12) sample at which each word starts, within its phrase; -1 where it is spoken in one with the word before it."""

    def wave(self, i: int) -> np.ndarray:
        """(S,) float32 samples of a phrase, in [-1, 1]."""
        first = int(self.ends[i - 1]) if i else 0
        found: np.ndarray = self.samples[first : int(self.ends[i])].astype(np.float32) / 32768
        return found


def corpus(
    texts: Sequence[str],
    names: Sequence[str],
    seed: int,
    folder: Path,
    *,
    speeds: tuple[int, int] = (155, 210),
    pitches: tuple[int, int] = (30, 70),
) -> Corpus:
    """Speak phrases, or read what was spoken earlier; whatever is too long for the window is left out.

    Args:
        texts: what to say.
        names: of the voices; each phrase is said by one of them, at a speed and pitch of its own.
        seed: of voices, speeds and pitches.
        folder: where it is kept, in files of 500 phrases.
        speeds: least and most, in words a minute.
        pitches: least and most, 0 to 99.

    Returns:
        The phrases spoken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = f"{zlib.crc32(repr((list(texts), list(names), seed, speeds, pitches)).encode()):08x}"
    parts: list[dict[str, np.ndarray]] = []
    for first in range(0, len(texts), SHARD):
        path = folder / f"speech-{mark}-{first}.safetensors"
        if not path.exists():
            rng, side = np.random.default_rng([seed, first]), path.with_suffix(".part")
            chosen = [
                Voice(name=_pick(rng, names), speed=_within(rng, speeds), pitch=_within(rng, pitches))
                for _ in texts[first : first + SHARD]
            ]
            save_file(_spoken(texts[first : first + SHARD], chosen, first), side)
            side.replace(path)
        parts.append(load_file(path))
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Corpus(
        texts=[texts[i] for i in joined["row"]],
        samples=joined["samples"],
        ends=np.cumsum(joined["length"]),
        starts=joined["starts"],
    )


def _spoken(texts: Sequence[str], chosen: Sequence[Voice], first: int) -> dict[str, np.ndarray]:
    kept = []
    for row, (text, voice) in enumerate(zip(texts, chosen, strict=True), first):
        samples, starts = speak(text, voice)
        if len(samples) <= SECONDS * RATE:
            kept.append((row, samples, (starts + [-1] * 12)[:12]))
    return {
        "row": np.array([row for row, _, _ in kept]),
        "samples": np.concatenate([samples for _, samples, _ in kept]),
        "length": np.array([len(samples) for _, samples, _ in kept]),
        "starts": np.array([starts for _, _, starts in kept], dtype=np.int32),
    }


def _shape(rng: np.random.Generator, *, rich: bool = False) -> str:
    """A thing of Scenes; a rich one with its size or texture."""
    more = _pick(rng, (*SIZES, *TEXTURES)) if rich or rng.random() < 0.15 else ""
    return f"{more} {_pick(rng, COLOURS)} {_pick(rng, SHAPES)}".strip()


def _object(rng: np.random.Generator) -> str:
    return f"{_pick(rng, COLOURS)} {_pick(rng, OBJECTS)}"


def _place(rng: np.random.Generator) -> str:
    place = _pick(rng, PLACES)
    made = f"{_pick(rng, MATERIALS)} {place}" if rng.random() < 0.4 else place
    return f"{_pick(rng, WHERE)} {_an(made) if rng.random() < 0.5 else f'the {made}'}"


def _an(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _many(shape: str) -> str:
    return f"{shape}es" if shape.endswith("s") else f"{shape}s"


def _pick(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _within(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))
