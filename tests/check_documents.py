"""Checks the committed documents: `make lint` runs it.

    python3 tests/check_documents.py [--binaries target/release]

What belongs here: relative links, images and anchors of every .md that git knows; the command lines in their fenced code
blocks and in `code` within a line; and what is `code` and looks like a path from the root. A link has to lead to something;
a command of userflow has to be one that its `--help` knows, with flags that `--help` knows; a benchmark and its flags have
to be in the help of `tests/bench/run`; a make target, a script of deploy/ or tests/ and a path have to be there. What a
command does is for the tests.

CHANGELOG.md tells of the past, so only its links are checked.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("userflow-ingester", "userflow-jobs", "userflow-serving")
WITHOUT_COMMANDS = ("userflow-serving",)
BENCH = "tests/bench/run"
SCRIPT = re.compile(r"(?:\./)?((?:deploy|tests|\.ci)/[\w./-]+)$")
FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\S*)")
SHELL = ("", "sh", "bash", "shell", "console")  # the languages of blocks whose lines are commands
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"(`+)(.*?)\1")
PATH = re.compile(r"^[\w.-]+(?:/[\w.-]+)+/?$")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
FLAG = re.compile(r"(?<![\w-])(--?[a-zA-Z][\w-]*)")
OPERATORS = re.compile(r"^[|&;<>()]+$")
SUBSHELL = re.compile(r"\$\([^)]*\)")
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")


def text_lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines outside of fenced blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = ""
        elif mark:
            fence = mark[1]
        else:
            yield number, line


def command_lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of fenced blocks of shell; a line that ends in a backslash is joined with the next."""
    fence, shell, start, joined = "", False, 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if not fence:
            if mark:
                fence, shell, joined = mark[1], mark[2].lower() in SHELL, ""
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif shell:
            start = start if joined else number
            joined += line
            if joined.endswith("\\"):
                joined = joined[:-1] + " "
            else:
                yield start, joined
                joined = ""


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    names = set()
    for _, line in text_lines(text):
        if heading := HEADING.match(line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            seen = found.get(name, 0)
            found[name] = seen + 1
            names.add(f"{name}-{seen}" if seen else name)
    return names


def broken_links(root: Path, document: str, text: str) -> list[str]:
    problems = []
    for number, line in text_lines(text):
        for target in LINK.findall(CODE.sub("", line)):
            if re.match(r"^[a-z][a-z0-9+.-]*:", target) or target.startswith("//"):
                continue
            path, _, anchor = unquote(target).partition("#")
            file = (root / document).parent / path if path else root / document
            if not file.exists():
                problems.append(f"{document}:{number}: the link {target} leads to nothing")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                problems.append(f"{document}:{number}: the link {target}: {file.name} has no heading of that name")
    return problems


def missing_paths(root: Path, folders: set[str], document: str, text: str) -> list[str]:
    """What stands as `code`, begins with one of the folders and is not there. A pattern and a `<name>` are no paths."""
    problems = []
    for number, line in text_lines(text):
        for _, code in CODE.findall(line):
            path = re.sub(r":\d+$", "", code.strip())
            if PATH.match(path) and path.split("/")[0] in folders and not (root / path).exists():
                problems.append(f"{document}:{number}: there is no {path}")
    return problems


def split_commands(line: str) -> list[list[str]]:
    """The simple commands of a line of shell, as words; its comment and what assigns variables left out."""
    line = re.sub(r"^\s*\$ ", "", SUBSHELL.sub("SUBSHELL", line))
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if OPERATORS.match(word):
            commands.append([])
        elif commands[-1] or not ASSIGNMENT.match(word):
            commands[-1].append(word)
    return [command for command in commands if command]


def flags_of(help_text: str) -> set[str]:
    """The flags that a help text defines: those at the start of an indented line, before the description."""
    flags = set()
    for line in help_text.splitlines():
        if line.lstrip().startswith("-"):
            flags.update(FLAG.findall(re.split(r"\s{2,}", line.strip())[0]))
    return flags


class Known:
    """What a command may be. `help_of(program, command)` is its help text, or None if there is no such command or program."""

    def __init__(self, root: Path, targets: set[str], help_of: Callable[[str, str], str | None]):
        self.root, self.targets, self.help_of = root, targets, help_of

    def problem(self, words: list[str]) -> str | None:
        program = words[0].rsplit("/", 1)[-1]
        if program in PROGRAMS:
            return self._userflow(program, words[1:])
        if program == "make":
            wanted = [word for word in words[1:] if not word.startswith("-") and not ASSIGNMENT.match(word)]
            unknown = [word for word in wanted if word not in self.targets]
            if unknown:
                return f"the Makefile has no target {unknown[0]}"
            given = next((word[5:].split() for word in words if word.startswith("ARGS=")), [])
            return self._benchmarks(given) if wanted == ["bench"] else None
        script = SCRIPT.match(words[0])
        if script and not (self.root / script[1]).is_file():
            return f"there is no {script[1]}"
        return self._benchmarks(words[1:]) if script and script[1] == BENCH else None

    def _benchmarks(self, words: list[str]) -> str | None:
        """Each is described at the start of a line of the help text; a flag takes the word after it."""
        text = self.help_of(BENCH, "")
        if text is None:
            return f"{BENCH} has no help"
        known = flags_of(text)
        for before, word in zip(["", *words], words, strict=False):
            flag = word.split("=", 1)[0]
            if FLAG.fullmatch(flag):
                if flag not in known:
                    return f"{BENCH} has no flag {flag}"
            elif not FLAG.fullmatch(before) and not re.search(rf"^{re.escape(word)}  ", text, re.MULTILINE):
                return f"{BENCH} has no benchmark {word}"
        return None

    def _userflow(self, program: str, words: list[str]) -> str | None:
        # A program of one purpose has flags only.
        alone = program in WITHOUT_COMMANDS
        command = "" if alone else next((word for word in words if not word.startswith("-")), "")
        text = self.help_of(program, command)
        if text is None:
            return f"{program} has no sub-command {command}"
        known = flags_of(text)
        for word in words:
            flag = word.split("=", 1)[0]
            if FLAG.fullmatch(flag) and flag not in known:
                return f"{program} {command} has no flag {flag}"
        return None


def inline_commands(text: str) -> Iterator[tuple[int, str]]:
    """What stands as `code` in the numbered lines of text and is more than a name: `make test`, `userflow-jobs run --date D`."""
    for number, line in text_lines(text):
        for _, code in CODE.findall(line):
            if " " in code.strip():
                yield number, code.strip()


def wrong_commands(known: Known, document: str, text: str) -> list[str]:
    problems = []
    for number, line in sorted([*command_lines(text), *inline_commands(text)]):
        try:
            commands = split_commands(line)
        except ValueError as error:
            if any(program in line for program in PROGRAMS):
                problems.append(f"{document}:{number}: not a line of shell: {error}")
            continue
        problems += [f"{document}:{number}: {problem}" for words in commands if (problem := known.problem(words))]
    return problems


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def help_texts(binaries: Path) -> Callable[[str, str], str | None]:
    @cache
    def help_of(program: str, command: str) -> str | None:
        path = ROOT / program if "/" in program else binaries / program
        asked = subprocess.run([path, *([command] if command else []), "--help"], capture_output=True, text=True, timeout=60)
        return asked.stdout if asked.returncode == 0 else None

    return help_of


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binaries", type=Path, default=ROOT / "target/release", help="folder of the release binaries")
    binaries = arguments.parse_args().binaries
    missing = [program for program in PROGRAMS if not (binaries / program).is_file()]
    if missing:
        print(f"documents: {binaries} has no {' and no '.join(missing)}: run `make build` first", file=sys.stderr)
        return 1
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    folders = {path.split("/")[0] for path in tracked if "/" in path}
    known = Known(ROOT, make_targets((ROOT / "Makefile").read_text()), help_texts(binaries))
    problems = []
    for document in (path for path in tracked if path.endswith(".md")):
        text = (ROOT / document).read_text()
        problems += broken_links(ROOT, document, text)
        if document != "CHANGELOG.md":
            problems += missing_paths(ROOT, folders, document, text)
            problems += wrong_commands(known, document, text)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
