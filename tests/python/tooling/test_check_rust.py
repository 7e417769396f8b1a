"""The checks of Rust sources in tests/check_*.py: what is wrong is found, and what is right is not."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

import check_dependencies  # noqa: E402
import check_files  # noqa: E402
import check_imports  # noqa: E402
import rust_source  # noqa: E402


def crate(folder: Path, manifest: str = "", **files: str) -> rust_source.Crate:
    """A crate whose files are named as modules are: `a__b` is src/a/b.rs, `a` is src/a.rs."""
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "Cargo.toml").write_text(f'[package]\nname = "the-house"\n{manifest}')
    for name, text in files.items():
        file = folder / "src" / f"{name.replace('__', '/')}.rs"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return rust_source.read_crate(folder)


def circles(folder: Path, **files: str) -> list[str]:
    return [circle for root in crate(folder, **files).roots for circle in check_imports.circles(root)]


SIBLINGS = "mod a;\nmod b;\n"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("use crate::b::B;\npub fn f(_: B) {}\n", "use crate::a::f;\npub struct B;\n"),
        ("use super::b::B;\npub fn f(_: B) {}\n", "pub struct B;\nfn g() { crate::a::f(B) }\n"),
        ("use crate::{b::{B as C}};\npub fn f(_: C) {}\n", "use super::a;\npub struct B;\nfn g() { a::f(B) }\n"),
        ("use crate::b::*;\npub fn f(_: B) {}\n", "pub struct B;\nimpl B { fn g(&self) { super::a::f(B) } }\n"),
        ("use crate::b as c;\npub fn f(_: c::B) {}\n", '#[serde(default = "crate::a::f")]\npub struct B;\n'),
        ("pub fn f() { let _ = <crate::b::B as Default>::default(); }\n", "pub struct B;\nmod c { fn g() { crate::a::f() } }\n"),
    ],
)
def test_a_circle_of_siblings_is_found_however_it_is_written(tmp_path, a, b):
    (found,) = circles(tmp_path, lib=SIBLINGS, a=a, b=b)
    assert "the_house::a -> the_house::b" in found
    assert "the_house::b -> the_house::a" in found


@pytest.mark.parametrize(
    "b",
    [
        "pub struct B;\n#[cfg(test)]\nmod tests { use crate::a::f; }\n",
        "pub struct B;\n#[cfg(test)]\nuse crate::a::f;\n",
        "pub struct B;\n#[cfg(test)]\nmod tests;\n",
        "pub struct B;\n#[cfg(all(test, unix))]\n#[test]\npub(crate) fn t() -> [u8; 2] { crate::a::f() }\n",
        "pub struct B { x: u8, #[cfg(test)] y: crate::a::F }\n",
        "/// See [`crate::a::f`].\npub struct B; // crate::a::f()\n/* crate::a::f /* nested */ crate::a::f */\n",
        'pub struct B;\nconst TEXT: &str = r#"crate::a::f() " "#;\nfn g<\'a>(_: &\'a str) -> char { \'"\' }\n',
        "pub struct B;\npub(in crate::a) fn g() {}\n",
        "pub struct B;\nfn g() { std::a::f(); other::a::f() }\n",
    ],
)
def test_tests_comments_and_texts_import_nothing(tmp_path, b):
    (tmp_path / "src/b").mkdir(parents=True)
    (tmp_path / "src/b/tests.rs").write_text("use crate::a::f;\n")
    assert circles(tmp_path, lib=SIBLINGS, a="use crate::b::B;\npub fn f(_: B) {}\n", b=b) == []


def test_each_edge_is_named_with_file_and_line(tmp_path):
    (found,) = circles(
        tmp_path,
        lib="mod a;\nmod b;\nmod c;\nmod d;\n",
        a="\nuse crate::b::B;\npub struct A(B);\n",
        b="\n\nuse crate::c::C;\npub struct B(C);\n",
        c="pub struct C;\nfn f() {\n    crate::a::A\n}\n",
        d="use crate::a::A;\n",
    )
    first, *edges = found.split("\n")
    assert first == "the_house: 3 modules import one another in a circle:"
    source = tmp_path / "src"
    assert sorted(edges) == [
        f"  the_house::a -> the_house::b: {source}/a.rs:2: crate::b::B",
        f"  the_house::b -> the_house::c: {source}/b.rs:3: crate::c::C",
        f"  the_house::c -> the_house::a: {source}/c.rs:3: crate::a::A",
    ]


def test_the_shortest_circle_of_a_knot_is_shown_and_the_rest_of_the_knot_is_named(tmp_path):
    (found,) = circles(
        tmp_path,
        lib="mod a;\nmod b;\nmod c;\n",
        a="use crate::b::B;\npub struct A(B);\n",
        b="use crate::{a::A, c::C};\npub struct B;\n",
        c="use crate::a::A;\npub struct C;\n",
    )
    assert "2 modules" in found
    assert "in the same knot: the_house::c" in found


def test_a_name_counts_where_it_is_defined(tmp_path):
    # b takes C by way of a's re-export, and through lib.rs: it uses a::c both times, and a does not use b.
    lib = "mod a;\nmod b;\npub use a::C;\n"
    b = "use crate::a::C;\nuse crate::C as D;\npub struct B;\n"
    files = {"a": "mod c;\npub use c::C;\n", "a__c": "pub struct C;\n", "b": b}
    assert circles(tmp_path / "good", lib=lib, **files) == []
    files["a__c"] += "use crate::b::B;\n"
    (found,) = circles(tmp_path / "bad", lib=lib, **files)
    assert "the_house::b -> the_house::a" in found


def test_a_folder_stands_for_what_is_below_it(tmp_path):
    (found,) = circles(
        tmp_path,
        lib=SIBLINGS,
        a="mod x;\nmod w;\n",
        a__x="use crate::b::y::Y;\n",
        a__w="pub struct W;\n",
        b="pub mod y;\nmod z;\n",
        b__y="pub struct Y;\n",
        b__z="use crate::a::w::W;\n",
    )
    assert "the_house::a -> the_house::b" in found


def test_a_parent_may_declare_and_re_export_and_be_used(tmp_path):
    lib = "mod b;\npub use b::B;\npub struct Error;\n"
    assert circles(tmp_path, lib=lib, b="use super::Error;\npub struct B(Error);\n") == []


@pytest.mark.parametrize(
    "use", ["mod b;\nuse b::B;\nfn f(_: B) {}\n", "mod b;\npub use b::B;\nfn f(_: B) {}\n", "mod b;\nfn f() { b::B; }\n"]
)
def test_a_parent_that_uses_its_child_must_not_be_used_by_it(tmp_path, use):
    lib = f"{use}pub struct Error;\n"
    (found,) = circles(tmp_path, lib=lib, b="pub struct B(crate::Error);\n")
    assert "the_house -> the_house::b" in found
    assert "the_house::b -> the_house" in found


def test_what_a_parent_has_only_imported_is_not_the_parent_s(tmp_path):
    lib = "mod b;\nmod error;\nuse error::Error;\nfn f(_: Error) -> b::B { b::B(Error) }\n"
    assert circles(tmp_path, lib=lib, b="use super::Error;\npub struct B(pub Error);\n", error="pub struct Error;\n") == []


def test_a_module_and_a_function_of_one_name_are_told_apart(tmp_path):
    lib = "mod a;\nmod b;\n"
    b = "use crate::a::plan;\nfn g() { plan() }\n"
    assert circles(tmp_path, lib=lib, a="mod plan;\npub use plan::plan;\n", a__plan="pub fn plan() {}\n", b=b) == []


def test_binaries_are_looked_at_apart(tmp_path):
    main = "mod m;\nfn main() { m::run() }\n"
    files = {"lib": "pub mod a;\n", "a": "pub struct A;\n", "m": "use the_house::a::A;\npub fn run() {}\n"}
    assert circles(tmp_path, main=main, **files) == []


def test_lines_without_tests_are_counted():
    text = "//! One.\nfn two() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn three() {}\n}\nfn nine() {}\n"
    assert rust_source.lines_without_tests(text) == 4
    assert rust_source.lines_without_tests("#[cfg(test)]\nmod tests;\nmod a;\n") == 1
    assert rust_source.lines_without_tests("#![cfg(test)]\nuse a::b;\n") == 0


def test_files_of_tests_are_not_counted(tmp_path):
    crate(tmp_path, lib="mod a;\n#[cfg(test)]\nmod tests;\n", a="\n" * 7, tests="\n" * 500)
    assert {file.name: lines for file, lines in check_files.lengths([tmp_path]).items()} == {"lib.rs": 1, "a.rs": 7}


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.9, 9)])
def test_quantiles(share, expected):
    assert check_files.quantile(list(range(10, 0, -1)), share) == expected
    assert check_files.quantile([3], share) == 3


@pytest.mark.parametrize(
    "code",
    [
        "use some_crate::x;",
        "fn f() { some_crate::x() }",
        "use some_crate as c;",
        "#[derive(some_crate::X)] struct X;",
        "use ::some_crate::x;",
    ],
)
def test_a_used_dependency_passes(tmp_path, code):
    assert check_dependencies.unused(crate(tmp_path, '[dependencies]\nsome-crate = "1"\n', lib=code), []) == []


@pytest.mark.parametrize(
    "code",
    [
        "",
        "// some_crate::x",
        'const T: &str = "some_crate::x";',
        "#[cfg(test)]\nmod tests { use some_crate::x; }",
        "use a::some_crate::x;",
    ],
)
def test_an_unused_dependency_is_found(tmp_path, code):
    (found,) = check_dependencies.unused(crate(tmp_path, '[dependencies]\nsome-crate = "1"\n', lib=code), [])
    assert "some-crate: no code that is compiled without tests uses it" in found


def test_a_listed_dependency_that_no_member_wants_is_found(tmp_path):
    member = crate(tmp_path / "m", '[dependencies]\na = "1"\n[dev-dependencies]\nb.workspace = true\n', lib="use a::x;")
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["m"]\n[workspace.dependencies]\na = "1"\nb = "1"\nc = "1"\n')
    (found,) = check_dependencies.unwanted(tmp_path, [member])
    assert "c: no member of the workspace wants it" in found


def test_a_tests_dependency_may_be_used_in_a_file_of_another_crate(tmp_path):
    manifest = '[dev-dependencies]\na = "1"\nb = "1"\n'
    member = crate(tmp_path / "m", manifest, lib='#[cfg(test)]\n#[path = "../../other/faulty.rs"]\nmod faulty;\n')
    (tmp_path / "other").mkdir()
    (tmp_path / "other/faulty.rs").write_text("use a::x;\n")
    (found,) = check_dependencies.unused(member, [tmp_path / "m/src/lib.rs"])
    assert "b: no test" in found
