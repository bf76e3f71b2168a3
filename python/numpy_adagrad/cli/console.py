"""The console of the commands that print tables."""

import rich.console


class Console(rich.console.Console):
    """A console that leaves a closed pipe to `main`; rich would end the process with status 1."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich has caught."""
        raise BrokenPipeError
