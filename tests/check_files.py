"""Refuses Rust files that have grown too long to be read at once: `make lint` runs it.

    python3 tests/check_files.py [crate folder...] [--list]

Counted are the lines of the files under src/ that are compiled without tests, and in them what does not stand under
`#[cfg(test)]`. A file with more than LIMIT such lines is refused: split it by what makes it change, not by its length.
Median and p90 are printed beside their goals; `--list` prints every file, the longest first.
"""

import argparse
import sys
from pathlib import Path

from rust_source import lines_without_tests, members, read_crate

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 400
MEDIAN, P90 = 120, 300  # goals


def lengths(folders: list[Path]) -> dict[Path, int]:
    files = {module.file for folder in folders for module in read_crate(folder).modules()}
    return {file: lines_without_tests(file.read_text()) for file in files}


def quantile(numbers: list[int], share: float) -> int:
    """The smallest of the numbers that is not below `share` of them."""
    ordered = sorted(numbers)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crates", nargs="*", type=Path, help="folders of crates; without, the workspace's, but for the tests'")
    parser.add_argument("--list", action="store_true", help="print every file, the longest first")
    arguments = parser.parse_args()
    folders = [folder.resolve() for folder in arguments.crates] or [folder for folder in members(ROOT) if folder.name != "tests"]
    found = lengths(folders)
    refused = 0
    for file, lines in sorted(found.items(), key=lambda entry: (-entry[1], entry[0])):
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        if lines > LIMIT:
            refused += 1
            print(f"{name}: {lines} lines that are no tests, the limit is {LIMIT}", file=sys.stderr)
        elif arguments.list:
            print(f"{lines:5} {name}")
    median, p90 = quantile(list(found.values()), 0.5), quantile(list(found.values()), 0.9)
    goals = f"median {median} (goal {MEDIAN}), p90 {p90} (goal {P90})"
    print(f"files: {len(found)}, lines without tests: {goals}, {refused} over {LIMIT}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
