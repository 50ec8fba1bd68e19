//! Amendments: records of one provider that each name a record of another, with the permission to.
//!
//! An amendment is a record like any other of its provider: sealed under its keys, indexed, updated,
//! deleted, granted and proven as such. What makes it one stands inside each of its sealed portions:
//!
//! ```text
//! layout  = columns, time, head of the permission
//! row     = record, version, commitment, path in the permission, secret number, values
//! handle  = handles under child(handle key, "amends/" || path of whose records they are) of the id
//! secret  = the same under child(provider key, "handle", "secret"); only where the id is
//! ```
//!
//! So an amendment has the id of the record that it amends, and is another record than the provider's own
//! of that id; a provider amends a record of another once, and what it has to say next is an update. The
//! owner, and whoever is above, finds the amendments of a record by its id.
//!
//! Whoever opens one checks its permission: signed by the owner or an authority above both, for this
//! provider, readers' epoch, schema and amendment, and for a record with the id that the row states. One
//! without it is a fault, and never a record.
//!
//! # Leakage
//!
//! The cloud does not learn which records are amendments of which, and has no permission to check. Of each
//! portion, the layout is longer by the head of the permission, some three hundred bytes, and each record by
//! 64 bytes, 16 more with the id, and 32 for each doubling of what is permitted together: which may tell that
//! these are amendments. Whoever opens one learns how many were permitted with it.

use super::Error;
use super::claims::{Amended, Amends, Stated, check};
use super::columns::KEPT;
use super::keyring::Keyring;
use super::records::{Amending, Ids};
use super::uploading::{Change, Made, Table, Versions};
use crate::keys::Purpose;
use crate::message::limits::{MOST_RECORDS, at_most};
use crate::message::permission::{Link, Permission, Permit, Permitted};
use crate::message::place::Node;
use crate::wire::Writer;

/// What has become of a record since its amendment was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is as it was.
    Same,
    /// It was changed.
    Changed,
    /// It was deleted, or encrypted anew in another epoch.
    Gone,
}

impl Versions {
    /// What has become of each record that is amended, as far as something is known of it.
    #[must_use]
    pub fn states(&self, amends: &Amends) -> Vec<Option<State>> {
        let of = |amended: &Amended| {
            let (version, is_live) = self.of_record(&amends.provider, amended.record)?;
            Some(match (is_live, version == amended.version) {
                (false, _) => State::Gone,
                (true, true) => State::Same,
                (true, false) => State::Changed,
            })
        };
        amends.rows.iter().map(|row| row.as_ref().and_then(of)).collect()
    }
}

impl Keyring {
    /// Permits a provider below to amend some records of another one, until a time in seconds since 1970; of
    /// what was looked up, each in the version that it has.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownProvider`], [`message::Error::Scope`](crate::message::Error::Scope) if this node is not above both, or they are one,
    /// [`Error::Rows`] without an id, [`message::Error::TooMany`](crate::message::Error::TooMany) for more than [`MOST_RECORDS`],
    /// [`Error::DuplicateId`], [`Error::NotStored`] names an id of which nothing was found in the present
    /// epoch of the provider.
    pub fn permit(
        &self,
        amender: &str,
        amended: &str,
        ids: Ids<'_>,
        versions: &Versions,
        end: u64,
    ) -> Result<Vec<u8>, Error> {
        let count = ids.count();
        if count == 0 {
            return Err(Error::Rows { got: 0 });
        }
        at_most(MOST_RECORDS, "records of the permission", count)?;
        let (amender, amended) = (self.find(amender)?, self.find(amended)?);
        if amender == amended || [&amender, &amended].contains(&&self.node) {
            let what = format!("permit {amender} to amend records of {amended}");
            return Err(self.out_of_reach(what));
        }
        let path = amended.path();
        let of_amender = Ids::Amending(&Amending { of: &path, ids });
        let amendments = self.handles_at(&amender, of_amender)?;
        let secrets = self.secrets(&amender, of_amender)?;
        let handles = self.handles_at(&amended, ids)?;
        let mut records = Vec::with_capacity(count);
        for (row, ((&amendment, record), secret)) in
            amendments.iter().zip(handles).zip(secrets).enumerate()
        {
            let version = versions.of_record(&amended, record);
            let live = version.filter(|(_, is_live)| *is_live).map(|(version, _)| version);
            let version = live.ok_or(Error::NotStored { row })?.0;
            let id = Permitted::commitment(secret, &ids.bytes(row));
            records.push((Permitted { amendment, record, version, id }, row));
        }
        records.sort_unstable();
        let twice = records.windows(2).filter(|pair| pair[0].0.amendment == pair[1].0.amendment);
        if let Some(row) = twice.map(|pair| pair[1].1).min() {
            return Err(Error::DuplicateId { row });
        }
        let records: Vec<Permitted> = records.into_iter().map(|(record, _)| record).collect();
        let permission = Permission {
            owner: self.owner,
            readers: self.readers_of(&amender).last().copied().unwrap_or_default(),
            amender,
            amended,
            schema: self.schema.digest(),
            end,
            number: self.number(b"permission")?,
            count: 0,
            root: [0; 32],
            issuer: self.chain.clone(),
        };
        Ok(permission.signed(&records, |head| self.signed(head)))
    }

