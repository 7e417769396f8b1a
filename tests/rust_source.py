"""Reads Rust sources just far enough for the checks of `make lint`: it is no compiler and needs none.

What belongs here: a crate's files as a tree of modules, without comments, texts and test code. What is wrong with them is
for check_imports.py, check_files.py and check_dependencies.py.

Test code is what stands under `#[cfg(test)]`, and the files that only such modules declare.
"""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

OPENING = re.compile(
    r"""//[^\n]*                                  # a line of comment
      | /\*                                       # a block of comment: these nest
      | \b(?:br|cr|r)(?P<hashes>\#*)"             # a raw text
      | \b[bc]?"(?:[^"\\]|\\.)*"                  # a text
      | "(?:[^"\\]|\\.)*"
      | b?'(?:[^'\\\n]|\\(?:x..|u\{[^}]*\}|.))'   # one character, not a lifetime
    """,
    re.VERBOSE | re.DOTALL,
)
BLOCK = re.compile(r"/\*|\*/")
PATH_TEXT = re.compile(r'"((?:crate|super|self)(?:::\w+)+)"')  # #[serde(default = "crate::a::b")]
TOKEN = re.compile(r"[A-Za-z_]\w*|::|\S")
ITEMS = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "use", "impl", "extern", "macro_rules"}
NAMED = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
WORD = re.compile(r"[A-Za-z_]\w*$")
PAIRS = {"{": "}", "(": ")", "[": "]"}


class Token(NamedTuple):
    text: str
    line: int


@dataclass
class Import:
    """One name of a `use`: `path` is as it was written, `name` is what it is called here, `*` for all of a module."""

    path: tuple[str, ...]
    name: str
    line: int
    public: bool


@dataclass
class Module:
    path: tuple[str, ...]
    file: Path
    parent: "Module | None" = None
    children: dict[str, "Module"] = field(default_factory=dict)
    defines: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    code: list[Token] = field(default_factory=list)  # without its `use` and without its inline modules

    def __str__(self) -> str:
        return "::".join(self.path)

    def walk(self) -> Iterator["Module"]:
        yield self
        for child in self.children.values():
            yield from child.walk()


def without_comments_and_texts(text: str) -> str:
    """The source with blanks for comments and texts; the lines stay. A text that is a path (serde has such) stays a path."""
    parts, position = [], 0
    while found := OPENING.search(text, position):
        end = found.end()
        if found[0] == "/*":
            depth = 1
            while depth and (mark := BLOCK.search(text, end)):
                depth += 1 if mark[0] == "/*" else -1
                end = mark.end()
        elif found["hashes"] is not None:
            closing = text.find('"' + found["hashes"], end)
            end = len(text) if closing < 0 else closing + 1 + len(found["hashes"])
        taken = text[found.start() : end]
        path = PATH_TEXT.fullmatch(taken)
        parts += [text[position : found.start()], f" {path[1]} " if path else re.sub(r"[^\n]", " ", taken)]
        position = end
    return "".join([*parts, text[position:]])


def tokens_of(text: str) -> list[Token]:
    return [
        Token(found[0], number)
        for number, line in enumerate(without_comments_and_texts(text).split("\n"), 1)
        for found in TOKEN.finditer(line)
    ]


def end_of_group(tokens: list[Token], opening: int) -> int:
    """The index behind the group that begins at `opening`."""
    wanted: list[str] = []
    for index in range(opening, len(tokens)):
        text = tokens[index].text
        if text in PAIRS:
            wanted.append(PAIRS[text])
        elif wanted and text == wanted[-1]:
            wanted.pop()
            if not wanted:
                return index + 1
    return len(tokens)


def end_of_item(tokens: list[Token], start: int) -> int:
    """The index behind the item, field or statement that begins at `start`, its attributes included."""
    index = start
    while index + 1 < len(tokens) and tokens[index].text == "#" and tokens[index + 1].text == "[":
        index = end_of_group(tokens, index + 1)
    head = [token.text for token in tokens[index : index + 6]]
    is_item = bool(ITEMS & set(head[:1] if head[:1] != ["pub"] else head))
    ends_at_semicolon = bool({"use", "const", "static", "type"} & set(head)) and "fn" not in head
    while index < len(tokens):
        text = tokens[index].text
        if text == ";" or (text == "," and not is_item):
            return index + 1
        if text in ("}", ")", "]"):
            return index
        if text in PAIRS:
            index = end_of_group(tokens, index)
            if text == "{" and not ends_at_semicolon:
                return index
            continue
        index += 1
    return index


def is_test_attribute(tokens: list[Token], index: int) -> bool:
    words = "".join(token.text for token in tokens[index : index + 9])
    return words.startswith(("#[cfg(test)]", "#[cfg(all(test,", "#![cfg(test)]"))


