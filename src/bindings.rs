//! The Python face of the crate, imported as `mopse._mopse`: a module for each room.
//!
//! A function here borrows the arrays, calls the core with the interpreter released, and hands
//! back arrays. It decides nothing. Names, defaults and docstrings for people are in
//! `python/mopse`.

mod attack;
mod audit;
mod cipher;
mod cloud;
mod error;
mod evaluate;
mod foreign;
mod given;
mod message;
mod party;
mod plot;
mod reencryption;
mod requests;
mod rights;
mod schema;
mod scheme;
mod shares;
mod sharing;
mod streams;
mod wire;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;

use crate::stop::{self, Progress};

/// What long work gives, done with the interpreter released; a signal such as Ctrl-C ends it by the
/// exception that its handler raises.
fn released<T: Send, E: Into<PyErr>>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> PyResult<T> {
    py.detach(|| {
        let raised = Rc::new(Cell::new(None));
        let bar = Bar { begun: Instant::now(), shown: None };
        match stop::until(asking(bar, Rc::clone(&raised)), work) {
            Ok(done) => done.map_err(Into::into),
            Err(stopped) => Err(raised.take().unwrap_or_else(|| stopped.into())),
        }
    })
}

/// Asks the interpreter for signals, and shows how far the work is meanwhile.
fn asking(mut bar: Bar, raised: Rc<Cell<Option<PyErr>>>) -> impl FnMut(Progress) -> bool {
    move |progress| {
        Python::attach(|py| match py.check_signals() {
            Ok(()) => {
                bar.show(py, progress);
                true
            }
            Err(exception) => {
                raised.set(Some(exception));
                false
            }
        })
    }
}

/// What shows that work is under way, once it has taken long: `mopse._progress.Bar`.
struct Bar {
    begun: Instant,
    shown: Option<Py<PyAny>>,
}

impl Bar {
    /// How long work takes that shows nothing.
    const QUIET: Duration = Duration::from_secs(2);

    fn show(&mut self, py: Python<'_>, Progress { done, total }: Progress) {
        if self.begun.elapsed() < Self::QUIET {
            return;
        }
        if self.shown.is_none() {
            let made = py.import("mopse._progress").and_then(|module| module.call_method0("bar"));
            self.shown = made.ok().map(Bound::unbind);
        }
        // Work goes on also where nothing can be shown.
        if let Some(bar) = &self.shown {
            let _ = bar.call_method1(py, "reach", (done, total));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.take() {
            Python::attach(|py| {
                let _ = bar.call_method0(py, "close");
            });
        }
    }
}

/// A new array that `fill` has filled with the interpreter released.
fn filled<'py, T, E>(
    py: Python<'py>,
    length: usize,
    fill: impl FnOnce(&mut [T]) -> Result<(), E> + Send,
) -> PyResult<Bound<'py, PyArray1<T>>>
where
    T: Element + Send,
    E: Into<PyErr>,
{
    // NumPy's own memory comes in huge pages where the system has them.
    let array = PyArray1::zeros(py, length, false);
    {
        let mut array = array.try_readwrite()?;
        let slice = array.as_slice_mut()?;
        released(py, || fill(slice))?;
    }
    Ok(array)
}

/// A handle as two numbers that `NumPy` has: the high and the low half.
#[expect(clippy::cast_possible_truncation, reason = "the high and the low half")]
fn halves(handle: u128) -> [u64; 2] {
    [(handle >> 64) as u64, handle as u64]
}

