"""`numpy-adagrad translate`: the target's call, ready to paste, and the notes."""

from __future__ import annotations

from shutil import get_terminal_size
from textwrap import indent, wrap

from ..migration.registry import rule_module
from ..migration.schedules import DecayedRate, ListedRate
from ..migration.spec import PACKAGE_OPTIONS
from ..migration.translate import Translation
from ..optimizers import OPTIMIZERS

STEPS = "steps = 10_000  # of the whole training: {} takes one rate for each"


def show(target: str, translation: Translation) -> None:
    """Print the call, then each note as a heading and a paragraph as wide as the terminal."""
    print(program(target, translation))
    width = get_terminal_size().columns
    for note in translation.notes:
        lines = wrap(note.text, max(width - 4, 1), break_long_words=False, break_on_hyphens=False)
        print(f"\n{note.argument} ({note.kind})", *lines, sep="\n    ")


def program(target: str, translation: Translation) -> str:
    """Write a Python program that makes the framework's optimizer, or ours if an argument exists only there."""
    rule, own = rule_module(target, "target").RULE, OPTIMIZERS[target].__name__
    ours = any(name in translation.arguments for name in PACKAGE_OPTIONS)
    head, call = (f"from numpy_adagrad import {own}", own) if ours else (rule.import_line, rule.call)
    before, values, after = [head, ""], ["params"], []
    for name, value in translation.arguments.items():
        text = repr(value)
        if isinstance(value, (DecayedRate, ListedRate)):
            rate = rate_at_step(value)
            if isinstance(value, ListedRate):
                before.append(f"rates = [{', '.join(map(str, value.rates))}]")  # as few digits as float32 needs
            if ours:
                text = f"lambda step: {rate}"
            elif rule.set_rate:
                text = rate.replace("step", "0")
                lines = indent(rule.set_rate.format(rate=rate), "    ")
                after.append(indent(f"\nBefore each step (0 first):\n{lines}", "# "))
            else:
                text = f"[{rate} for step in range(steps)]"
                before.append(STEPS.format(rule.library))
        values.append(f"{name}={text}")
    return "\n".join([*before, f"optimizer = {call}({', '.join(values)})", *after])


def rate_at_step(rate: DecayedRate | ListedRate) -> str:
    """Write the rate of a step as a Python expression."""
    if isinstance(rate, ListedRate):
        return "rates[step]"
    return f"{rate.lr!r} / (1 + step * {rate.lr_decay!r})"
