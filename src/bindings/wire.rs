use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::wire::{Packed, text};

/// What stands for a keyword; `None` if nothing is left of it.
#[pyfunction]
pub(super) fn keyword(typed: &str) -> Option<String> {
    text::keyword(typed)
}

/// The first of some ids that is none, and why.
#[pyfunction]
pub(super) fn first_id_fault(
    ends: PyReadonlyArray1<'_, u64>,
    joined: PyBackedBytes,
) -> PyResult<Option<(usize, &'static str)>> {
    Ok(text::first_id_fault(&Packed::new(ends.as_slice()?, &joined[..])?))
}

/// Whether a text holds what cannot be seen.
#[pyfunction]
pub(super) fn hides(typed: &str) -> bool {
    text::hides(typed)
}

/// The one spelling of a category, or of a field's or column's name.
#[pyfunction]
pub(super) fn category(typed: &str) -> String {
    text::category(typed)
}
