"""Refuses dependencies that nothing uses: `make lint` runs it.

    python3 tests/check_dependencies.py

A crate under [dependencies] has to be named in code that is compiled without tests, one under [dev-dependencies] in any code
of its crate. What [workspace.dependencies] lists has to be wanted by a member. A name counts as used where it begins a path.
"""

import re
import sys
import tomllib
from pathlib import Path

from rust_source import Crate, Token, members, read_crate, tokens_of, tracked_sources

ROOT = Path(__file__).resolve().parents[1]
INCLUDED = re.compile(r'(?:#\[path\s*=\s*|include!\()"([^"]+)"')


def begins_path(tokens: list[Token]) -> set[str]:
    """The words that are followed by `::` and not preceded by it, and what `use` and `extern crate` name alone."""
    texts = ["", *(token.text for token in tokens), ""]
    return {
        word
        for before, word, after in zip(texts, texts[1:], texts[2:], strict=False)
        if (after == "::" and before != "::") or (before in ("use", "crate") and after in (";", "as"))
    }


def used_in_program(crate: Crate) -> set[str]:
    used = set()
    for module in crate.modules():
        used |= begins_path(module.code) | {imported.path[0] for imported in module.imports}
        used |= {imported.path[1] for imported in module.imports if imported.path[0] == "::"}
    return used


def used_anywhere(files: list[Path]) -> set[str]:
    """What the files and those that they include with #[path] use."""
    used: set[str] = set()
    files = [*files]
    for file in files:
        text = file.read_text()
        used |= begins_path(tokens_of(text))
        files += [
            included
            for name in INCLUDED.findall(text)
            if (included := (file.parent / name).resolve()).suffix == ".rs" and included.is_file() and included not in files
        ]
    return used


def names(table: dict) -> dict[str, str]:
    """The dependencies of a table by the names that code knows them by."""
    return {name.replace("-", "_"): name for name in table}


def unused(crate: Crate, files: list[Path]) -> list[str]:
    """The dependencies of a crate that it does not use; `files` are all its sources."""
    manifest = crate.folder / "Cargo.toml"
    problems = [
        f"{manifest}: {name}: no code that is compiled without tests uses it"
        for word, name in names(crate.manifest.get("dependencies", {})).items()
        if word not in used_in_program(crate)
    ]
    problems += [
        f"{manifest}: {name}: no test, benchmark or example uses it"
        for word, name in names(crate.manifest.get("dev-dependencies", {})).items()
        if word not in used_anywhere(files)
    ]
    return problems


def unwanted(root: Path, crates: list[Crate]) -> list[str]:
    """What the workspace lists and no member takes from it."""
    tables = ("dependencies", "dev-dependencies", "build-dependencies")
    wanted = {name for crate in crates for table in tables for name in crate.manifest.get(table, {})}
    listed = tomllib.loads((root / "Cargo.toml").read_text())["workspace"].get("dependencies", {})
    return [f"{root / 'Cargo.toml'}: {name}: no member of the workspace wants it" for name in listed if name not in wanted]


def main() -> int:
    crates = [read_crate(folder) for folder in members(ROOT)]
    problems = [problem for crate in crates for problem in unused(crate, tracked_sources(crate.folder))] + unwanted(ROOT, crates)
    for problem in problems:
        print(problem.replace(f"{ROOT}/", ""), file=sys.stderr)
    print(f"dependencies: {len(problems) or 'none'} unused")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
