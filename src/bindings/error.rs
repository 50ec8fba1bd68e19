use pyo3::{PyErr, import_exception};

use crate::Error;

import_exception!(mopse.errors, InvalidInputError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        // No wildcard: whoever adds a variant chooses its exception here.
        match error {
            Error::PlotEmpty { .. }
            | Error::PlotLength { .. }
            | Error::PlotNotFinite { .. }
            | Error::PlotNotPositive { .. }
            | Error::PlotOrder { .. }
            | Error::PlotRange { .. }
            | Error::PlotScale { .. }
            | Error::PlotRole { .. }
            | Error::PlotRoleClash { .. }
            | Error::PlotText { .. }
            | Error::PlotSize { .. }
            | Error::PlotRoom { .. }
            | Error::PlotBackend { .. } => InvalidInputError::new_err(message),
        }
    }
}
