"""The changes that mutants.py makes: each operator, condition and constant of a C++ file, and a text with all of them.

In that text, `adagrad_mutant` chooses a change by its number: `return a < b;` becomes
`return (adagrad_mutant == 1 ? (a <= b) : ( a < b));`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

OPERATORS = {
    "==": "!=", "!=": "==", "<": "<=", ">": ">=", "<=": "<", ">=": ">", "&&": "||", "||": "&&", "+": "-", "-": "+",
    "*": "/", "/": "*", "%": "*", "|": "&", "&": "|", "+=": "-=", "-=": "+=", "|=": "=",
}  # fmt: skip
# Operators stand between spaces: clang-format sees to that.
CHANGES = [(rf"(?<= ){re.escape(operator)}(?= )", other) for operator, other in OPERATORS.items()]
CHANGES += [
    (r"(?<=[(\s,])!(?=[a-z])", "!!"), (r"(?<=[(\s,])-(?=[a-z])", ""), (r"\+\+", "--"),
    (r"(?<=\bif \().*(?=\)(?: \w|$| \{))", r"!(\g<0>)"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"(?<![\w.])0(?![\w.])", "1"), (r"(?<![\w.])[1-9]\d*(?![\w.])", r"(\g<0> + 1)"),
    (r"\b\d+\.\d+\b", r"(\g<0> + 1)"), (r"\b1e-", "3e-"), (r"\bstd::min\b", "std::max"), (r"\bstd::max\b", "std::min"),
]  # fmt: skip
NOT_CODE = re.compile(r'\s*(#|using |template |concept |static_assert)|.*"')
# An expression goes from one of these to one of those, where all brackets between are closed.
BEFORE = re.compile(r"([;,({[]|}\n|\b(return|throw|else)|\s[=?:] )\Z")
AFTER = re.compile(r"[;,)}\]]|\s[?:]\s")
STATEMENT = re.compile(r"\b(if|if constexpr|while|for|switch) \Z")


class Change(NamedTuple):
    start: int
    end: int
    text: str

    def made(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


def blank(pattern: str, source: str) -> str:
    """Spaces in place of what matches, but for a string that is no comment."""
    return re.sub(pattern, lambda found: found[1] or " " * len(found[0]), source)


def without_comments(source: str) -> str:
    return blank(r'("(?:\\.|[^"\\\n])*")|//.*', source)


def changes(source: str) -> Iterator[Change]:
    """All changes of a text without comments."""
    begin = 0
    for line in source.splitlines(keepends=True):
        if not NOT_CODE.match(line):
            for pattern, replacement in CHANGES:
                for found in re.finditer(pattern, line.rstrip()):
                    yield Change(begin + found.start(), begin + found.end(), found.expand(replacement))
        begin += len(line)


def expression(code: str, change: Change) -> tuple[int, int]:
    """The bounds of the smallest expression or statement around a change. `code` has no strings."""
    begin, closed = change.start, [change.start]
    while begin > 0 and (len(closed) > 1 or not BEFORE.search(code, max(0, begin - 8), begin)):
        begin -= 1
        if code[begin] in ")]}":
            closed.append(begin + 1)
        elif code[begin] in "([{":
            after = closed.pop()
            if len(closed) == 1 and STATEMENT.search(code, max(0, begin - 14), begin):
                begin = after
                break
    end, opened = change.end, 0
    while opened or not AFTER.match(code, end):
        opened += (code[end] in "([{") - (code[end] in ")]}")
        end += 1
    return begin + len(code[begin:]) - len(code[begin:].lstrip()), end


def combined(source: str, chosen: Mapping[int, Change]) -> str:
    """A text with all changes, by number, as far as it compiles. Its lines are those of the text."""
    code = blank(r"()(?<=\")(?:\\.|[^\"\\\n])*(?=\")|'\\?.'", source)
    expressions: dict[tuple[int, int], str] = defaultdict(str)
    for number, change in chosen.items():
        begin, end = expression(code, change)
        changed = source[begin : change.start] + change.text + source[change.end : end]
        expressions[begin, end] += f"adagrad_mutant == {number} ? ({' '.join(changed.split())}) : "
    # One may lie within another: where both begin, the outer one stands first, and where both end, the inner one.
    inserts = [(end, 0, -begin, "))") for begin, end in expressions]
    inserts += [(begin, 1, -end, f"({text}(") for (begin, end), text in expressions.items()]
    for position, _, _, text in sorted(inserts, reverse=True):
        source = source[:position] + text + source[position:]
    return source


def line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1
