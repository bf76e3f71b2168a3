"""`numpy-adagrad translate`: the target's call, ready to paste, and the notes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    """Print the call and the notes."""
    print(program(target, translation), end="\n\n")
    Console().print(table(translation))


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


def table(translation: Translation) -> Table:
    """Set out the notes."""
    result = Table(show_lines=True)
    for heading in ("argument", "kind", "note"):
        result.add_column(heading, no_wrap=heading == "kind")
    for note in translation.notes:
        result.add_row(note.argument, note.kind, Text(note.text))
    return result
