use pyo3::prelude::*;
use pyo3::types::PyType;

use super::error::{InvalidInputError, WrongTypeError};

/// Reads an argument of what anybody may call. Whatever goes wrong, be it in an object's own methods, is one
/// of our errors; the bindings note the argument's name at it.
pub(super) fn given<'a, 'py, T>(value: &'a Bound<'py, PyAny>) -> PyResult<T>
where
    T: FromPyObject<'a, 'py>,
{
    value.extract::<T>().map_err(|error| refusal(value.py(), &error.into()))
}

fn refusal(py: Python<'_>, error: &PyErr) -> PyErr {
    let is = |kind: &Bound<'_, PyType>| error.is_instance(py, kind);
    let is_of_value = is(&py.get_type::<pyo3::exceptions::PyValueError>())
        || is(&py.get_type::<pyo3::exceptions::PyOverflowError>());
    if is_of_value {
        InvalidInputError::new_err("an argument has a value that does not fit")
    } else {
        WrongTypeError::new_err("an argument is of another type than the store takes")
    }
}
