//! What a provider uploads: sealed rows of a table with their index entries, and attachments.

use std::sync::Arc;

use rayon::prelude::*;

use super::Error;
use super::attachments::{self, Description, Place};
use super::columns::Column;
use super::keyring::Keyring;
use super::keywords;
use super::records::{self, Ids, Origin};
use crate::cipher::Algorithm;
use crate::keys::{Purpose, fill_random};
use crate::message;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::notes::Notes;
use crate::message::place::Node;
use crate::message::request::Request;
use crate::message::upload::{Run, Upload};
use crate::scheme::Scheme;
use crate::scheme::mopse::Handle;

/// The plaintexts of one field of a table: which rows hold a value, and its plaintext.
#[derive(Debug, Clone, Copy)]
pub struct Indexed<'a> {
    /// The field's name.
    pub field: &'a str,
    /// Row numbers.
    pub rows: &'a [u32],
    /// The plaintext of each.
    pub plaintexts: &'a [i64],
}

impl Keyring {
    /// Seals the rows of a table and encrypts their index entries into one signed upload.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateId`] names the second row of an id, [`Error::Length`] a column of another
    /// length, [`Error::UnknownField`], [`scheme::Error::OutOfDomain`](crate::scheme::Error::OutOfDomain), [`message::Error::Scope`] for the owner, who
    /// uploads nothing.
    pub fn upload(
        &self,
        columns: &[Column<'_>],
        ids: Ids<'_>,
        indexed: &[Indexed<'_>],
        sequence: u64,
    ) -> Result<Vec<u8>, Error> {
        let count = ids.count();
        if u32::try_from(count).is_err() || count == 0 {
            return Err(Error::Rows { got: count as u64 });
        }
        for column in columns {
            for got in [column.rows(), column.is_valid.len()] {
                if got != count {
                    return Err(Error::Length { what: "a column", expected: count, got });
                }
            }
        }
        let handles = self.handles(ids);
        let mut order: Vec<(Handle, usize)> =
            handles.iter().enumerate().map(|(row, &handle)| (handle, row)).collect();
        order.par_sort_unstable();
        if let Some(row) =
            order.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min()
        {
            return Err(Error::DuplicateId { row });
        }
        let mut numbers = vec![0_u32; count];
        for (number, &(_, row)) in (0..).zip(&order) {
            numbers[row] = number;
        }

        let mut runs = Vec::with_capacity(indexed.len());
        for &Indexed { field, rows, plaintexts } in indexed {
            let mopse = self.mopse(field)?;
            let rows: Vec<usize> =
                rows.iter().filter_map(|&row| usize::try_from(row).ok()).collect();
            if let Some(&row) = rows.iter().find(|&&row| row >= count) {
                return Err(Error::RowNumber { got: row as u64 });
            }
            let of_rows: Vec<Handle> = rows.iter().map(|&row| handles[row]).collect();
            let mut ciphertexts = vec![0; plaintexts.len()];
            mopse.encrypt_batch(plaintexts, &of_rows, &mut ciphertexts)?;
            let mut entries: Vec<(i64, u32)> =
                ciphertexts.into_iter().zip(rows.iter().map(|&row| numbers[row])).collect();
            entries.par_sort_unstable();
            let (ciphertexts, records) = entries.into_iter().unzip();
            runs.push(Run { field: field.to_owned(), ciphertexts, records });
        }

        let origin = Origin { owner: &self.owner, provider: &self.node };
        let record_key = self.key.child(Purpose::Record, b"", 0);
        let sealed = records::seal(&record_key, origin, columns, &order)?;
        let upload = Upload {
            owner: self.owner,
            provider: self.node.clone(),
            schema: self.schema.digest(),
            sequence,
            handles: Arc::new(order.into_iter().map(|(handle, _)| handle).collect()),
            layout: sealed.layout,
            records: Arc::new(sealed.records),
            runs: Arc::new(runs),
            chain: self.chain.clone(),
        };
        Ok(self.signed(upload.message()))
    }

    /// Seals a file of a record, with the entries that its keywords find it by, into one signed message.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] for the owner, who uploads nothing, [`Error::OneRecord`] if there is not one id or
    /// a keyword was used too often, [`message::Error::TooMany`] if there are too many keywords,
    /// [`cipher::Error::NotAuthenticated`](crate::cipher::Error::NotAuthenticated) if the cipher has no tag, [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    /// Nothing is counted then.
    pub fn attach(
        &mut self,
        id: Ids<'_>,
        algorithm: &Algorithm,
        (name, media_type): (&str, &str),
        contents: &[u8],
        keywords: &[&[u8]],
    ) -> Result<Vec<u8>, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("upload files".to_owned()));
        }
        let &[handle] = self.handles(id).as_slice() else {
            return Err(Error::OneRecord { got: id.count() as u64 });
        };
        let mut number = [0; 16];
        fill_random(&mut number)?;
        let (file, owner, provider) = (u128::from_le_bytes(number), self.owner, self.node.clone());
        let origin = Origin { owner: &owner, provider: &provider };
        let record = self.opener(&provider)?.key_of(handle).ok_or(Error::File)?;
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        let described = Description { name, media_type, size: contents.len() as u64 };
        let place = Place { origin, handle, number: file };
        let (description, body) =
            attachments::seal(&record, place, algorithm, &described, contents)?;
        let made = self.counts.make(&self.key, keywords, file)?;
        let note = keywords::note(&self.key, (&owner, &provider, file), &made.used)?;
        let lineage = self.counts.lineage().clone();
        self.counts.count(file, &made);
        let file =
            StoredFile { owner, provider, handle, number: file, description, body: Some(body) };
        let (entries, chain) = (made.entries, self.chain.clone());
        Ok(self.signed(Attachment { file, entries, lineage, note, chain }.message()))
    }

    /// Learns from the notes of all that ever came from this provider how often it used each keyword, and
    /// counts on from there, also where it had counted further.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`] if they do not answer the request, [`message::Error::OtherOwner`] or
    /// [`message::Error::Scope`] if that is another party's, [`Error::Note`] if one was changed or belongs
    /// elsewhere. Nothing is learnt then.
    pub fn learn_uses(&mut self, notes: &Notes, request: &Request) -> Result<(), Error> {
        if request.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the request" }.into());
        }
        let issuer = request.issuer.subject();
        if issuer != self.node {
            return Err(self.out_of_reach(format!("the notes of {issuer}")));
        }
        notes.check(request)?;
        self.counts = keywords::Uses::learn(&self.key, notes)?;
        Ok(())
    }
}
