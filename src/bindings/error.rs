use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::{PyErr, import_exception};

use crate::{
    Error, attack, audit, cipher, cloud, evaluate, keys, lock, message, party, plot, schema,
    scheme, sharing, stop, wire,
};

import_exception!(mopse.errors, AnswerError);
import_exception!(mopse.errors, ChangedError);
import_exception!(mopse.errors, DamagedFileError);
import_exception!(mopse.errors, DecryptionError);
import_exception!(mopse.errors, ExpiredError);
import_exception!(mopse.errors, FileAccessError);
import_exception!(mopse.errors, ForkedError);
import_exception!(mopse.errors, InvalidInputError);
import_exception!(mopse.errors, NoSealsError);
import_exception!(mopse.errors, OutdatedError);
import_exception!(mopse.errors, ProofError);
import_exception!(mopse.errors, RandomnessError);
import_exception!(mopse.errors, ReplayError);
import_exception!(mopse.errors, RewrittenError);
import_exception!(mopse.errors, ScopeError);
import_exception!(mopse.errors, SignatureError);
import_exception!(mopse.errors, WrongPasswordError);
import_exception!(mopse.errors, WrongTypeError);

/// Lets `?` turn the error of a room, or of the crate, into the exception that the function chooses.
macro_rules! exceptions {
    ($($error:ty: $exception:path,)*) => {
        $(
            impl From<$error> for PyErr {
                fn from(error: $error) -> Self {
                    $exception(&error)(error.to_string())
                }
            }
        )*
    };
}

exceptions! {
    wire::Error: of_wire,
    lock::Forked: of_fork,
    keys::Error: of_keys,
    schema::Error: of_schema,
    scheme::Error: of_scheme,
    cipher::Error: of_cipher,
    attack::Error: of_attack,
    message::Error: of_message,
    evaluate::Error: of_evaluate,
    plot::Error: of_plot,
    sharing::Error: of_sharing,
    audit::Error: of_audit,
    Error: of_crate,
}

impl From<cloud::Error> for PyErr {
    /// With the position of the record that it is about, so that whoever made the upload can name it.
    fn from(error: cloud::Error) -> Self {
        let exception = of_cloud(&error)(error.to_string());
        let (cloud::Error::Stored { position, .. }
        | cloud::Error::NotStored { position, .. }
        | cloud::Error::Changed { position, .. }) = error
        else {
            return exception;
        };
        let set = Python::attach(|py| exception.value(py).setattr("position", position));
        set.err().unwrap_or(exception)
    }
}

impl From<party::Error> for PyErr {
    /// With the row that it is about, so that whoever has the table can name its id.
    fn from(error: party::Error) -> Self {
        let exception = of_party(&error)(error.to_string());
        let (party::Error::Stored { row }
        | party::Error::NotPermitted { row }
        | party::Error::NotStored { row }) = error
        else {
            return exception;
        };
        let set = Python::attach(|py| exception.value(py).setattr("row", row));
        set.err().unwrap_or(exception)
    }
}

impl From<stop::Stopped> for PyErr {
    fn from(stopped: stop::Stopped) -> Self {
        PyKeyboardInterrupt::new_err(stopped.to_string())
    }
}

/// Makes an exception with a message.
type Exception = fn(String) -> PyErr;

// No wildcard below: whoever adds a variant chooses its exception here.

fn of_wire(error: &wire::Error) -> Exception {
    match error {
        wire::Error::Format { .. } | wire::Error::Version { .. } => DamagedFileError::new_err,
    }
}

fn of_fork(_: &lock::Forked) -> Exception {
    ForkedError::new_err
}

fn of_keys(error: &keys::Error) -> Exception {
    match error {
        keys::Error::KeyLength { .. } => InvalidInputError::new_err,
        keys::Error::Randomness => RandomnessError::new_err,
    }
}

fn of_schema(error: &schema::Error) -> Exception {
    match error {
        schema::Error::Field { .. }
        | schema::Error::Rows { .. }
        | schema::Error::Schema { .. }
        | schema::Error::Validity { .. }
        | schema::Error::Value { .. } => InvalidInputError::new_err,
        schema::Error::Scheme(error) => of_scheme(error),
    }
}

