"""tests/check_documents.py: what is wrong in a document is found, and what is right is not."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHECKER = ROOT / "tests/check_documents.py"
HELP = {
    ("userflow-jobs", ""): "Usage: userflow-jobs\n\nOptions:\n  -h, --help  Print help\n",
    ("userflow-jobs", "run"): """Options:
      --date <DATE>
          The day; see --gone

  -j, --jobs <N>  How many [default: 2]
""",
    ("tests/bench/run", ""): "Benches\n\nonline     into the stores\n\noptions:\n  -h, --help  this\n  --events N  how many\n",
}


def load():
    spec = importlib.util.spec_from_file_location("check_documents", CHECKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checker = load()


def commands(root: Path, *lines: str, language: str = "") -> list[str]:
    (root / "tests/bench").mkdir(parents=True, exist_ok=True)
    (root / "tests/bench/run").touch()
    known = checker.Known(root, {"demo", "test-trino", "bench"}, lambda program, command: HELP.get((program, command)))
    return checker.wrong_commands(known, "d.md", "\n".join(["# D", f"```{language}", *lines, "```", ""]))


@pytest.mark.parametrize(
    "line",
    [
        "userflow-jobs run '+gold.*' --date 2026-11-01 -j 2   # a comment with --any flag",
        "$ target/release/userflow-jobs run gold.x --date=2026-11-01 | head --lines 3",
        "USERFLOW_LAKE=/l userflow-jobs run … --jobs $(nproc --all) >out",
        "userflow-jobs --help",
        'make demo ARGS="a b" && make -s test-trino',
        "make",
        "docker compose --profile core up",
        "tests/bench/run --events 1000 online",
        "tests/bench/run --help",
        'make bench ARGS="--events=5 online"',
        "it's a line of output",
    ],
)
def test_what_is_right_passes(tmp_path, line):
    assert commands(tmp_path, line) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("userflow-jobs walk --date 2026-11-01", "userflow-jobs has no sub-command walk"),
        ("userflow-jobs run --dates 2026-11-01", "userflow-jobs run has no flag --dates"),
        ("userflow-jobs run --gone", "userflow-jobs run has no flag --gone"),
        ("userflow-jobs run -x", "userflow-jobs run has no flag -x"),
        ("make demo && ./target/release/userflow-jobs run --date=1 --until=2", "userflow-jobs run has no flag --until"),
        ("make demos", "the Makefile has no target demos"),
        ("deploy/servers/nothing start --dir D", "there is no deploy/servers/nothing"),
        ("tests/bench/run --events 5 offline", "tests/bench/run has no benchmark offline"),
        ("tests/bench/run --event 5 online", "tests/bench/run has no flag --event"),
        ("make bench ARGS=offline", "tests/bench/run has no benchmark offline"),
        ("userflow-jobs run 'open", "not a line of shell: No closing quotation"),
    ],
)
def test_what_is_wrong_is_found_with_its_line(tmp_path, line, message):
    assert commands(tmp_path, "make demo", line) == [f"d.md:4: {message}"]


def test_a_command_over_several_lines_is_one_and_other_languages_are_none(tmp_path):
    assert commands(tmp_path, "userflow-jobs run \\", "  --dates 1") == ["d.md:3: userflow-jobs run has no flag --dates"]
    assert commands(tmp_path, "userflow-jobs walk", language="text") == []


def test_a_command_within_a_line_is_held_against_the_help_too(tmp_path):
    known = checker.Known(tmp_path, {"demo"}, lambda program, command: HELP.get((program, command)))
    text = "`make demo`, `make gone`,\n`userflow-jobs` alone, `userflow-jobs run --date D` or ``userflow-jobs run --until D``\n"
    assert checker.wrong_commands(known, "d.md", text) == [
        "d.md:1: the Makefile has no target gone",
        "d.md:2: userflow-jobs run has no flag --until",
    ]


def test_a_path_that_is_not_there_is_found(tmp_path):
    (tmp_path / "deploy/servers").mkdir(parents=True)
    (tmp_path / "deploy/up").write_text("")
    text = "`deploy/up`, `deploy/servers/`, `deploy/*.sh`, `deploy/<name>/x`, `bronze/by_date.rs`\n`deploy/down`\n"
    assert checker.missing_paths(tmp_path, {"deploy"}, "d.md", text) == ["d.md:2: there is no deploy/down"]


def test_links_images_and_anchors(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/there.md").write_text("# One `two`, three\n\n```\n# no heading\n```\n\n## Twice\n\n## Twice\n")
    text = "\n".join(
        [
            "# Here",
            "[a](there.md) [b](there.md#one-two-three) [c](there.md#twice-1) [d](#here) [e](https://x.example/y) `[f](no.md)`",
            "[g](gone.md) ![h](gone.png)",
            "[i](there.md#no-heading) [j](#nowhere)",
            "```",
            "[k](in-a-block.md)",
            "```",
        ]
    )
    (tmp_path / "docs/here.md").write_text(text)
    assert checker.broken_links(tmp_path, "docs/here.md", text) == [
        "docs/here.md:3: the link gone.md leads to nothing",
        "docs/here.md:3: the link gone.png leads to nothing",
        "docs/here.md:4: the link there.md#no-heading: there.md has no heading of that name",
        "docs/here.md:4: the link #nowhere: here.md has no heading of that name",
    ]


def test_only_what_a_help_text_defines_is_a_flag():
    assert checker.flags_of(HELP["userflow-jobs", "run"]) == {"--date", "-j", "--jobs"}


def test_the_targets_of_a_makefile():
    assert checker.make_targets(".PHONY: x\nA := b\nup: a ## text\n\tcd b\ntest-trino:\n") == {"up", "test-trino"}


def test_the_program_fails_for_a_broken_document_and_for_missing_binaries(tmp_path):
    """The program itself, in a repository of its own with pretended binaries."""
    (tmp_path / "tests").mkdir()
    shutil.copy(CHECKER, tmp_path / "tests/check_documents.py")
    (tmp_path / "Makefile").write_text("demo:\n")
    (tmp_path / "README.md").write_text("# R\n\n```\nuserflow-jobs run --date 1\nmake demo\n```\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)

    def check() -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, tmp_path / "tests/check_documents.py"], capture_output=True, text=True)

    without = check()
    assert (without.returncode, "run `make build` first" in without.stderr) == (1, True)
    release = tmp_path / "target/release"
    release.mkdir(parents=True)
    for program in checker.PROGRAMS:
        (release / program).write_text('#!/bin/sh\n[ "$1" = run ] || exit 2\necho "  --date <DATE>  The day"\n')
        (release / program).chmod(0o755)
    good = check()
    assert (good.returncode, good.stderr) == (0, "")
    (tmp_path / "README.md").write_text("# R\n\n[a](gone.md)\n\n```\nuserflow-jobs walk\nmake nothing\n```\n")
    broken = check()
    assert broken.returncode == 1
    assert broken.stderr.splitlines() == [
        "README.md:3: the link gone.md leads to nothing",
        "README.md:6: userflow-jobs has no sub-command walk",
        "README.md:7: the Makefile has no target nothing",
    ]


def test_the_glossary_is_in_alphabetical_order():
    rows = (ROOT / "docs/glossary.md").read_text().split("|---|---|---|\n")[1].splitlines()
    words = [row.split("|")[1].strip().lower() for row in rows]
    assert words == sorted(set(words))
