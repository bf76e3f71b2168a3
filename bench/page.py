"""Write generated blocks into a Markdown page."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a title for each column."""
    first, *others = (f"| {' | '.join(line)} |" for line in (header, *rows))
    return "\n".join([first, "|---" * len(header) + "|", *others])


def write_block(page: Path, name: str, text: str) -> None:
    """Replace the block between the two markers of this name, or append it with its markers."""
    begin, end = f"<!-- {name}: written by bench/ -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{text}\n{end}"
    old = page.read_text() if page.exists() else ""
    if begin in old and end in old:
        before, after = old.split(begin)[0], old.split(end)[1]
        page.write_text(before + block + after)
    else:
        page.write_text(old + block + "\n")