fn of_scheme(error: &scheme::Error) -> Exception {
    match error {
        scheme::Error::BlockBits { .. }
        | scheme::Error::BoundsOrder
        | scheme::Error::Cell
        | scheme::Error::Cells { .. }
        | scheme::Error::CiphertextSize { .. }
        | scheme::Error::Domain { .. }
        | scheme::Error::Length { .. }
        | scheme::Error::OutOfDomain { .. }
        | scheme::Error::Range { .. } => InvalidInputError::new_err,
        scheme::Error::InvalidCiphertext { .. } => DecryptionError::new_err,
        scheme::Error::Keys(error) => of_keys(error),
    }
}

fn of_cipher(error: &cipher::Error) -> Exception {
    match error {
        cipher::Error::Batch { .. }
        | cipher::Error::Ceiling { .. }
        | cipher::Error::Chunk { .. }
        | cipher::Error::Credential { .. }
        | cipher::Error::EmptyPassword
        | cipher::Error::Holders { .. }
        | cipher::Error::Iterations { .. }
        | cipher::Error::KeyLength { .. }
        | cipher::Error::Length { .. }
        | cipher::Error::Modulus { .. }
        | cipher::Error::Nonce { .. }
        | cipher::Error::NotAuthenticated { .. }
        | cipher::Error::PasswordCharacter { .. }
        | cipher::Error::RsaKey { .. }
        | cipher::Error::Salt { .. }
        | cipher::Error::SameHolder { .. }
        | cipher::Error::Secret { .. }
        | cipher::Error::Threshold { .. }
        | cipher::Error::TooFewShares { .. }
        | cipher::Error::TooLong { .. }
        | cipher::Error::UnknownBits { .. }
        | cipher::Error::UnknownCipher { .. }
        | cipher::Error::UnknownDerivation { .. }
        | cipher::Error::WeakKey => InvalidInputError::new_err,
        cipher::Error::PasswordCost | cipher::Error::StoredHash => DamagedFileError::new_err,
        cipher::Error::Decryption | cipher::Error::Share { .. } => DecryptionError::new_err,
        cipher::Error::WrongPassword => WrongPasswordError::new_err,
        cipher::Error::Keys(error) => of_keys(error),
        cipher::Error::Wire(error) => of_wire(error),
    }
}

fn of_attack(error: &attack::Error) -> Exception {
    match error {
        attack::Error::AccessPattern { .. }
        | attack::Error::Bits { .. }
        | attack::Error::BoundsOrder
        | attack::Error::Classes { .. }
        | attack::Error::Distribution { .. }
        | attack::Error::Domain { .. }
        | attack::Error::Length { .. }
        | attack::Error::NegativeBound
        | attack::Error::NoMatching
        | attack::Error::NoWeight { .. }
        | attack::Error::OutOfRange { .. }
        | attack::Error::Pairs { .. }
        | attack::Error::Penalty
        | attack::Error::Range { .. }
        | attack::Error::Ranks { .. }
        | attack::Error::Unsorted { .. }
        | attack::Error::Window { .. } => InvalidInputError::new_err,
    }
}

fn of_evaluate(error: &evaluate::Error) -> Exception {
    match error {
        evaluate::Error::Index { .. } | evaluate::Error::NoIntervals => InvalidInputError::new_err,
        evaluate::Error::Cloud(error) => of_cloud(error),
        evaluate::Error::Keys(error) => of_keys(error),
        evaluate::Error::Message(error) => of_message(error),
        evaluate::Error::Scheme(error) => of_scheme(error),
        evaluate::Error::Wire(error) => of_wire(error),
    }
}

