"""The public names and signatures of package and crate: a change of them is seen."""

import importlib.util

import pytest
from listing import HERE, LISTINGS, python_listing, rust_listing

NEEDS = pytest.mark.skipif(importlib.util.find_spec("griffe") is None, reason="griffe is not there")


@pytest.mark.parametrize("half", [pytest.param("python", marks=NEEDS), "rust"])
def test_the_public_names_are_those_that_are_listed(half):
    listed = (HERE / f"{half}.txt").read_text("utf-8").splitlines()
    there = LISTINGS[half]().splitlines()
    new, gone = sorted(set(there) - set(listed)), sorted(set(listed) - set(there))
    said = "the public API changed: if that is meant, run `make api` and commit the listing"
    assert (new, gone) == ([], []), said
    assert there == listed, said


@NEEDS
def test_a_package_is_listed(tmp_path):
    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from small.a import C, f\n"
        '__all__ = ["C", "f"]\n'
    )
    (package / "_hidden.py").write_text('__all__ = ["x"]\nx = 1\n')
    (package / "a.py").write_text(
        "from typing import overload\n"
        '__all__ = ["ONE", "C", "D", "f"]\n'
        "ONE = 1\n"
        "def f(a, /, b: int, *c: int, d: str = 'x', **e) -> None: ...\n"
        "class _B:\n    @property\n    def p(self) -> int: ...\n"
        "class C(_B):\n"
        "    def __init__(self, x: int) -> None: ...\n"
        "    def __len__(self) -> int: ...\n"
        "    def _private(self): ...\n"
        "    @overload\n    def g(self, x: int) -> int: ...\n"
        "    @overload\n    def g(self, x: str) -> str: ...\n"
        "    def g(self, x): ...\n"
        "class D(C): ...\n"
        "def unlisted(): ...\n"
    )
    assert python_listing(package).splitlines() == [
        "small",
        "class small.C",
        "small.C.__init__(x: int) -> None",
        "small.C.__len__() -> int",
        "small.C.g(x: int) -> int",
        "small.C.g(x: str) -> str",
        "small.C.p: int",
        "small.f(a, /, b: int, *c: int, d: str = 'x', **e) -> None",
        "small.a",
        "small.a.C = small.C",
        "class small.a.D(C)",
        "small.a.D.__init__(x: int) -> None",
        "small.a.D.__len__() -> int",
        "small.a.D.g(x: int) -> int",
        "small.a.D.g(x: str) -> str",
        "small.a.D.p: int",
        "small.a.ONE = 1",
        "small.a.f = small.f",
    ]


def test_a_crate_is_listed(tmp_path):
    (tmp_path / "lib.rs").write_text(
        "//! pub fn doc()\npub mod a;\nmod b;\npub use b::{Error, Other};\n"
        '#[cfg(feature = "python")]\nmod bindings;\n'
    )
    (tmp_path / "b.rs").write_text("pub fn hidden() {}\n")
    (tmp_path / "a.rs").write_text(
        """
        use crate::b::Error;
        pub const SIZES: [usize; 2] = [1, 2];
        const OWN: u8 = { 1 };
        #[derive(Debug)]
        pub struct Pair { pub left: Vec<(u8, u8)>, right: u8 }
        pub struct Wrapped(pub [u8; 4]);
        pub enum Kind { One, Two(u8, u8), Three { x: u8 } }
        impl Pair {
            pub const ONE: u8 = 1;
            /// Text with { a brace.
            pub fn long<'a, T: Into<u8>>(
                &'a self,
                x: [u8; 2],
            ) -> Result<&'a u8, Error>
            where
                T: Copy,
            { if true { } else { } }
            pub(crate) fn own(&self) {}
            fn private(&self) {}
        }
        impl<T> From<T> for Pair { fn from(t: T) -> Self { } }
        pub trait Scheme { fn encrypt(&self) -> u8; fn twice(&self) -> u8 { 2 } }
        pub(crate) fn shared() {}
        macro_rules! made { ($x:expr) => { pub fn no() {} } }
        made!(1);
        pub async unsafe fn odd() {}
        pub mod inner { pub type Name = u8; }
        #[cfg(test)]
        mod tests { pub fn not_here() {} }
        """
    )
    assert rust_listing(tmp_path).splitlines() == sorted(
        [
            "mopse: pub mod a",
            "mopse: pub use b::{Error, Other}",
            "mopse::a: pub const SIZES: [usize; 2]",
            "mopse::a: pub struct Pair",
            "mopse::a::Pair: pub left: Vec<(u8, u8)>",
            "mopse::a: pub struct Wrapped(pub [u8; 4])",
            "mopse::a: pub enum Kind",
            "mopse::a::Kind: One",
            "mopse::a::Kind: Two(u8, u8)",
            "mopse::a::Kind: Three { x: u8 }",
            "mopse::a: impl Pair: pub const ONE: u8",
            "mopse::a: impl Pair: pub fn long<'a, T: Into<u8>>(&'a self, x: [u8; 2])"
            " -> Result<&'a u8, Error> where T: Copy,",
            "mopse::a: pub trait Scheme",
            "mopse::a::Scheme: fn encrypt(&self) -> u8",
            "mopse::a::Scheme: fn twice(&self) -> u8",
            "mopse::a: pub async unsafe fn odd()",
            "mopse::a: pub mod inner",
            "mopse::a::inner: pub type Name = u8",
        ]
    )
