"""The sources of the package and of the core, read as text and as syntax trees."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CPP = ROOT / "cpp"
PACKAGE = ROOT / "python" / "numpy_adagrad"


def cpp_files(*folders: str) -> list[Path]:
    """The C++ files of these folders of cpp/, or of all."""
    roots = [CPP / folder for folder in folders] or [CPP]
    return sorted(path for root in roots for path in root.rglob("*.[ch]pp"))


def modules() -> dict[str, Path]:
    """The files of the package by their modules' names within it: "inputs.types"; "" is the package itself."""
    return {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from run_nodes(other)
        else:
            yield from run_nodes(child)


def imports(name: str, path: Path) -> set[str]:
    """The modules of the package that a module imports, also inside functions."""
    known = modules()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in run_nodes(tree(path)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names if alias.name.split(".")[0] == "numpy_adagrad"]
            found |= {target.partition(".")[2] for target in targets}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            for alias in node.names if base is not None else ():
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in known or alias.name == "_core" else base or "")
    return found & known.keys()


def absolute(node: ast.ImportFrom, package: str) -> str | None:
    """The module, named within the package, from which something is imported; None for other packages."""
    if node.level == 0:
        root, _, rest = (node.module or "").partition(".")
        return rest if root == "numpy_adagrad" else None
    parts = package.split(".") if package else []
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def words(path: Path) -> set[str]:
    """The words of a file's identifiers and of its strings without spaces, in lower case.

    Docstrings and sentences may name anything, as comments may.
    """
    texts = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not re.search(r"\s", node.value):
            texts.add(node.value)
        for field in ("id", "attr", "name", "asname", "arg", "module"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                texts.add(value)
    return {word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", text)}
