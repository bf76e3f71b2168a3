"""`numpy-adagrad translate`: print the call of the other framework's Adagrad."""

from argparse import Namespace

from .arguments import Commands, UsageError, read_arguments


def add_parser(commands: Commands) -> None:
    """Add the command `translate`."""
    text = "Translate the arguments of one framework's Adagrad: print the other's call and the differences."
    parser = commands.add_parser("translate", help=text, description=text)
    parser.add_argument("source", help="torch or mindspore")
    parser.add_argument("target", help="the other framework")
    parser.add_argument(
        "words", metavar="NAME=VALUE", nargs="*", default=[], help="arguments of the source, such as lr=0.5"
    )
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> None:
    """Translate, then print the call and the notes."""
    from .. import migration
    from . import translate_report

    try:
        translation = migration.translate(arguments.source, arguments.target, **read_arguments(arguments.words))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(str(error)) from None
    translate_report.show(arguments.target, translation)
