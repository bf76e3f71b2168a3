"""The commands of `numpy-adagrad`. Only this module needs typer."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import migration
from .arguments import read_arguments
from .main import needs, print_info

app = typer.Typer(
    help="The Adagrad of PyTorch and of MindSpore, in place on NumPy arrays.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def run(arguments: list[str]) -> Any:
    """Run one command and return the exit status; a mistake in its arguments takes one line."""
    try:
        # Left to itself typer draws a box of six lines around a mistake.
        return app(arguments or ["--help"], prog_name="numpy-adagrad", standalone_mode=False)
    except typer.TyperException as error:
        print(f"numpy-adagrad: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except typer.Abort:
        return 130


def picture(path: Path) -> Path:
    """Refuse, before any work is done, a file that could not be written at its end."""
    if path.suffix != ".png":
        raise typer.BadParameter(f"expected a name ending in .png, got {path}")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


@app.command()
def info() -> None:
    """Print version, compiler, instruction set and threads: what a bug report needs."""
    print_info()


@app.command()
def translate(
    source: Annotated[str, typer.Argument(help="torch or mindspore.")],
    target: Annotated[str, typer.Argument(help="The other one.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="The source's arguments, as name=value.")] = None,
) -> None:
    """Translate the arguments of one framework's Adagrad: the other's call, and what differs."""
    with needs("cli"):
        from .translate_report import show
    try:
        translation = migration.translate(source, target, **read_arguments(arguments or []))
    except (TypeError, ValueError, RuntimeError) as error:
        raise typer.BadParameter(str(error)) from None
    show(target, translation)


@app.command()
def demo(
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 30,
    out: Annotated[Path, typer.Option(callback=picture, dir_okay=False, help="The picture.")] = Path("demo.png"),
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Split, start and batches.")] = 1,
) -> None:
    """Train a small network on handwritten digits with both rules and draw how it went."""
    with needs("demo"):
        from .demo_report import run
    run(epochs, out, seed)


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often everyone is timed in turn.")] = 11,
) -> None:
    """Time one step of both rules, of NumPy and of each library installed: torch, numba, optax, MindSpore."""
    with needs("cli"):
        from .bench_report import run
    run(rounds)


@app.command()
def diff(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE|NAME=VALUE", help="Arguments; before them torch (if not said) or mindspore."),
    ] = None,
    grads: Annotated[
        Path | None,
        typer.Option(help="Gradients (.npz of float32): NAME holds those of all steps, start.NAME the values before."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps with random gradients.")] = 300,
    size: Annotated[int, typer.Option(min=1, help="Elements with random gradients.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Start and random gradients.")] = 1,
    tolerance: Annotated[float, typer.Option(min=0, help="The distance that is no difference yet.")] = 1e-6,
    out: Annotated[Path, typer.Option(callback=picture, dir_okay=False, help="The picture.")] = Path("diff.png"),
) -> None:
    """Show how far the two rules run apart, by default or with arguments of one translated for the other."""
    with needs("cli"):
        from .diff_report import compute, show
    for name in ("steps", "size", "seed"):
        said = context.get_parameter_source(name)
        if grads is not None and said is not None and said.name != "DEFAULT":
            raise typer.BadParameter(f"--{name}: expected none beside --grads, which brings its own")
    try:
        outcome = compute(words or [], grads, steps, size, seed)
    except (TypeError, ValueError, RuntimeError) as error:
        raise typer.BadParameter(str(error)) from None
    show(outcome, tolerance, out)