fn of_message(error: &message::Error) -> Exception {
    match error {
        message::Error::Clock { .. }
        | message::Error::Handle { .. }
        | message::Error::Length { .. }
        | message::Error::Name { .. }
        | message::Error::NegativeCiphertext { .. }
        | message::Error::Run { .. }
        | message::Error::TooMany { .. }
        | message::Error::UnsortedRun { .. } => InvalidInputError::new_err,
        message::Error::Epoch { .. }
        | message::Error::OtherOwner { .. }
        | message::Error::OtherSchema { .. }
        | message::Error::Readers { .. }
        | message::Error::Scope { .. } => ScopeError::new_err,
        message::Error::Answer { .. } => AnswerError::new_err,
        message::Error::Proof { .. } => ProofError::new_err,
        message::Error::Behind { .. } | message::Error::RightEnded { .. } => OutdatedError::new_err,
        message::Error::Fork { .. } => ChangedError::new_err,
        message::Error::Older { .. } => ReplayError::new_err,
        message::Error::Expired { .. } => ExpiredError::new_err,
        message::Error::Signature { .. } => SignatureError::new_err,
        message::Error::Wire(error) => of_wire(error),
    }
}

fn of_party(error: &party::Error) -> Exception {
    match error {
        party::Error::Cell { .. }
        | party::Error::Column { .. }
        | party::Error::DuplicateId { .. }
        | party::Error::FieldType { .. }
        | party::Error::LastEpoch { .. }
        | party::Error::Length { .. }
        | party::Error::LookAlike { .. }
        | party::Error::NoKeyword
        | party::Error::NoIds
        | party::Error::NoLedger
        | party::Error::NoRange
        | party::Error::NoRequest
        | party::Error::NoSums { .. }
        | party::Error::NotShared
        | party::Error::Suspended
        | party::Error::RevokedUser
        | party::Error::Team { .. }
        | party::Error::NoTeam { .. }
        | party::Error::NoMember { .. }
        | party::Error::NotStored { .. }
        | party::Error::OneAmendment
        | party::Error::OneRecord { .. }
        | party::Error::OtherKind { .. }
        | party::Error::Portion { .. }
        | party::Error::ProvenCells { .. }
        | party::Error::RowNumber { .. }
        | party::Error::Contents
        | party::Error::Rows { .. }
        | party::Error::Stored { .. }
        | party::Error::TwoRanges { .. }
        | party::Error::UnknownField { .. }
        | party::Error::NoGroup { .. }
        | party::Error::UnknownProvider { .. }
        | party::Error::Uses { .. }
        | party::Error::Value { .. }
        | party::Error::WhichRight { .. } => InvalidInputError::new_err,
        party::Error::Damaged { .. } | party::Error::LongRecord { .. } => DamagedFileError::new_err,
        party::Error::Author { .. }
        | party::Error::File
        | party::Error::Layout
        | party::Error::Note { .. }
        | party::Error::Record { .. } => DecryptionError::new_err,
        party::Error::Decided { .. } => ChangedError::new_err,
        party::Error::OtherRequest => ReplayError::new_err,
        party::Error::Elsewhere { .. } => AnswerError::new_err,
        party::Error::Forked(error) => of_fork(error),
        party::Error::GrantEnded { .. } => ExpiredError::new_err,
        party::Error::Amendment { .. }
        | party::Error::NoGrant { .. }
        | party::Error::NoRight
        | party::Error::NotDelegated { .. }
        | party::Error::NotPermitted { .. }
        | party::Error::OtherUser
        | party::Error::OutsideRight { .. }
        | party::Error::Permission { .. } => ScopeError::new_err,
        party::Error::Cipher(error) => of_cipher(error),
        party::Error::Keys(error) => of_keys(error),
        party::Error::Message(error) => of_message(error),
        party::Error::Schema(error) => of_schema(error),
        party::Error::Scheme(error) => of_scheme(error),
        party::Error::Wire(error) => of_wire(error),
    }
}

