use pyo3::prelude::*;

use crate::wire::text;

/// What stands for a keyword; `None` if nothing is left of it.
#[pyfunction]
pub(super) fn keyword(typed: &str) -> Option<String> {
    text::keyword(typed)
}

/// The one spelling of a category, or of a field's or column's name.
#[pyfunction]
pub(super) fn category(typed: &str) -> String {
    text::category(typed)
}
