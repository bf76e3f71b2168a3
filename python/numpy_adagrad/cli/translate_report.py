"""`numpy-adagrad translate`: the target's call, ready to paste, and the notes."""

from __future__ import annotations

from shutil import get_terminal_size
from textwrap import wrap

from ..migration.notes import OWN
from ..migration.schedules import DecayedRate, ListedRate
from ..migration.translate import OPTIMIZERS, Translation

THEIRS = {
    "torch": ("import torch", "torch.optim.Adagrad"),
    "mindspore": ("from mindspore import nn", "nn.Adagrad"),
}
STEPS = "steps = 10_000  # of the whole training: MindSpore takes one rate for each"
EACH_STEP = """
# Before each step (0 first):
#     for group in optimizer.param_groups:
#         group["lr"] = rates[step]"""


def show(target: str, translation: Translation) -> None:
    """Print the call, then each note as a heading and a paragraph as wide as the terminal."""
    print(program(target, translation))
    width = get_terminal_size().columns
    for note in translation.notes:
        lines = wrap(note.text, width - 4, break_long_words=False, break_on_hyphens=False)
        print(f"\n{note.argument} ({note.kind})", *lines, sep="\n    ")


def program(target: str, translation: Translation) -> str:
    """Write Python source that makes the framework's optimizer or, if an argument is of this package, ours."""
    own = OPTIMIZERS[target].__name__
    ours = any(name in translation.arguments for name in OWN)
    head, call = (f"from numpy_adagrad import {own}", own) if ours else THEIRS[target]
    before, values, after = [head, ""], ["params"], []
    for name, value in translation.arguments.items():
        text = repr(value)
        if isinstance(value, DecayedRate):
            rate = f"{value.lr!r} / (1 + step * {value.lr_decay!r})"
            text = f"lambda step: {rate}" if ours else f"[{rate} for step in range(steps)]"
            before += [] if ours else [STEPS]
        if isinstance(value, ListedRate):
            text = "lambda step: rates[step]" if ours else "rates[0]"
            before.append(f"rates = [{', '.join(map(str, value.rates))}]")  # as few digits as float32 has
            after += [] if ours else [EACH_STEP]
        values.append(f"{name}={text}")
    return "\n".join([*before, f"optimizer = {call}({', '.join(values)})", *after])
