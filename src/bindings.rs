//! The Python face of the crate, imported as `mopse._mopse`.
//!
//! A function here borrows the arrays, calls the core with the interpreter released, and hands
//! back arrays. It decides nothing. Names, defaults and docstrings for people are in
//! `python/mopse`.

mod error;
mod plot;

#[pyo3::pymodule]
mod _mopse {
    #[pymodule_export]
    use super::plot::{Panel, draw_png, draw_svg};
}
