"""What PESQ and STOI can tell of sounds that were found as log-mels: the floor, the ceiling, and what the vocoder does to it.

Eight read sentences (LJSpeech), brought to 16 kHz, against noise of their loudness, and against themselves as heard from their
true log-mel of Whisper's kind (80 bands, windows of 25 ms every 10 ms). Of the vocoders,
- "plain" is Griffin-Lim of 32 steps, each frequency as loud as the bands that hear it are on the mean,
- "fast" is Griffin-Lim with momentum, 60 steps, on magnitudes by non-negative least squares: `obvert.metrics.mel.LogMel`.

Bars: noise below 1.1, as published (1.02); the fast vocoder above the published ceiling of 1.76 on every sentence. Exit code 1
when one is missed, 2 where the recordings are not there.

Run: python benchmarks/pesq_ceiling.py     (half a minute; needs the extras `audio` and `sound`)
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from scipy.signal import resample_poly
from soundfile import read
from torch import Tensor

from obvert.metrics import bounds_of_quality
from obvert.metrics.mel import LogMel

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "speech" / "ljspeech"
NOISE, PUBLISHED = 1.1, 1.76
FRONT = LogMel()


def plain(sound: Tensor) -> Tensor:
    """Through the log-mel, with a plain vocoder."""
    return FRONT.sound(FRONT(FRONT.padded(sound)), steps=32, momentum=0, fit=0)[..., : sound.shape[-1]]


def told(row: dict[str, dict[str, float]]) -> str:
    """One line of the table."""
    return "".join("{pesq:12.2f}{stoi:7.3f}{log_mel_db:7.2f}".format(**values) for values in row.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="recordings of speech, .wav")
    asked = parser.parse_args()
    paths = sorted(asked.folder.glob("*.wav"))
    if not paths:
        print(f"need recordings in {asked.folder}, got none")
        return 2
    rows = []
    heads = "".join(f"{name + ' PESQ':>12}{'STOI':>7}{'dB':>7}" for name in ("noise", "plain", "fast"))
    print(f"{'sentence':<12}{'seconds':>8}{heads}")
    for path in paths:
        samples, rate = read(path)
        sound = torch.from_numpy(resample_poly(samples, 16_000, rate)).float()[None, None]
        fast, slow = bounds_of_quality(sound, 16_000), bounds_of_quality(sound, 16_000, vocoder=plain)
        found = {"noise": fast["floor"], "plain": slow["ceiling"], "fast": fast["ceiling"]}
        rows.append({name: {measure: value.item() for measure, value in values.items()} for name, values in found.items()})
        print(f"{path.stem:<12}{sound.shape[-1] / 16_000:8.1f}{told(rows[-1])}", flush=True)
    mean = {name: {m: sum(row[name][m] for row in rows) / len(rows) for m in rows[0][name]} for name in rows[0]}
    print(f"{'mean':<20}{told(mean)}")
    if asked.json:
        asked.json.write_text(json.dumps({"rows": rows, "mean": mean}, indent=1))
    good = max(row["noise"]["pesq"] for row in rows) < NOISE and min(row["fast"]["pesq"] for row in rows) > PUBLISHED
    print(f"noise below {NOISE} and the fast vocoder above {PUBLISHED}, everywhere: {'yes' if good else 'no'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
