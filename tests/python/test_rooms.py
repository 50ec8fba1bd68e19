"""The reader of imports, on small texts: what it must not miss, and what is none."""

import pytest
from rooms import circle, python_imports, rust_code, rust_imports, rust_reexports


@pytest.mark.parametrize(
    ("table", "closed"),
    [
        ({}, []),
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"a"}}, ["a"]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c"]),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}, []),  # two ways, no circle
    ],
)
def test_a_circle_is_found(table, closed):
    assert circle(table) == closed


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import mopse.rsa as r", {"mopse.rsa"}),
        ("from mopse import rsa, owner", {"mopse.rsa", "mopse.owner"}),
        ("from . import b", {"mopse.a.b"}),
        ("from .b import c", {"mopse.a.b.c"}),
        ("from .. import rsa", {"mopse.rsa"}),
        ("def f():\n    if x:\n        from mopse.rsa import PublicKey", {"mopse.rsa.PublicKey"}),
        ('"""import mopse.rsa"""\n# import mopse.rsa', set()),
    ],
)
def test_imports_of_python_are_read(source, names):
    assert python_imports(source, "mopse.a.m", is_package=False) == names


def test_a_package_is_its_own_parent():
    assert python_imports("from . import b", "mopse.a", is_package=True) == {"mopse.a.b"}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("a // crate::b\nc", "a  \nc"),
        ("a /* x /* crate::b */ y */ c", "a   c"),
        ('a "crate::b \\" //" c', "a   c"),
        ('a r#"crate::"b"# c', "a   c"),
        ('a b"//" c', "a   c"),
        ("a '\"' 'b' '\\'' '\\u{1F600}' c", "a         c"),
        ("fn f<'a>(x: &'a str) -> &'a str { x }", "fn f<'a>(x: &'a str) -> &'a str { x }"),
        ("a\n#[cfg(test)]\nmod tests { fn f() { crate::b(); } }\nc", "a\n\nc"),
        ("a #[cfg(test)] #[expect(x)] pub(crate) mod tests { { } } c", "a  c"),
        ("#[cfg(test)] use crate::b;", "#[cfg(test)] use crate::b;"),
    ],
)
def test_comments_texts_and_tests_are_no_code(source, code):
    assert rust_code(source) == code


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("use crate::a::B;", {"a"}),
        ("use crate::{a, b::c, d::{e, f::g}};", {"a", "b", "d"}),
        ("use crate::{\n    a::{self, B},\n    c::*,\n};", {"a", "c"}),
        ("use {crate::a::B, std::fmt};", {"a"}),
        ("pub(crate) use crate::a as b;", {"a"}),
        ("pub(crate) fn f() -> crate::a::B { crate :: c::d() }", {"a", "c"}),
        ("pub(in crate::a) fn f() {}", {"a"}),
        ("macro_rules! m { () => { $crate::a::b() } }", {"a"}),
        ("use crate::Error;", {"Error"}),
        ("use crate::*;", {"*"}),
        ("use crate::here::a;", set()),
        ("use super::a;", set()),  # of the room
        ("use super::super::a;", {"a"}),
        ("use super::super::{a, b::c};", {"a", "b"}),
        ("mod inner { use super::super::a; }", set()),
        ("mod inner { use super::super::super::a; }", {"a"}),
        ("mod inner { fn f() { { } } } use super::super::a;", {"a"}),
        ("use self::a; use std::a; use a_crate::b;", set()),
        ("//! [`crate::a`]\n#[cfg(test)]\nmod tests { use crate::b; }", set()),
    ],
)
def test_uses_of_rust_are_read(source, names):
    assert rust_imports(source, ["here", "there"]) == names


def test_a_file_at_the_root_leaves_its_room_with_one_super():
    assert rust_imports("use super::a; mod m { use super::b; }", ["here"]) == {"a"}


def test_names_that_the_root_passes_on_are_read():
    source = "mod a;\npub use a::Error;\npub use b::{C, D as E, f::G};\nuse h::I;"
    assert rust_reexports(source) == {"Error": "a", "C": "b", "E": "b", "G": "b"}


@pytest.mark.parametrize("source", ["mod a {", "/* ", "use crate::{a"])
def test_what_has_no_end_is_refused(source):
    with pytest.raises(ValueError, match="has no end"):
        rust_imports(source, ["here"])
