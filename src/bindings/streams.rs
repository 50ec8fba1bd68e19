//! Attachments that are made, fetched and opened as they come.

use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::error::InvalidInputError;
use super::message::{Attachment, Fetched, Request};
use super::party::{Described, Grants, Keyring, described, slices, with_ids};
use super::released;
use crate::cipher;
use crate::message::arriving;
use crate::party;
use crate::party::attachments;

/// Behind `mopse.Provider.attach`.
#[pyclass(module = "mopse._mopse.party")]
pub(super) struct Attaching(Option<party::attaching::Attaching>);

impl Attaching {
    fn of(&mut self) -> PyResult<&mut party::attaching::Attaching> {
        self.0.as_mut().ok_or_else(over)
    }
}

fn over() -> PyErr {
    InvalidInputError::new_err("the attachment was ended before")
}

#[pymethods]
impl Attaching {
    /// What stands before the first segment.
    #[getter]
    fn head<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.of()?.head()))
    }

    /// How long a piece of the contents becomes.
    #[staticmethod]
    fn sealed_len(contents: usize) -> usize {
        party::attaching::Attaching::sealed_len(contents)
    }

    /// Seal the next piece of the contents into an array of its sealed length.
    fn seal(
        &mut self,
        py: Python<'_>,
        contents: PyReadonlyArray1<'_, u8>,
        mut sealed: PyReadwriteArray1<'_, u8>,
    ) -> PyResult<()> {
        let (attaching, contents, sealed) =
            (self.of()?, contents.as_slice()?, sealed.as_slice_mut()?);
        released(py, || attaching.seal(contents, sealed))
    }
}

/// Begin an attachment of a record, of so many bytes.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are those of `mopse.Provider.attach`")]
pub(super) fn begin_attachment(
    py: Python<'_>,
    keyring: &Keyring,
    record_id: Bound<'_, PyAny>,
    cipher: &str,
    name: &str,
    media_type: &str,
    size: u64,
    keywords: Vec<PyBackedBytes>,
) -> PyResult<Attaching> {
    let algorithm = cipher::find(cipher)?;
    let (keywords, named) = (slices(&keywords), (name, media_type));
    let begun = with_ids(&record_id, |id| {
        let begin = |keyring: &party::Keyring| {
            keyring.begin_attachment(id, algorithm, named, size, &keywords)
        };
        Ok(keyring.read(py, begin)??)
    })?;
    Ok(Attaching(Some(begun)))
}

/// End an attachment, and count it: what stands after the last segment, and all of it but its body.
#[pyfunction]
pub(super) fn end_attachment<'py>(
    py: Python<'py>,
    keyring: &Keyring,
    attaching: &mut Attaching,
) -> PyResult<(Bound<'py, PyBytes>, Attachment)> {
    let whole = attaching.0.take().ok_or_else(over)?;
    let (end, attachment) = keyring.write_last(py, |keyring| keyring.end_attachment(whole))??;
    Ok((PyBytes::new(py, &end), Attachment(attachment)))
}

/// A fetched file that is read as it comes, by one thread at a time.
#[pyclass(module = "mopse._mopse.message")]
pub(super) struct Arriving(arriving::Arriving);

#[pymethods]
impl Arriving {
    #[new]
    fn new(is_proven: bool) -> Self {
        Self(if is_proven { arriving::Arriving::proven() } else { arriving::Arriving::default() })
    }

    /// Take the next bytes, and return those of the body that are there now.
    fn feed<'py>(&mut self, py: Python<'py>, piece: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let body = py.detach(|| self.0.feed(piece))?;
        Ok(PyBytes::new(py, &body))
    }

    /// Take the next bytes, of which nothing is returned.
    fn skip(&mut self, py: Python<'_>, piece: &[u8]) -> PyResult<()> {
        py.detach(|| self.0.feed(piece).map(drop))?;
        Ok(())
    }

    /// The file without its body, once the head is there.
    #[getter]
    fn head(&self) -> Option<Fetched> {
        self.0.head().map(Fetched)
    }

    /// Take the end, and verify its deed where that is to be shown; what of the body was not returned.
    fn end<'py>(&mut self, py: Python<'py>) -> PyResult<(Fetched, Bound<'py, PyBytes>)> {
        let whole = std::mem::take(&mut self.0);
        let (arrived, body) = py.detach(|| whole.end())?;
        Ok((Fetched(arrived.fetched), PyBytes::new(py, &body)))
    }
}

/// Behind `mopse.Owner.open_file`.
#[pyclass(module = "mopse._mopse.party")]
pub(super) struct Opening(Option<attachments::Opening>);

#[pymethods]
impl Opening {
    /// How many bytes a piece opens to at most.
    fn room(&self, piece: usize) -> usize {
        self.0.as_ref().map_or(0, |opening| opening.room(piece))
    }

    /// Take the next bytes of the body; how many are opened, which the array has then.
    fn feed(
        &mut self,
        py: Python<'_>,
        piece: &[u8],
        mut plaintext: PyReadwriteArray1<'_, u8>,
    ) -> PyResult<usize> {
        let opening = self.0.as_mut().ok_or_else(ended)?;
        let plaintext = plaintext.as_slice_mut()?;
        released(py, || opening.feed(piece, plaintext))
    }

    /// Open the last of it.
    fn end(&mut self, py: Python<'_>, mut plaintext: PyReadwriteArray1<'_, u8>) -> PyResult<usize> {
        let opening = self.0.take().ok_or_else(ended)?;
        let plaintext = plaintext.as_slice_mut()?;
        released(py, || opening.end(plaintext))
    }
}

fn ended() -> PyErr {
    InvalidInputError::new_err("the file was opened to its end before")
}

/// What a file is called whose body is to come, and what opens that.
#[pyfunction]
pub(super) fn begin_opening(
    py: Python<'_>,
    keyring: &Keyring,
    fetched: &Fetched,
    request: &Request,
) -> PyResult<(Described, Opening)> {
    let (description, opening) =
        keyring.read(py, |keyring| keyring.opening(&fetched.0, &request.0))??;
    Ok((described(description), Opening(Some(opening))))
}

/// The same by what was granted.
#[pyfunction]
pub(super) fn begin_granted_opening(
    py: Python<'_>,
    grants: &Grants,
    fetched: &Fetched,
    request: &Request,
    now: u64,
) -> PyResult<(Described, Opening)> {
    let open = || grants.grants.read()?.opening(&fetched.0, &request.0, now);
    let (description, opening) = released(py, open)?;
    Ok((described(description), Opening(Some(opening))))
}