def test_spans(tokens: list[Token]) -> list[tuple[int, int]]:
    """The spans of tokens that are compiled for tests only."""
    spans, index = [], 0
    while index < len(tokens):
        if tokens[index].text == "#" and is_test_attribute(tokens, index):
            end = len(tokens) if tokens[index + 1].text == "!" else end_of_item(tokens, index)
            spans.append((index, end))
            index = end
        else:
            index += 1
    return spans


def without_tests(tokens: list[Token]) -> list[Token]:
    kept, position = [], 0
    for start, end in test_spans(tokens):
        kept += tokens[position:start]
        position = end
    return kept + tokens[position:]


def lines_without_tests(text: str) -> int:
    """How many lines a file has, comments included, without the items that are compiled for tests only."""
    tokens = tokens_of(text)
    tests = sum(tokens[end - 1].line - tokens[start].line + 1 for start, end in test_spans(tokens))
    return len(text.splitlines()) - tests


def read_use(tokens: list[Token], index: int, public: bool, found: list[Import]) -> int:
    """Reads `use a::{b, c as d, e::*};` from behind its `use`; gives the index behind its `;`."""

    def tree(index: int, prefix: tuple[str, ...]) -> int:
        path, line = prefix, tokens[index].line
        while index < len(tokens):
            text = tokens[index].text
            if text == "::":
                path = path or ("::",)
                index += 1
            elif text == "{":
                index += 1
                while tokens[index].text != "}":
                    index = tree(index, path)
                    index += tokens[index].text == ","
                return index + 1
            elif text == "*":
                found.append(Import(path, "*", line, public))
                return index + 1
            elif WORD.match(text) and text != "as":
                path, line = (*path, text), tokens[index].line
                index += 1
            else:
                break
        if path[-1] == "self" and len(path) > 1:
            path = path[:-1]
        name = path[-1]
        if tokens[index].text == "as":
            name, index = tokens[index + 1].text, index + 2
        found.append(Import(path, name, line, public))
        return index

    return tree(index, ()) + 1


def is_public(tokens: list[Token], index: int) -> bool:
    """Whether `pub`, `pub(crate)` or alike stands before the token."""
    if index and tokens[index - 1].text == ")":
        while index and tokens[index - 1].text != "(":
            index -= 1
        index -= 1
    return index > 0 and tokens[index - 1].text == "pub"


def folder_of_children(module: Module) -> Path:
    file = module.file
    return file.parent if file.name in ("mod.rs", "lib.rs", "main.rs") or file.parent.name == "bin" else file.with_suffix("")


def read_module(module: Module) -> None:
    tokens = without_tests(tokens_of(module.file.read_text()))
    read_tokens(module, tokens, folder_of_children(module))


def read_tokens(module: Module, tokens: list[Token], folder: Path) -> None:
    index = depth = 0
    while index < len(tokens):
        text, following = tokens[index].text, tokens[index + 1].text if index + 1 < len(tokens) else ""
        after = tokens[index + 2].text if index + 2 < len(tokens) else ""
        if text == "use" and following not in ("<", ""):
            index = read_use(tokens, index + 1, is_public(tokens, index), module.imports)
            continue
        if text == "mod" and WORD.match(following) and after in (";", "{"):
            child = Module((*module.path, following), module.file, module)
            if after == "{":
                end = end_of_group(tokens, index + 2)
                module.children[following] = child
                read_tokens(child, tokens[index + 3 : end - 1], folder / following)
                index = end
                continue
            files = [folder / f"{following}.rs", folder / following / "mod.rs"]
            if file := next((file for file in files if file.is_file()), None):
                child.file = file
                module.children[following] = child
                read_module(child)
            index += 3
            continue
        if depth == 0 and text in NAMED and WORD.match(following):
            module.defines.add(following)
        if depth == 0 and text == "macro_rules" and following == "!":
            module.defines.add(after)
        depth += (text in PAIRS) - (text in PAIRS.values())
        module.code.append(tokens[index])
        index += 1


@dataclass
class Crate:
    name: str
    folder: Path
    manifest: dict
    roots: list[Module]

    def modules(self) -> Iterator[Module]:
        for root in self.roots:
            yield from root.walk()


def read_crate(folder: Path) -> Crate:
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    name = manifest["package"]["name"]
    files = [file for file in (folder / "src/lib.rs", folder / "src/main.rs") if file.is_file()]
    roots = []
    for file in files + sorted((folder / "src/bin").glob("*.rs")):
        root = Module((name.replace("-", "_") if file.name == "lib.rs" else file.stem,), file)
        read_module(root)
        roots.append(root)
    return Crate(name, folder, manifest, roots)


def members(root: Path) -> list[Path]:
    """The folders of the workspace's crates, in the manifest's order."""
    return [root / member for member in tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["members"]]


def tracked_sources(folder: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "--", "*.rs"], cwd=folder, capture_output=True, text=True, check=True)
    return [folder / path for path in listed.stdout.split("\0") if path and (folder / path).is_file()]
