"""espeak-ng, through its C library: what it speaks, and where each word starts.

References:
    | eSpeak NG
    | https://github.com/espeak-ng/espeak-ng
"""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from obvert.core import ObvertError

RATE = 16_000
"""Samples a second of what `speak` returns."""
SYNCHRONOUS, NO_EXIT, BY_CHARACTER, UTF8 = 2, 0x8000, 1, 1
WORD, SPEED, PITCH = 1, 1, 3


@dataclass(frozen=True, kw_only=True)
class Voice:
    """How a phrase is spoken."""

    name: str = "en-us"
    """Of espeak-ng, with a variant after "+": "en-us", "en-gb+f2"..."""
    speed: int = 175
    """Words a minute, 80 to 450."""
    pitch: int = 50
    """0 to 99."""


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Library:
    """The library once initialised, and what it has spoken since it was last asked."""

    def __init__(self, path: str) -> None:
        self.lib: Any = ctypes.CDLL(path)
        self.rate = int(self.lib.espeak_Initialize(SYNCHRONOUS, 0, None, NO_EXIT))
        if self.rate < 1:
            raise ObvertError("espeak-ng does not start: its voices are missing; apt-get install espeak-ng")
        self.parts: list[np.ndarray] = []
        self.starts: list[tuple[int, int]] = []
        self.callback = _Callback(self.hear)  # kept: the library calls it later
        self.lib.espeak_SetSynthCallback(self.callback)

    def hear(self, samples: Any, count: int, events: Any) -> int:
        """Keep what was spoken; 0 to go on."""
        if samples and count:
            self.parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type:
            if events[i].type == WORD:
                self.starts.append((events[i].text_position - 1, events[i].sample))
            i += 1
        return 0


def found() -> str:
    """Path of the library; "" when it is not there."""
    return ctypes.util.find_library("espeak-ng") or ""


@cache
def _library() -> _Library:
    if not found():
        raise ObvertError("need espeak-ng to make speech, got none: apt-get install espeak-ng")
    return _Library(found())


def speak(text: str, voice: Voice) -> tuple[np.ndarray, list[int]]:
    """Speak a phrase.

    Args:
        text: words.
        voice: by whom.

    Returns:
        (S,) int16 at 16 kHz, the silence at the end cut; the sample at which each word starts, -1 for a word that is spoken in
        one with the word before it ("on the").

    Raises:
        ObvertError: when espeak-ng is missing or lacks the voice.
    """
    from scipy.signal import resample_poly

    espeak = _library()
    if espeak.lib.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise ObvertError(f"need a voice of espeak-ng, got {voice.name!r}; espeak-ng --voices=en lists them")
    espeak.lib.espeak_SetParameter(SPEED, voice.speed, 0)
    espeak.lib.espeak_SetParameter(PITCH, voice.pitch, 0)
    espeak.parts, espeak.starts = [], []
    data = text.encode()
    espeak.lib.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, BY_CHARACTER, 0, UTF8, None, None)
    spoken = np.concatenate(espeak.parts).astype(np.float64)
    common = np.gcd(RATE, espeak.rate)
    samples = resample_poly(spoken, RATE // common, espeak.rate // common)
    loud = np.flatnonzero(np.abs(samples) > 50)
    cut = samples[: int(loud[-1]) + RATE // 50] if len(loud) else samples
    starts = [-1] * len(text.split())
    for position, start in espeak.starts:
        if (word := len(text[:position].split())) < len(starts):  # the end of the phrase may be told as a word
            starts[word] = start * RATE // espeak.rate
    return cut.round().clip(-32768, 32767).astype(np.int16), starts
