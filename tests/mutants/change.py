"""Mutants of Cython and Python sources, all of a file in one text: each stands behind a number, chosen at run time.

A statement that can be broken becomes `if wb_is(17): broken, elif wb_is(18): broken in another way, else: as it was`,
a condition the same as an expression. So hundreds of mutants are compiled once, and what runs is told by one number
(tests.mutants.run). Changes are made to tokens: they need no parser of Cython.
"""

from __future__ import annotations

import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

SWAPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+", "*": "+", "&": "|",
           "|": "&", "^": "|", "<<": ">>", ">>": "<<", "//": "*", "%": "//", "+=": "-=", "-=": "+=", "|=": "&=",
           "&=": "|=", "*=": "+=", "//=": "*=", "<<=": ">>=", ">>=": "<<="}
WORDS = {"and": "or", "or": "and", "True": "False", "False": "True"}
QUIET = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
OPENS, CLOSES = "([{", ")]}"
# Statements that stay: they begin blocks, or do nothing that a test could miss.
LEFT = {"else", "try", "finally", "except", "with", "for", "async", "pass", "import", "from", "raise", "global",
        "nonlocal", "assert", "del", "break"}
AROUND = 3              # tokens on either side of a change in its label


class Token(NamedTuple):
    kind: int
    text: str
    start: int          # offsets in the file
    end: int


@dataclass(frozen=True)
class Mutant:
    """One change of one place."""

    file: str
    function: str
    line: int
    kind: str           # comparison, operator, condition, constant, logic, statement, or "listed"
    label: str          # the change with a few words around it: names the mutant, whatever else changes in the file
    becomes: str        # what stands in place of the statement or expression; empty: nothing
    title: str = ""     # of a listed one
    number: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.function, self.label


@dataclass
class Place:
    """A statement, or an expression in one, that can be broken."""

    shape: str          # "statement", or "value" for what can stand in a conditional expression
    function: str
    line: int
    start: int
    end: int
    mutants: list[Mutant] = field(default_factory=list)


def tokens_of(text: str) -> list[Token]:
    begins = [0]
    for line in text.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    return [Token(t.type, t.string, begins[t.start[0] - 1] + t.start[1], begins[t.end[0] - 1] + t.end[1])
            for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in QUIET]


