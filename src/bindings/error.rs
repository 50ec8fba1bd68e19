use pyo3::{PyErr, import_exception};

use crate::{Error, plot};

import_exception!(mopse.errors, DamagedFileError);
import_exception!(mopse.errors, DecryptionError);
import_exception!(mopse.errors, ExpiredError);
import_exception!(mopse.errors, InvalidInputError);
import_exception!(mopse.errors, RandomnessError);
import_exception!(mopse.errors, ReplayError);
import_exception!(mopse.errors, ScopeError);
import_exception!(mopse.errors, SignatureError);
import_exception!(mopse.errors, WrongPasswordError);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        // No wildcard: whoever adds a variant chooses its exception here.
        match error {
            Error::AccessPattern { .. }
            | Error::BoundsOrder
            | Error::CipherKey { .. }
            | Error::Distribution { .. }
            | Error::DuplicateId { .. }
            | Error::EmptyPassword
            | Error::Field { .. }
            | Error::KeyLength { .. }
            | Error::Length { .. }
            | Error::Name { .. }
            | Error::NegativeCiphertext { .. }
            | Error::Nonce { .. }
            | Error::NoRange
            | Error::NoKeyword
            | Error::NoMatching
            | Error::NoWeight { .. }
            | Error::NotAuthenticated { .. }
            | Error::OtherKind { .. }
            | Error::OutOfDomain { .. }
            | Error::OutOfRange { .. }
            | Error::Penalty
            | Error::RsaKey { .. }
            | Error::Run { .. }
            | Error::Schema { .. }
            | Error::Size { .. }
            | Error::StoredKeyword { .. }
            | Error::StoredRecord { .. }
            | Error::TooFewShares { .. }
            | Error::TooLong { .. }
            | Error::UnknownCipher { .. }
            | Error::UnknownDerivation { .. }
            | Error::UnknownField { .. }
            | Error::UnknownFile
            | Error::UnknownProvider { .. }
            | Error::UnsortedRun { .. }
            | Error::Value { .. }
            | Error::WeakKey => InvalidInputError::new_err(message),
            Error::Damaged { .. } | Error::PasswordCost | Error::Wire(_) => {
                DamagedFileError::new_err(message)
            }
            Error::Decryption
            | Error::File
            | Error::InvalidCiphertext { .. }
            | Error::Layout
            | Error::Record { .. }
            | Error::Share { .. } => DecryptionError::new_err(message),
            Error::Epoch { .. }
            | Error::OtherOwner { .. }
            | Error::OtherSchema { .. }
            | Error::Scope { .. } => ScopeError::new_err(message),
            Error::Expired => ExpiredError::new_err(message),
            Error::Plot(error) => error.into(),
            Error::Randomness => RandomnessError::new_err(message),
            Error::Replay { .. } | Error::StoredFile { .. } => ReplayError::new_err(message),
            Error::Signature { .. } => SignatureError::new_err(message),
            Error::WrongPassword => WrongPasswordError::new_err(message),
        }
    }
}

impl From<plot::Error> for PyErr {
    fn from(error: plot::Error) -> Self {
        let message = error.to_string();
        // No wildcard here either.
        match error {
            plot::Error::Empty { .. }
            | plot::Error::Length { .. }
            | plot::Error::NotFinite { .. }
            | plot::Error::NotPositive { .. }
            | plot::Error::Order { .. }
            | plot::Error::Range { .. }
            | plot::Error::Scale { .. }
            | plot::Error::Role { .. }
            | plot::Error::RoleClash { .. }
            | plot::Error::Text { .. }
            | plot::Error::Size { .. }
            | plot::Error::Room { .. }
            | plot::Error::Backend { .. } => InvalidInputError::new_err(message),
        }
    }
}
