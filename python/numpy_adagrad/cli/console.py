"""The console of the commands that print tables."""

from typing import Any

import rich.console


class Console(rich.console.Console):
    """A console that leaves a closed pipe to `main`; rich would end the process with status 1."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.width == 0:  # of COLUMNS=0, with which rich prints nothing
            self.width = 80

    def on_broken_pipe(self) -> None:
        """Raise the error that rich has caught."""
        raise BrokenPipeError
