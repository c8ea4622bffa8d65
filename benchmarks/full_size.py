"""One step of a search at a model's real size, with random weights: seconds, and memory above what the model itself takes.

Each model runs in a process of its own. A step is all that a search repeats: from the medium through the preprocessing and
the network to the likelihood of a text of 12 tokens, back to the gradient, and Adam's move. The first one is run to warm up and
gives the peak of memory, as the system counts it; the seconds are those of the second. Needs Linux.

LLaVA-1.5-7B is as wide as it is, with its whole picture tower, and 4 of the 32 layers of its language model; a step is one of
MIMIC's, with the moments of all layers of the tower, in fp32. "checkpointed" computes layers again on the way back.

Run: python benchmarks/full_size.py                    (three minutes on two cores)
     python benchmarks/full_size.py whisper-tiny --batch 4
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from oti_step import machine
from torch import Tensor

from obvert.core import Answer, Card, Reader, descent
from obvert.models import blip, whisper
from obvert.models.llava import LAYERS
from obvert.models.parts import vision_language
from obvert.models.parts.log_mel import LogMel
from obvert.models.parts.preprocess import Preprocess
from obvert.models.parts.vision_language import Chat
from obvert.objectives.alignment import Alignment
from obvert.solvers.adam import Adam

TOKENS = 12
"""Of the wanted text."""
IMAGE, PROMPT = 32000, 16
"""LLaVA's token of a picture, and tokens of a question and what stands around it."""


class Wordless:
    """As much of a tokenizer as a reader asks for before it is given texts."""

    unk_token_id = None
    all_special_tokens = ()

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": []}


def blip_base() -> Reader:
    """BLIP-base: pictures of 384 x 384, the sizes that BlipConfig has by default."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    config = BlipConfig(vision_config={"initializer_range": 0.02})  # 1e-10 by default
    model = BlipForConditionalGeneration(config).requires_grad_(False).eval()
    preprocess = Preprocess.from_config({"image_processor_type": "BlipImageProcessor"})
    return blip.captioner(model, Wordless(), preprocess, Card(name="blip-base", family="blip"))


def whisper_tiny() -> Reader:
    """Whisper tiny, English alone: sounds of 30 s, the sizes that WhisperConfig has by default."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration(WhisperConfig()).requires_grad_(False).eval()
    model.generation_config.is_multilingual, model.generation_config.no_timestamps_token_id = False, 50362
    return whisper.recogniser(model, Wordless(), LogMel.from_config({}), Card(name="whisper-tiny", family="whisper"))


def reading(make: Callable[[], Reader]) -> Callable[[int], tuple[Callable[[Tensor], dict[str, Tensor]], Tensor]]:
    """A reader -> count of samples -> the loss of media that are read as a text, and media to start from."""

    def build(count: int) -> tuple[Callable[[Tensor], dict[str, Tensor]], Tensor]:
        reader = make()
        draw = torch.Generator().manual_seed(0)
        ids = torch.randint(1000, 20000, (count, TOKENS), generator=draw)
        wanted = Answer(ids, torch.ones(count, TOKENS, dtype=torch.bool))
        start = 0.1 * torch.randn(count, *reader.medium.shape, generator=draw)
        return lambda x: {"reading": -reader.log_likelihood(reader.front(x), wanted).mean(1)}, start

    return build


class Speechless(Chat):
    """A prompt of LLaVA's length in words."""

    def prompt(self, question: str, pictures: int = 1) -> str:
        return "<image>"

    def ids(self, prompt: str) -> list[int]:
        return [IMAGE] * prompt.count("<image>") + list(range(1000, 1000 + PROMPT))


def llava(depth: int = 4) -> Reader:
    """LLaVA-1.5-7B, so many of its 32 layers."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336, patch_size=14
    )
    text = LlamaConfig(vocab_size=32064, num_hidden_layers=depth)  # as wide as 7B by default
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE)
    model = LlavaForConditionalGeneration(config).requires_grad_(False).eval()
    return vision_language.reader(
        card=Card(name="llava-1.5-7b", family="llava"),
        network=model,
        chat=Speechless(tokenizer=Wordless(), template=""),
        front=Preprocess.from_config({"image_processor_type": "CLIPImageProcessor", "size": 336, "crop_size": 336}),
        picture=("<image>", "<image>" * 576),
        given=lambda x, ids, before: {"pixel_values": x},
        layers=LAYERS,
        end=2,
    )


def concept(again: bool) -> Callable[[int], tuple[Callable[[Tensor], dict[str, Tensor]], Tensor]]:
    """Count of samples -> the terms of MIMIC, and pictures to start from; with layers computed again, or kept."""

    def build(count: int) -> tuple[Callable[[Tensor], dict[str, Tensor]], Tensor]:
        reader = llava()
        draw = torch.Generator().manual_seed(0)
        wanted = Answer(torch.randint(1000, 20000, (count, TOKENS), generator=draw), torch.ones(count, TOKENS, dtype=torch.bool))
        still = (torch.zeros(1024), torch.ones(1024))
        inside = Alignment(reader=reader, answer=wanted, targets=dict.fromkeys(reader.layers, still))
        held = reader.checkpointed() if again else nullcontext()
        held.__enter__()  # for the rest of this process: whoever lets go of it ends it

        def terms(x: Tensor, held: Any = held) -> dict[str, Tensor]:
            return inside(reader.front(list(x)))

        return terms, torch.rand(count, *reader.medium.shape, generator=draw)

    return build


MODELS = {
    "blip-base": reading(blip_base),
    "whisper-tiny": reading(whisper_tiny),
    "llava-1.5-7b-of-4-layers": concept(again=False),
    "llava-1.5-7b-of-4-layers-checkpointed": concept(again=True),
}
"""Name -> count of samples -> loss and start. A synthesiser or another network joins with a line."""


def status(key: str) -> float:
    """MiB of a line of /proc/self/status: VmRSS now, VmHWM at its peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) / 1024


def measure(name: str, count: int) -> dict[str, Any]:
    """Numbers of one model, in this process."""
    torch.manual_seed(0)
    loss, x = MODELS[name](count)
    field, solver = descent(loss), Adam(lr=0.01)
    state = solver.init(x)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, seconds = status("VmRSS"), 0.0
    for _ in range(2):
        began = time.perf_counter()
        x, state = solver.step(x, field(x), state)
        seconds = time.perf_counter() - began
    assert x.isfinite().all()
    return {"model": name, "batch": count, "seconds": seconds, "MiB": status("VmHWM") - before, "model_MiB": before}


def main() -> int:
    """Measure each model in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS), help=f"of {', '.join(MODELS)}")
    parser.add_argument("--batch", type=int, default=1, help="samples searched at once")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.here:
        print(json.dumps(measure(options.models[0], options.batch)))
        return 0
    rows = []
    if not options.json:
        print(", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    for name in options.models:
        again = [sys.executable, __file__, name, "--here", "--batch", str(options.batch), "--threads", str(options.threads)]
        row = json.loads(subprocess.run(again, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        rows.append(row)
        if not options.json:
            above = f"{row['MiB']:.0f} MiB above {row['model_MiB']:.0f} MiB of the process with its model"
            print(f"{name}, batch {row['batch']}: a step takes {row['seconds']:.2f} s and {above}", flush=True)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
