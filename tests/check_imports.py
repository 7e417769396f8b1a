"""Refuses modules of one crate that import one another in a circle: `make lint` runs it.

    python3 tests/check_imports.py [crate folder...]

In each folder the modules form a picture that has to be readable from one end to the other: a module may use its siblings,
but no chain of uses may come back. What counts:

* A module stands for itself and all that is below it. So `a::x -> b::y` and `b::z -> a::w` is a circle of `a` and `b`.
* A name counts where it is defined: what `mod.rs` re-exports belongs to the child that has it.
* A parent that declares or re-exports its children does not use them. If it uses them (their names stand in its own code)
  and a child uses what the parent defines, parent and child are a circle: what both need goes to a child of its own.
* Test code does not count.

Methods are not seen, because their calls name no module. A crate's binaries are looked at apart from its library.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rust_source import WORD, Import, Module, members, read_crate

ROOT = Path(__file__).resolve().parents[1]


class Edge(NamedTuple):
    source: Module
    target: Module
    item: str
    file: Path
    line: int


def root_of(module: Module) -> Module:
    while module.parent:
        module = module.parent
    return module


def is_below(module: Module, above: Module) -> bool:
    return module.path[: len(above.path)] == above.path


def find(module: Module, path: tuple[str, ...], seen: frozenset = frozenset()) -> tuple[Module, str | None] | None:
    """The module that defines what `path` means in `module`, and its name there (None if it is a module).

    None if it is not of this crate.
    """
    if (module.path, path) in seen:
        return None
    seen |= {(module.path, path)}
    first, rest = path[0], path[1:]
    if first == "crate":
        return descend(root_of(module), rest, seen)
    if first == "self":
        return descend(module, rest, seen)
    if first == "super":
        return find(module.parent, ("self", *rest), seen) if module.parent else None
    if rest and first in module.children:
        return descend(module.children[first], rest, seen)
    return descend(module, path, seen, sure=True)


def descend(module: Module, path: tuple[str, ...], seen: frozenset, sure: bool = False) -> tuple[Module, str | None] | None:
    """As `find`, for a path from `module` on. `sure`: only what is seen there, since the name may come from elsewhere."""
    if not path:
        return module, None
    name, rest = path[0], path[1:]
    if name == "super" and module.parent:
        return descend(module.parent, rest, seen)
    if rest and name in module.children:
        return descend(module.children[name], rest, seen)
    if name in module.defines:
        return module, name
    modules = []
    for imported in module.imports:
        if imported.name == name and (found := find(module, imported.path, seen)):
            if found[1]:
                return found
            modules.append(found[0])
    if name in module.children:
        modules.append(module.children[name])
    if modules:
        return descend(modules[0], rest, seen)
    for imported in module.imports:
        if imported.name == "*" and (found := find(module, imported.path, seen)) and not found[1]:
            key = (found[0].path, path)
            if key not in seen and (inner := descend(found[0], path, seen | {key}, sure=True)):
                return inner
    return None if sure else (module, name)


def paths_in(module: Module) -> Iterator[tuple[tuple[str, ...], int]]:
    """The paths in a module's code (`a::b::c`), with their lines."""
    code, index = module.code, 0
    while index < len(code):
        path, line = [code[index].text], code[index].line
        begins = WORD.match(path[0]) and (index == 0 or code[index - 1].text not in ("::", "."))
        index += 1
        while begins and index + 1 < len(code) and code[index].text == "::" and WORD.match(code[index + 1].text):
            path.append(code[index + 1].text)
            index += 2
        if begins and len(path) > 1:
            yield tuple(path), line


def edges_of(module: Module) -> Iterator[Edge]:
    words = {token.text: token.line for token in reversed(module.code)}

    def edge(path: tuple[str, ...], line: int) -> Iterator[Edge]:
        found = find(module, path)
        if found and found[1] and found[0] is not module:
            yield Edge(module, found[0], "::".join(path), module.file, line)

    def used(imported: Import) -> Iterator[Edge]:
        found = find(module, imported.path)
        if not found:
            return
        if imported.name == "*" and not found[1]:
            for word, line in words.items():
                if word not in module.defines and WORD.match(word) and descend(found[0], (word,), frozenset(), sure=True):
                    yield from edge((*imported.path, word), line)
        elif imported.public and is_below(found[0], module) and imported.name not in words:
            return
        else:
            yield from edge(imported.path, imported.line)

    for imported in module.imports:
        yield from used(imported)
    for path, line in paths_in(module):
        yield from edge(path, line)


def components(graph: dict[str, dict[str, Edge]]) -> list[set[str]]:
    """The groups of nodes that reach one another."""

    def reach(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for following in graph.get(waiting.pop(), {}):
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return seen

    reached = {node: reach(node) for node in graph}
    groups, done = [], set()
    for node in graph:
        if node not in done and node in reached[node]:
            group = {other for other in reached[node] if node in reached.get(other, ())}
            done |= group
            groups.append(group)
    return groups


def shortest_circle(graph: dict[str, dict[str, Edge]], group: set[str]) -> list[Edge]:
    best: list[Edge] = []
    for start in sorted(group):
        chains, seen = [(start, [])], set()
        while chains and not (best and len(chains[0][1]) + 1 >= len(best)):
            node, chain = chains.pop(0)
            for following, edge in graph[node].items():
                if following == start:
                    best = [*chain, edge]
                    chains = []
                    break
                if following in group and following not in seen:
                    seen.add(following)
                    chains.append((following, [*chain, edge]))
    return best


def circles(root: Module) -> Iterator[str]:
    """One text for each group of modules that hang together in a circle, in every folder of the tree below `root`."""
    edges = [edge for module in root.walk() for edge in edges_of(module)]
    for folder in root.walk():
        if not folder.children:
            continue
        graph: dict[str, dict[str, Edge]] = defaultdict(dict)
        depth = len(folder.path)
        for edge in edges:
            if is_below(edge.source, folder) and is_below(edge.target, folder):
                source, target = (end.path[depth] if len(end.path) > depth else "" for end in (edge.source, edge.target))
                if source != target:
                    graph[source].setdefault(target, edge)

        def named(node: str, folder: Module = folder) -> str:
            return f"{folder}::{node}" if node else str(folder)

        for group in components(graph):
            circle = shortest_circle(graph, group)
            lines = [f"{folder}: {len(circle)} modules import one another in a circle:"]
            for edge in circle:
                ends = [end.path[depth] if len(end.path) > depth else "" for end in (edge.source, edge.target)]
                lines.append(f"  {named(ends[0])} -> {named(ends[1])}: {edge.file}:{edge.line}: {edge.item}")
            others = sorted(group - {edge.source.path[depth] if len(edge.source.path) > depth else "" for edge in circle})
            if others:
                lines.append(f"  in the same knot: {', '.join(named(node) for node in others)}")
            yield "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crates", nargs="*", type=Path, help="folders of crates; without, the workspace's")
    folders = parser.parse_args().crates or members(ROOT)
    found = [circle for folder in folders for root in read_crate(folder.resolve()).roots for circle in circles(root)]
    for circle in found:
        print(circle.replace(f"{ROOT}/", ""), file=sys.stderr)
    print(f"imports: {len(found) or 'no'} circle{'' if len(found) == 1 else 's'} in {len(folders)} crates")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
