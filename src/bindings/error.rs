use pyo3::{PyErr, import_exception};

use crate::Error;

import_exception!(mopse.errors, DecryptionError);
import_exception!(mopse.errors, InvalidInputError);
import_exception!(mopse.errors, RandomnessError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        // No wildcard: whoever adds a variant chooses its exception here.
        match error {
            Error::BoundsOrder
            | Error::Field { .. }
            | Error::KeyLength { .. }
            | Error::Length { .. }
            | Error::NegativeCiphertext { .. }
            | Error::OutOfDomain { .. }
            | Error::PlotEmpty { .. }
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
            | Error::PlotBackend { .. }
            | Error::Schema { .. }
            | Error::Size { .. }
            | Error::UnsortedRun { .. }
            | Error::Value { .. } => InvalidInputError::new_err(message),
            Error::InvalidCiphertext { .. } => DecryptionError::new_err(message),
            Error::Randomness => RandomnessError::new_err(message),
        }
    }
}
