//! The Python face of the crate, imported as `mopse._mopse`.
//!
//! A function here borrows the arrays, calls the core with the interpreter released, and hands
//! back arrays. It decides nothing. Names, defaults and docstrings for people are in
//! `python/mopse`.

mod attack;
mod cipher;
mod cloud;
mod error;
mod files;
mod index;
mod measure;
mod ore;
mod party;
mod password;
mod plot;
mod rsa;
mod schema;
mod scheme;
mod stream;

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;

/// A new array that `fill` has filled with the interpreter released.
fn filled<'py, T, E>(
    py: Python<'py>,
    length: usize,
    fill: impl FnOnce(&mut [T]) -> Result<(), E> + Send,
) -> PyResult<Bound<'py, PyArray1<T>>>
where
    T: Element + Send,
    E: Into<PyErr> + Send,
{
    // NumPy's own memory comes in huge pages where the system has them.
    let array = PyArray1::zeros(py, length, false);
    {
        let mut array = array.try_readwrite()?;
        let slice = array.as_slice_mut()?;
        py.detach(|| fill(slice)).map_err(Into::into)?;
    }
    Ok(array)
}

#[pymodule]
mod _mopse {
    #[pymodule_export]
    use super::attack::{
        Marks, assign, change_points, co_occurrence, dyadic, entropies, frequencies, increasing,
        ordered_posterior, rank_guesses, ruler_spans, windows,
    };
    #[pymodule_export]
    use super::cipher::{
        Cipher, algorithms, join_credential, join_secret, search_des_key, split_credential,
        split_secret,
    };
    #[pymodule_export]
    use super::cloud::{Announcement, Part, Store, Token, Upload};
    #[pymodule_export]
    use super::files::{
        FileRequest, FileStore, FileUpload, StoredFile, attach_file, catch_up, describe_file,
        describe_granted_file, fetch_file, list_files, open_file, open_granted_file, search_files,
    };
    #[pymodule_export]
    use super::index::merge;
    #[pymodule_export]
    use super::measure::{ControlQuerier, ControlServer, operations};
    #[pymodule_export]
    use super::ore::{Clww, LewiWu};
    #[pymodule_export]
    use super::party::{Grants, Keyring};
    #[pymodule_export]
    use super::password::{
        hash_password, open_under_password, password_key, pbe_key, pbe_open, pbe_seal,
        seal_under_password, verify_password,
    };
    #[pymodule_export]
    use super::plot::{Panel, draw_png, draw_svg};
    #[pymodule_export]
    use super::rsa::{RsaPrivateKey, RsaPublicKey};
    #[pymodule_export]
    use super::schema::{Field, Schema};
    #[pymodule_export]
    use super::scheme::Opse;
    #[pymodule_export]
    use super::stream::{FileOpener, FileSealer};
}
