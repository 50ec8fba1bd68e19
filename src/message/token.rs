//! Query tokens: what a querier shows the cloud, and what the cloud checks before it looks.
//!
//! A token holds the bounds of a conjunction of ranges as ciphertexts, the group they are for, and
//! who may see what: the owner searches any group, a provider the groups of its subtree and, in its
//! own group, its own runs only. Its issuer signs all tokens of a query together, each can be
//! shown alone, and it expires. It is a *bearer* token:
//! whoever has it can repeat the query until then.
//!
//! # Leakage
//!
//! The bounds to the cell, for every cloud and everyone who holds a ruler of the group; that two
//! queries have equal bounds; and, by the query's number, which tokens of other groups carry the
//! same bounds.

use super::Error;
use super::tree;
use crate::message::announcement::Announcement;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::Group;
use crate::message::signature::{SIGNATURE_LEN, verify};
use crate::wire::{Kind, Reader, Writer};

const WHAT: &str = "the token";

/// What an issuer signed.
#[derive(PartialEq, Eq)]
struct Signed {
    root: Vec<u8>,
    signature: [u8; SIGNATURE_LEN],
}

/// Whose entries a token reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All entries of the group.
    Group,
    /// The issuer's own runs.
    Own,
}

/// A range of ciphertexts of one field, both bounds included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// The field's name.
    pub field: String,
    /// The lowest ciphertext.
    pub low: i64,
    /// The highest ciphertext.
    pub high: i64,
}

/// A query of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The owner whose index is searched.
    pub owner: Owner,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// The group whose rulers made the bounds.
    pub group: Group,
    /// Whose entries are searched.
    pub scope: Scope,
    /// Ranges that must all hold; at least one.
    pub predicates: Vec<Predicate>,
    /// When the token ends, in seconds since 1970.
    pub expiry: u64,
    /// A random number of this token, for the audit log.
    pub id: u128,
    /// A random number that all tokens of one query share.
    pub query: u128,
    /// The issuer's certificates; empty for the owner.
    pub issuer: Chain,
}