fn of_sharing(error: &sharing::Error) -> Exception {
    match error {
        sharing::Error::Chunk { .. }
        | sharing::Error::Known { .. }
        | sharing::Error::Name { .. }
        | sharing::Error::NoChunk { .. }
        | sharing::Error::NoKeys
        | sharing::Error::PublicKey
        | sharing::Error::Reason { .. }
        | sharing::Error::Scalar { .. }
        | sharing::Error::Unknown { .. }
        | sharing::Error::Wider { .. } => InvalidInputError::new_err,
        sharing::Error::Group { .. } | sharing::Error::Identity { .. } => DamagedFileError::new_err,
        sharing::Error::NoReencryptionKey
        | sharing::Error::NotGranted
        | sharing::Error::OtherAddress
        | sharing::Error::OtherLabel { .. }
        | sharing::Error::OtherUser
        | sharing::Error::OtherWrapping { .. } => ScopeError::new_err,
        sharing::Error::Closed { .. } | sharing::Error::Sealed => DecryptionError::new_err,
        sharing::Error::Mislabelled { .. } | sharing::Error::Possession => SignatureError::new_err,
        sharing::Error::OtherRequest => AnswerError::new_err,
        sharing::Error::Keys(error) => of_keys(error),
        sharing::Error::Message(error) => of_message(error),
        sharing::Error::Party(error) => of_party(error),
        sharing::Error::Wire(error) => of_wire(error),
    }
}

fn of_audit(error: &audit::Error) -> Exception {
    match error {
        audit::Error::File { .. } | audit::Error::InUse => FileAccessError::new_err,
        audit::Error::Broken { .. } => DamagedFileError::new_err,
        audit::Error::OtherIdentity { .. } => SignatureError::new_err,
        audit::Error::NoEntry { .. } => InvalidInputError::new_err,
        audit::Error::Entries { .. }
        | audit::Error::Fork { .. }
        | audit::Error::Rewritten { .. }
        | audit::Error::Shorter { .. } => RewrittenError::new_err,
        audit::Error::Forked(error) => of_fork(error),
        audit::Error::Keys(error) => of_keys(error),
        audit::Error::Message(error) => of_message(error),
        audit::Error::Wire(error) => of_wire(error),
    }
}

fn of_cloud(error: &cloud::Error) -> Exception {
    match error {
        cloud::Error::Forked(error) => of_fork(error),
        cloud::Error::Answers { .. }
        | cloud::Error::Begun { .. }
        | cloud::Error::LostFiles { .. }
        | cloud::Error::NoEntry { .. }
        | cloud::Error::NoLog
        | cloud::Error::NoMore
        | cloud::Error::NoNotes
        | cloud::Error::NothingStored { .. }
        | cloud::Error::Order { .. }
        | cloud::Error::Records { .. }
        | cloud::Error::StoredKeyword { .. }
        | cloud::Error::TooManyLabels { .. }
        | cloud::Error::UnknownBase { .. }
        | cloud::Error::UnknownFile
        | cloud::Error::WhichOwner { .. } => InvalidInputError::new_err,
        cloud::Error::Changed { .. }
        | cloud::Error::Moved
        | cloud::Error::SealBefore { .. }
        | cloud::Error::SealFiles { .. }
        | cloud::Error::SealNumber { .. }
        | cloud::Error::SealRows { .. } => ChangedError::new_err,
        cloud::Error::Log { .. } => FileAccessError::new_err,
        cloud::Error::NoSeals => NoSealsError::new_err,
        cloud::Error::NotEnrolled => ScopeError::new_err,
        cloud::Error::Id { .. } | cloud::Error::Replay { .. } | cloud::Error::StoredFile { .. } => {
            ReplayError::new_err
        }
        cloud::Error::NotStored { .. } | cloud::Error::Stored { .. } => InvalidInputError::new_err,
        cloud::Error::Message(error) => of_message(error),
    }
}

fn of_plot(error: &plot::Error) -> Exception {
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
        | plot::Error::Backend { .. } => InvalidInputError::new_err,
    }
}

fn of_crate(error: &Error) -> Exception {
    match error {
        Error::Wire(error) => of_wire(error),
        Error::Keys(error) => of_keys(error),
        Error::Schema(error) => of_schema(error),
        Error::Scheme(error) => of_scheme(error),
        Error::Cipher(error) => of_cipher(error),
        Error::Attack(error) => of_attack(error),
        Error::Audit(error) => of_audit(error),
        Error::Evaluate(error) => of_evaluate(error),
        Error::Message(error) => of_message(error),
        Error::Party(error) => of_party(error),
        Error::Cloud(error) => of_cloud(error),
        Error::Sharing(error) => of_sharing(error),
        Error::Plot(error) => of_plot(error),
    }
}