    /// Asks for records of a provider by their ids, and for what amends them at some others, all at or below
    /// this one.
    ///
    /// # Errors
    ///
    /// Those of [`lookup`](Self::lookup).
    pub fn amendments(
        &self,
        of: &str,
        by: &[String],
        ids: Ids<'_>,
        expiry: u64,
    ) -> Result<Vec<u8>, Error> {
        // As it was spelt when it was authorised.
        let path = self.places_of(of).first().map_or_else(|| of.to_owned(), Node::path);
        let amending = Amending { of: &path, ids };
        let by = by.iter().map(|by| (by.as_str(), Ids::Amending(&amending)));
        let asked: Vec<(&str, Ids<'_>)> = std::iter::once((of, ids)).chain(by).collect();
        self.lookup_all(&asked, expiry)
    }

    /// What commits to ids is made of, at a place.
    fn secrets(&self, place: &Node, ids: Ids<'_>) -> Result<Vec<u128>, Error> {
        Ok(ids.handles(&self.key_of(place)?.child(Purpose::Handle, b"secret", 0)))
    }

    /// Seals the rows of a table as amendments of the records that have their ids, as
    /// [`upload`](Self::upload) does; what was looked up is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] if the permission is for another provider, readers' epoch or schema, or has
    /// ended, [`Error::NotPermitted`] names a row that it does not, [`Error::Column`] a column that what is
    /// opened has anyway, and those of [`upload`](Self::upload).
    pub fn amend(
        &self,
        table: &Table<'_>,
        permit: &Permit,
        versions: &Versions,
    ) -> Result<Made, Error> {
        let permission = &permit.permission;
        if permission.amender.names() != self.node.names() {
            return Err(Error::Permission { why: "it is another provider's" });
        }
        if (&permission.amender, permission.readers) != (&self.node, self.standing.sealing()) {
            return Err(Error::Permission { why: "it is of an epoch that has ended" });
        }
        check(permission, self.owner.0, &self.schema, table.now)?;
        if table.id.is_none_or(|id| table.columns.iter().all(|column| column.name != id)) {
            return Err(Error::NoIds);
        }
        if let Some(column) = table.columns.iter().find(|of| KEPT.contains(&of.name.as_str())) {
            let why = "the name is kept for who reads amendments";
            return Err(Error::Column { column: column.name.clone(), why });
        }
        let path = permission.amended.path();
        let ids = Ids::Amending(&Amending { of: &path, ids: table.ids });
        let links = permit.links(&self.handles(ids));
        let link = |(row, link): (usize, Option<Link>)| {
            let mut writer = Writer::default();
            link.ok_or(Error::NotPermitted { row })?.write(&mut writer);
            Ok(writer.0)
        };
        let stated = Stated {
            head: permit.head.clone(),
            // What must repeat says nothing of when it was made.
            time: if self.seed.is_some() { 0 } else { table.now },
            links: links.into_iter().enumerate().map(link).collect::<Result<_, Error>>()?,
            secrets: self.secrets(&self.node, ids)?,
        };
        self.upload_as(&Table { ids, ..*table }, Change::Put, versions, Some(&stated))
    }
}

#[cfg(test)]
mod tests;