def statements(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The logical lines."""
    held: list[Token] = []
    for token in tokens:
        if token.kind in (tokenize.NEWLINE, tokenize.ENDMARKER):
            if held:
                yield held
            held = []
        else:
            held.append(token)


def places_of(file: str, text: str) -> list[Place]:
    """Every place of a file's functions, with all its mechanical mutants."""
    found: list[Place] = []
    inside: list[tuple[int, str]] = []              # (column, name) of the functions around
    for held in statements(tokens_of(text)):
        column = held[0].start - (text.rfind("\n", 0, held[0].start) + 1)
        while inside and column <= inside[-1][0]:
            inside.pop()
        words = [token.text for token in held]
        if held[-1].text == ":" and "(" in words and words[0] in ("cdef", "cpdef", "def", "async") and (
                words[0] != "async" or words[1] == "def"):
            inside.append((column, words[words.index("(") - 1]))
            continue
        if words[0] in ("class", "@") or not inside:
            continue
        line = text.count("\n", 0, held[0].start) + 1
        for shape, part in parts_of(held):
            if part:
                place = Place(shape, inside[-1][1], line, part[0].start, part[-1].end)
                place.mutants = list(changes(file, text, place, part, words[0]))
                found.append(place)
    seen: Counter[tuple[str, str, str]] = Counter()
    for place in found:
        for i, mutant in enumerate(place.mutants):
            seen[mutant.key] += 1
            if seen[mutant.key] > 1:
                place.mutants[i] = replace(mutant, label=f"{mutant.label} (#{seen[mutant.key]})")
    return found


def parts_of(held: list[Token]) -> Iterator[tuple[str, list[Token]]]:
    """(shape, tokens) of what can be broken in a statement."""
    first = held[0].text
    if first in ("if", "elif", "while") and held[-1].text == ":":
        yield "value", held[1:-1]
    elif first == "for" and held[-1].text == ":":
        for i, token in enumerate(held[:-1]):
            if token.text == "range" and held[i - 1].text == "in":
                yield from (("value", part) for part in split(held[i + 2:-2])[:2])
    elif first == "cdef":
        for part in split(held[1:]):
            for i, token in enumerate(part):
                if token.text == "=":
                    yield "value", part[i + 1:]
    elif first not in LEFT and held[-1].text != ":" and (len(held) > 1 or held[0].kind != tokenize.STRING):
        yield "statement", held


def split(tokens: list[Token]) -> list[list[Token]]:
    """Parts between the commas outside of brackets."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in OPENS) - (token.text in CLOSES)
        if token.text == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(token)
    return found


def casts(part: Sequence[Token]) -> set[int]:
    """Places of the tokens of casts: <int64_t*> is no comparison."""
    found: set[int] = set()
    for i, token in enumerate(part):
        if token.text == "<" and i not in found and not ends_operand(part, i - 1):
            close = next(k for k in range(i, len(part)) if part[k].text == ">")
            found.update(range(i, close + 1))
    return found


def ends_operand(part: Sequence[Token], i: int) -> bool:
    """Whether a value ends with this token, so that an operator behind it has two sides."""
    return i >= 0 and (part[i].text in (")", "]", "}") or part[i].kind in (tokenize.NUMBER, tokenize.STRING)
                       or (part[i].kind == tokenize.NAME and not keyword.iskeyword(part[i].text))
                       or part[i].text in ("True", "False", "None"))


def changes(file: str, text: str, place: Place, part: list[Token], first: str) -> Iterator[Mutant]:
    """The mechanical mutants of one place."""
    was = text[place.start:place.end]

    def mutant(kind: str, new: str, first: int = 0, past: int = 0) -> Mutant:
        """The tokens from `first` to before `past` become `new`; all of them without these."""
        if not past:
            return Mutant(file, place.function, place.line, kind,
                          f"{' '.join(was.split())} -> {new}" if new else f"no {' '.join(was.split())}", new)
        from_, to = part[first].start, part[past - 1].end
        left = text[part[max(first - AROUND, 0)].start:from_]
        right = text[to:part[min(past + AROUND, len(part)) - 1].end]
        label = " -> ".join(" ".join((left + middle + right).split()) for middle in (text[from_:to], new))
        return Mutant(file, place.function, place.line, kind, label,
                      was[:from_ - place.start] + new + was[to - place.start:])

    typed = casts(part)
    strings = 0                                     # depth of f-strings, whose parts are tokens in newer Pythons
    for i, token in enumerate(part):
        name = tokenize.tok_name[token.kind]
        strings += (name == "FSTRING_START") - (name == "FSTRING_END")
        if i in typed or strings:
            continue
        kind, new = "operator", ""
        before, after = part[i - 1].text if i else "", part[i + 1].text if i + 1 < len(part) else ""
        if token.text in SWAPPED and token.kind == tokenize.OP and ends_operand(part, i - 1):
            new = SWAPPED[token.text]
            if after in (")", ",", "*"):                  # a pointer's type
                continue
            kind = "comparison" if token.text in ("<", "<=", ">", ">=", "==", "!=") else "operator"
        elif token.text in WORDS:
            kind, new = ("logic" if token.text in ("and", "or") else "constant"), WORDS[token.text]
        elif token.text == "not" and after != "in":
            kind, new = "logic", " "
            if before == "is":
                continue
        elif token.text == "is" and token.kind == tokenize.NAME:
            kind, new = "comparison", "is" if after == "not" else "is not"
            if after == "not":
                yield mutant(kind, new, i, i + 2)
                continue
        elif token.kind == tokenize.NUMBER and not (before == "[" and after == "]" and token.text == "0"):
            kind = "constant"
            try:
                new = str(int(token.text, 0) + 1)
            except ValueError:
                new = f"({token.text} * 2 + 1)"
        if new:
            yield mutant(kind, new, i, i + 1)
    if first in ("if", "elif"):
        yield mutant("condition", "True")
    if first in ("if", "elif", "while"):
        yield mutant("condition", "False")
    if place.shape == "statement":
        yield mutant("statement", "")


def changed(text: str, places: Sequence[Place], imports: str) -> str:
    """The file with the mutants of these places behind their numbers; `imports` makes wb_is known."""
    out = text
    for place in sorted(places, key=lambda it: -it.start):
        if not place.mutants:
            continue
        was = text[place.start:place.end]
        if place.shape == "value":
            broken = " else ".join(f"({it.becomes}) if wb_is({it.number})" for it in place.mutants)
            new = f"({broken} else ({was}))"
        else:
            indent = " " * (place.start - (text.rfind("\n", 0, place.start) + 1))
            new = "".join(f"{'elif' if i else 'if'} wb_is({it.number}):\n{indent}    {it.becomes or 'pass'}\n{indent}"
                          for i, it in enumerate(place.mutants)) + f"else:\n{indent}    {was}"
        out = out[:place.start] + new + out[place.end:]
    return after_docstring(out, imports)


def after_docstring(text: str, imports: str) -> str:
    """`imports` behind the docstring and what must stand at the top."""
    held = list(statements(tokens_of(text)))
    at = next(i for i, tokens in enumerate(held)
              if tokens[0].kind != tokenize.STRING and [t.text for t in tokens[:2]] != ["from", "__future__"])
    return text[:held[at][0].start] + imports + "\n" + text[held[at][0].start:]


def numbered(places: Sequence[Place], first: int) -> int:
    """Give every mutant its number, from `first` on; returns the next one."""
    for place in places:
        place.mutants = [replace(mutant, number=first + i) for i, mutant in enumerate(place.mutants)]
        first += len(place.mutants)
    return first