impl Token {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Token);
        writer.raw(&self.owner.0).raw(&self.schema);
        self.group.write(&mut writer);
        writer.u8(match self.scope {
            Scope::Group => 0,
            Scope::Own => 1,
        });
        writer.count(self.predicates.len());
        for predicate in &self.predicates {
            writer.text(&predicate.field).i64(predicate.low).i64(predicate.high);
        }
        writer.u64(self.expiry).u128(self.id).u128(self.query);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a token and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no token, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self::decode_all(&[bytes])?.remove(0))
    }

    /// Reads tokens as [`decode`](Self::decode) reads each, and verifies what was signed together once.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode), for the first token at fault.
    pub fn decode_all(tokens: &[&[u8]]) -> Result<Vec<Self>, Error> {
        let mut verified: Vec<(Self, Signed)> = Vec::with_capacity(tokens.len());
        for bytes in tokens {
            let (token, signed) = Self::read(bytes)?;
            let is_verified = verified.last().is_some_and(|(last, known)| {
                *known == signed && last.owner == token.owner && last.issuer == token.issuer
            });
            if !is_verified {
                let key = token.issuer.verify(&token.owner)?;
                verify(&key, &signed.root, &signed.signature, WHAT)?;
            }
            verified.push((token, signed));
        }
        Ok(verified.into_iter().map(|(token, _)| token).collect())
    }

    /// Reads a token without verifying it.
    fn read(bytes: &[u8]) -> Result<(Self, Signed), Error> {
        let mut reader = Reader::new(bytes, Kind::Token)?;
        let owner = Owner(reader.array()?);
        let schema = reader.array()?;
        let group = Group::read(&mut reader)?;
        let scope = match reader.u8()? {
            0 => Scope::Group,
            1 => Scope::Own,
            _ => return Err(reader.fault().into()),
        };
        let mut predicates = Vec::new();
        for _ in 0..reader.count(24)? {
            let field = reader.text()?.to_owned();
            let (low, high) = (reader.i64()?, reader.i64()?);
            if low < 0 || high < low {
                return Err(reader.fault().into());
            }
            predicates.push(Predicate { field, low, high });
        }
        if predicates.is_empty() {
            return Err(reader.fault().into());
        }
        let (expiry, id, query) = (reader.u64()?, reader.u128()?, reader.u128()?);
        let issuer = Chain::read(&mut reader)?;
        let message = &bytes[..reader.position()];
        let root = tree::read(&mut reader, message)?;
        let signature = reader.array()?;
        reader.end()?;
        let token = Self { owner, schema, group, scope, predicates, expiry, id, query, issuer };
        Ok((token, Signed { root, signature }))
    }

    /// Checks that the token may be used at a time, in seconds since 1970, with an owner's
    /// announcement.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OtherOwner`], [`Error::OtherSchema`], [`Error::Epoch`] if the
    /// issuer's keys are of an epoch that its group has left, or [`Error::Scope`] if the issuer may not
    /// search that group.
    pub fn check(&self, announcement: &Announcement, now: u64) -> Result<(), Error> {
        announcement.serves(WHAT, &self.owner)?;
        announcement.indexes(WHAT, &self.schema)?;
        if now > self.expiry {
            return Err(Error::Expired);
        }
        let issuer = self.issuer.subject();
        announcement.accepts(&issuer)?;
        let may = match self.scope {
            Scope::Group => issuer.holds(&self.group.authority),
            Scope::Own => Group::of(&issuer).is_some_and(|own| own == self.group),
        };
        if may {
            Ok(())
        } else {
            Err(Error::Scope { who: issuer.to_string(), what: self.group.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::place::Node;
    use crate::party::scene::{Cloud, NOW, owner, three_records};
    use crate::party::{Keyring, Range};
    use crate::wire;

    /// An owner, its hospital with a ward, and its clinic.
    fn parties() -> [Keyring; 4] {
        let mut owner = owner(1);
        let hospital = owner.authorize("hospital", &[]).unwrap();
        let ward = owner.authorize("ward", &["hospital"]).unwrap();
        let clinic = owner.authorize("clinic", &[]).unwrap();
        [owner, hospital, ward, clinic]
    }

    fn tokens(keyring: &Keyring) -> Vec<Token> {
        let range = Range { field: "age".into(), low: 40, high: 60 };
        let tokens = keyring.tokens(&[range], NOW).unwrap();
        tokens.iter().map(|token| Token::decode(token).unwrap()).collect()
    }

    /// What a cloud says to a token that its issuer changed before signing it.
    fn changed(
        issuer: &Keyring,
        mut token: Token,
        change: impl FnOnce(&mut Token),
    ) -> Result<(), Error> {
        change(&mut token);
        let token = Token::decode(&issuer.signed_together(&[token.message()])[0])?;
        token.check(&Announcement::decode(&owner(1).announcement().unwrap()).unwrap(), NOW)
    }

    fn group(authority: &Keyring) -> Group {
        Group { authority: authority.node().clone(), epoch: 0 }
    }

    fn no_right(outcome: &Result<(), Error>) -> bool {
        matches!(outcome, Err(Error::Scope { .. }))
    }

    #[test]
    fn a_token_reaches_the_issuers_own_runs_and_its_subtree_and_no_further() {
        let [owner, hospital, ward, clinic] = parties();
        let own = || tokens(&hospital)[0].clone();
        assert_eq!((own().scope, own().group), (Scope::Own, group(&owner)));
        assert_eq!(changed(&hospital, own(), |_| ()), Ok(()));

        let may = |group, scope| {
            changed(&hospital, own(), |token| (token.group, token.scope) = (group, scope))
        };
        assert_eq!(may(group(&hospital), Scope::Group), Ok(()));
        assert_eq!(may(group(&ward), Scope::Group), Ok(()));
        assert!(no_right(&may(group(&owner), Scope::Group)), "its siblings' entries");
        assert!(no_right(&may(group(&clinic), Scope::Group)), "below its sibling");
        assert!(no_right(&may(group(&hospital), Scope::Own)), "as if it were its own child");
        assert!(no_right(&may(Group { epoch: 1, ..group(&owner) }, Scope::Own)), "a later epoch");
        let later = Node::root().child("hospital", 1).unwrap();
        assert!(no_right(&may(Group { authority: later, epoch: 0 }, Scope::Group)));

        let upwards = changed(&ward, tokens(&ward)[0].clone(), |token| token.scope = Scope::Group);
        assert!(no_right(&upwards), "all of the hospital's wards");
        let everything =
            changed(&owner, tokens(&owner)[0].clone(), |token| token.scope = Scope::Own);
        assert!(no_right(&everything), "the owner has no runs");
    }

    #[test]
    fn a_token_with_another_providers_path_is_forged() {
        let [_, hospital, ward, clinic] = parties();
        let own = || tokens(&hospital)[0].clone();
        let forged = Err(Error::Signature { what: WHAT });
        let unchained = Err(Error::Signature { what: "a certificate" });
        let of = |other: &Keyring| other.chain().clone();
        assert_eq!(changed(&hospital, own(), |token| token.issuer = of(&clinic)), forged);
        assert_eq!(changed(&hospital, own(), |token| token.issuer = of(&ward)), forged);
        assert_eq!(changed(&hospital, own(), |token| token.issuer = Chain::default()), forged);
        let clinic = clinic.node().clone();
        let renamed = changed(&hospital, own(), |token| token.issuer.0[0].subject = clinic);
        assert_eq!(renamed, unchained);
    }

    #[test]
    fn a_token_of_another_owner_schema_or_time_is_refused() {
        let [_, hospital, ..] = parties();
        let own = || tokens(&hospital)[0].clone();
        let schema = changed(&hospital, own(), |token| token.schema[31] ^= 1);
        assert_eq!(schema, Err(Error::OtherSchema { what: WHAT }));
        let expired = changed(&hospital, own(), |token| token.expiry = NOW - 1);
        assert_eq!(expired, Err(Error::Expired));

        let stranger = owner(2);
        let announcement = Announcement::decode(&stranger.announcement().unwrap()).unwrap();
        assert_eq!(own().check(&announcement, NOW), Err(Error::OtherOwner { what: WHAT }));
        let renamed = changed(&hospital, own(), |token| token.owner = stranger.owner());
        assert_eq!(renamed, Err(Error::Signature { what: "a certificate" }));
    }

    #[test]
    fn bounds_that_no_ruler_gives_are_refused() {
        let [owner, ..] = parties();
        let token = || tokens(&owner)[0].clone();
        for (low, high) in [(-1, 5), (6, 5), (i64::MIN, i64::MAX)] {
            let outcome = changed(&owner, token(), |token| {
                (token.predicates[0].low, token.predicates[0].high) = (low, high);
            });
            assert!(
                matches!(outcome, Err(Error::Wire(wire::Error::Format { what: WHAT, .. }))),
                "{low} to {high}"
            );
        }
        let none = changed(&owner, token(), |token| token.predicates.clear());
        assert!(matches!(none, Err(Error::Wire(wire::Error::Format { what: WHAT, .. }))));
    }

    #[test]
    fn two_ranges_of_one_field_meet_and_an_unknown_field_finds_nothing() {
        let [owner, hospital, ..] = parties();
        let cloud = Cloud::of(&owner);
        cloud.receive(&three_records(&hospital, 1)).unwrap();
        let range = |low, high| Range { field: "age".into(), low, high };
        let count = |ranges: &[Range], rename: Option<&str>| {
            let mut token = Token::decode(&owner.tokens(ranges, NOW).unwrap()[0]).unwrap();
            if let Some(name) = rename {
                token.predicates[0].field = name.to_owned();
            }
            let bytes = owner.signed_together(&[token.message()]);
            cloud.answer(&bytes).unwrap().iter().map(|part| part.handles.len()).sum::<usize>()
        };
        assert_eq!(count(&[range(0, 55)], None), 2);
        assert_eq!(count(&[range(0, 55), range(45, 120)], None), 1);
        assert_eq!(count(&[range(45, 120), range(0, 55), range(0, 120)], None), 1);
        assert_eq!(count(&[range(0, 40), range(60, 120)], None), 0);
        assert_eq!(count(&[range(0, 120)], Some("shoe size")), 0);
        assert_eq!(count(&[range(0, 120), range(0, 120)], Some("shoe size")), 0);
    }

    #[test]
    fn tokens_that_are_read_together_are_each_what_was_signed() {
        let [owner, hospital, ..] = parties();
        let range = Range { field: "age".into(), low: 40, high: 60 };
        let ask = |by: &Keyring| by.tokens(std::slice::from_ref(&range), NOW).unwrap();
        let (own, own_again, of_hospital) = (ask(&owner), ask(&owner), ask(&hospital));
        let all: Vec<&[u8]> =
            own.iter().chain(&of_hospital).chain(&own_again).map(Vec::as_slice).collect();
        let alone: Vec<Token> = all.iter().map(|token| Token::decode(token).unwrap()).collect();
        assert_eq!(Token::decode_all(&all), Ok(alone));
        assert_eq!(Token::decode_all(&[]), Ok(vec![]));
        for number in 0..all.len() {
            for at in 0..all[number].len() {
                let mut changed = all[number].to_vec();
                changed[at] ^= 1;
                let mut with_one_changed = all.clone();
                with_one_changed[number] = &changed;
                assert!(Token::decode_all(&with_one_changed).is_err(), "{number}, byte {at}");
            }
        }
    }

    #[test]
    fn the_signature_covers_every_byte_and_nothing_may_follow_it() {
        let [_, _, ward, _] = parties();
        let range = Range { field: "age".into(), low: 40, high: 60 };
        let bytes = &ward.tokens(&[range], NOW).unwrap()[0];
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            assert!(Token::decode(&changed).is_err(), "byte {at}");
            assert!(Token::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(Token::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