fn joined([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[pymodule]
mod _mopse {
    use pyo3::prelude::*;

    #[pymodule]
    mod attack {
        #[pymodule_export]
        use crate::bindings::attack::{
            Marks, assign, change_points, co_occurrence, dyadic, entropies, frequencies,
            increasing, ordered_posterior, rank_guesses, ruler_spans, windows,
        };
    }

    #[pymodule]
    mod audit {
        #[pymodule_export]
        use crate::bindings::audit::{Checkpoint, Log, Witness, check_log, words};
    }

    #[pymodule]
    mod cipher {
        #[pymodule_export]
        use crate::bindings::cipher::password::{
            enforce_password, hash_password, open_under_password, password_forms, password_key,
            pbe_key, pbe_open, pbe_seal, seal_under_password, verify_password,
        };
        #[pymodule_export]
        use crate::bindings::cipher::rsa::{RsaPrivateKey, RsaPublicKey};
        #[pymodule_export]
        use crate::bindings::cipher::stream::{StreamOpener, StreamSealer};
        #[pymodule_export]
        use crate::bindings::cipher::{
            Cipher, algorithms, join_credential, join_secret, search_des_key, split_credential,
            split_secret,
        };
    }

    #[pymodule]
    mod cloud {
        #[pymodule_export]
        use crate::bindings::cloud::{Gate, MemoryStore, by_upload, merge, row_digests};
    }

    #[pymodule]
    mod evaluate {
        #[pymodule_export]
        use crate::bindings::evaluate::{ControlQuerier, ControlServer, operations};
    }

    #[pymodule]
    mod message {
        #[pymodule_export]
        const CHUNK_BYTES: usize = crate::message::piece::CHUNK_BYTES;
        #[pymodule_export]
        const MOST_RECORDS: usize = crate::message::limits::MOST_RECORDS;
        #[pymodule_export]
        const MOST_SLOTS: u32 = crate::message::limits::MOST_SLOTS;
        #[pymodule_export]
        use crate::bindings::message::{
            Announcement, Attachment, AuditRequest, Came, Fetched, Incoming, Listing, Notes, Part,
            Permission, Piece, Pieces, Proof, Query, Removal, Request, Seal, Statement, StoredFile,
            StoredUpload, Token, check_answer, gathered, goes_on, join_answer, split_answer,
            tombstone,
        };
        #[pymodule_export]
        use crate::bindings::streams::Arriving;
    }

    #[pymodule]
    mod party {
        #[pymodule_export]
        use crate::bindings::party::{
            Amends, Grants, Keyring, Shelf, Versions, first_fault, spell_portions, type_of,
        };
        #[pymodule_export]
        use crate::bindings::requests::{
            address, approve_request, forget_own_request, forget_request, make_request,
            read_decision, receive_request, refuse_request, requests_of, requests_to,
            withdraw_request,
        };
        #[pymodule_export]
        use crate::bindings::rights::{ask_under, delegate, rights_given, rights_held, spans_held};
        #[pymodule_export]
        use crate::bindings::shares::{
            disband_team, form_team, join_team, leave_team, reinstate, revoke_user, share,
            share_with_team, shared, suspend, teams, unshare, users,
        };
        #[pymodule_export]
        use crate::bindings::streams::{
            Attaching, Opening, begin_attachment, begin_granted_opening, begin_opening,
            end_attachment,
        };
    }

    #[pymodule]
    mod plot {
        #[pymodule_export]
        use crate::bindings::plot::{Panel, draw_png, draw_svg};
    }

    #[pymodule]
    mod schema {
        #[pymodule_export]
        use crate::bindings::schema::{Field, Schema};
    }

    #[pymodule]
    mod scheme {
        #[pymodule_export]
        use crate::bindings::scheme::Opse;
        #[pymodule_export]
        use crate::bindings::scheme::ore::{Clww, LewiWu};
    }

    #[pymodule]
    mod sharing {
        #[pymodule_export]
        use crate::bindings::reencryption::{
            ReaderKeys, ReencryptionProxy, label, re_encryption_key, readers_epochs, wrap,
        };
        #[pymodule_export]
        use crate::bindings::sharing::{
            PublishedKeys, PublishedServer, by_chunk, by_escrow, by_kept, by_list, by_norm,
            by_re_encryption_key,
        };
    }

    #[pymodule]
    mod wire {
        #[pymodule_export]
        use crate::bindings::wire::{category, first_id_fault, hides, keyword};
    }

    /// Makes every room a module that can be imported by its name.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Made here, where no fork can leave them half made.
        crate::scheme::hypergeometric::prepare();
        crate::plot::prepare();
        let modules = module.py().import("sys")?.getattr("modules")?;
        for room in module.dir()? {
            let name: String = room.extract()?;
            if let Ok(room) = module.getattr(&*name)?.cast_into::<PyModule>() {
                modules.set_item(format!("mopse._mopse.{name}"), room)?;
            }
        }
        Ok(())
    }
}
