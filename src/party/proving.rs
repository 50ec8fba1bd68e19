//! Whether an answer is all that the providers sealed: the half of a proof by sums that takes keys.
//!
//! What is proven, against whom, and why, is in [`sums`](crate::message::sums). Whoever asks has the
//! keys of all providers that the query reaches, and computes what the cloud's sums must be: the leaves
//! of the sealed rows that it was given, and two masks for each provider.
//!
//! The newest seal of every place is kept with the keyring, of a provider's own also the newest that a cloud
//! has taken. A cloud that shows an older one, or another of the same number, is found out; one that never
//! showed the newest is not, until two parties compare what they have seen ([`Keyring::seals_seen`], [`Keyring::seal_trail`]).
//!
//! # Cost
//!
//! Of each hit, its digest and five AES blocks, and one more for each field; of each provider and field
//! three derivations and two blocks. A seal that was not seen before costs the verification of its
//! signatures.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Error;
use super::grants::Grants;
use super::keyring::Keyring;
use super::leaves::Leaves;
use super::ledger::unproven;
use crate::lock::{Forked, Lock};
use crate::message;
use crate::message::answer::{Part, rows_of};
use crate::message::catalogue;
use crate::message::certificate::Owner;
use crate::message::listing::Listing;
use crate::message::neighbours;
use crate::message::place::{Epoch, Group, Node};
use crate::message::query::{Predicate, Query, Scope, Selection, Token};
use crate::message::removal::Removal;
use crate::message::request::Request;
use crate::message::seal::{Seal, slot_leaf};
use crate::message::sums::{
    ByProvider, Claimed, Member, OfRange, Proof, Required, Slots, judged, removed_by,
};
use crate::message::tree;
use crate::pool;

/// What was found of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Everybody whom the query reaches, by token.
    pub members: Vec<Member>,
    /// How many rows match in the index, where they were counted.
    pub count: usize,
    /// Whether a sum of all providers together was wrong, and their slots are not there to say whose: then
    /// nobody's part is proven.
    pub is_wrong: bool,
}

/// Owner, place, number and digest of a seal.
pub type Seen = (Owner, Node, u64, [u8; 32]);

/// The newest seal that was seen of each place of an owner's providers.
#[derive(Debug, Default)]
pub struct Seals(Lock<HashMap<(Owner, Node), Arc<Seal>>>);

impl Seals {
    /// Those that were seen before.
    pub(crate) fn new(seen: Vec<Seal>) -> Self {
        let place = |seal: Seal| ((seal.owner, seal.place.clone()), Arc::new(seal));
        Self(Lock::new(seen.into_iter().map(place).collect()))
    }

    /// The newest seal of each place of one owner.
    pub(super) fn all(&self, owner: &Owner) -> Result<HashMap<Node, Arc<Seal>>, Forked> {
        let seen = self.0.read()?;
        let of_owner = seen.iter().filter(|((of, _), _)| of == owner);
        Ok(of_owner.map(|((_, place), seal)| (place.clone(), Arc::clone(seal))).collect())
    }

    /// The newest seal of a place.
    pub(super) fn of(&self, owner: &Owner, place: &Node) -> Result<Option<Arc<Seal>>, Forked> {
        Ok(self.0.read()?.get(&(*owner, place.clone())).cloned())
    }

    /// Takes note of a seal; says why not, if one was seen that it contradicts.
    pub(super) fn see(&self, seal: Arc<Seal>) -> Result<Option<String>, Forked> {
        let mut seen = self.0.write()?;
        let place = (seal.owner, seal.place.clone());
        let why = seen.get(&place).and_then(|known| seal.contradicts(known));
        if why.is_none() {
            seen.insert(place, seal);
        }
        Ok(why)
    }

    /// Each, to be kept.
    ///
    /// # Errors
    ///
    /// [`Forked`].
    pub(crate) fn heads(&self) -> Result<Vec<Vec<u8>>, Forked> {
        let seen = self.0.read()?;
        let mut seals: Vec<_> = seen.iter().collect();
        seals.sort_unstable_by_key(|(place, _)| *place);
        Ok(seals.into_iter().map(|(_, seal)| seal.head()).collect())
    }

    /// Owner, place, number and digest of each.
    ///
    /// # Errors
    ///
    /// [`Forked`].
    pub fn seen(&self) -> Result<Vec<Seen>, Forked> {
        let seen = self.0.read()?;
        let of = |((owner, place), seal): (&(Owner, Node), &Arc<Seal>)| {
            (*owner, place.clone(), seal.number, seal.digest())
        };
        let mut seals: Vec<_> = seen.iter().map(of).collect();
        seals.sort_unstable();
        Ok(seals)
    }
}

impl Grants {
    /// Finds out of which providers an answer holds all that they sealed, by their signatures, and
    /// remembers their seals.
    ///
    /// # Errors
    ///
    /// Those of [`neighbours::check`]; [`message::Error::OtherOwner`] if nothing is granted by the owner.
    pub fn prove_by_signatures(
        &self,
        seals: &Seals,
        parts: &[&Part],
        proof: &Proof,
        query: &Query,
        required: Required,
    ) -> Result<neighbours::Checked, Error> {
        if !self.is_of(&query.owner) {
            return Err(message::Error::OtherOwner { what: "the query" }.into());
        }
        by_signatures(seals, parts, proof, query, required)
    }

    /// Finds out of which providers a listing holds all files that they sealed, and remembers their seals.
    ///
    /// # Errors
    ///
    /// Those of [`catalogue::check`]; [`message::Error::OtherOwner`] if nothing is granted by the owner.
    pub fn prove_listing(
        &self,
        seals: &Seals,
        listing: &Listing,
        request: &Request,
        required: Required,
    ) -> Result<catalogue::Checked, Error> {
        if !self.is_of(&request.owner) {
            return Err(message::Error::OtherOwner { what: "the request" }.into());
        }
        seals.prove_listing(listing, request, required, |_| false)
    }
}

impl Seals {
    /// Finds out of which providers a listing holds all files that they sealed, and remembers their seals.
    fn prove_listing(
        &self,
        listing: &Listing,
        request: &Request,
        required: Required,
        is_left: impl Fn(&Node) -> bool,
    ) -> Result<catalogue::Checked, Error> {
        let known = self.all(&request.owner)?;
        let checked = catalogue::check(listing, request, &known, required, is_left)?;
        for seal in &checked.seals {
            self.see(Arc::clone(seal))?;
        }
        Ok(checked)
    }
}

fn by_signatures(
    seals: &Seals,
    parts: &[&Part],
    proof: &Proof,
    query: &Query,
    required: Required,
) -> Result<neighbours::Checked, Error> {
    let checked = neighbours::check(parts, proof, query, &seals.all(&query.owner)?, required)?;
    for seal in &checked.seals {
        seals.see(Arc::clone(seal))?;
    }
    Ok(checked)
}

/// A provider whose rows a token reaches, and its seal.
struct Reached {
    name: String,
    place: Node,
    seal: Option<Arc<Seal>>,
    fault: Option<String>,
}

impl Keyring {
    /// Finds out of which providers an answer holds all that they sealed, and remembers their seals.
    ///
    /// Without parts, it is the rows that a proof of a count names.
    ///
    /// # Errors
    ///
    /// [`message::Error::Proof`] if the proof contradicts itself or is of another answer,
    /// [`message::Error::Signature`] if something in it is forged.
    pub fn prove(
        &self,
        parts: Option<&[&Part]>,
        proof: &Proof,
        query: &Query,
        required: Required,
    ) -> Result<Checked, Error> {
        if query.owner != self.owner || proof.tokens.len() != query.tokens.len() {
            return Err(unproven("the proof is of another query"));
        }
        let snapshot = parts.and_then(|parts| parts.first()).map(|part| part.snapshot);
        if snapshot.is_some_and(|snapshot| snapshot != proof.snapshot) {
            return Err(unproven("the proof is of another state of the cloud"));
        }
        let shown_seals = self.see(&proof.heads)?;
        let shown = proof.evidence.iter().map(|of| of.verify()).collect::<Result<Vec<_>, _>>()?;
        let removals = proof.removals.iter().map(|removal| Removal::decode(removal));
        let removals = removals.collect::<Result<Vec<_>, _>>()?;
        let mut checked = Checked::default();
        for (token, of) in query.tokens.iter().zip(&proof.tokens) {
            let Selection::Ranges(predicates) = &token.selection else {
                return Err(unproven("only ranges can be proven"));
            };
            if predicates.iter().any(|predicate| predicate.slots.is_none()) {
                return Err(unproven("the query was made without proof=True"));
            }
            let mut reached = self.members_of(token)?;
            let is_own = Group::of(&self.node).as_ref() == Some(&token.group);
            let present = self.below.epoch(&token.group.authority);
            let is_left = !is_own && present != token.group.epoch;
            for of in &mut reached {
                let shown = shown_seals.get(&of.place);
                let removal = removed_by(&removals, &self.owner, &of.place);
                // A removal that comes with a seal is of another place, or of before.
                let removal = removal.filter(|_| shown.is_none());
                let fault = shown.cloned().flatten();
                (of.seal, of.fault) = judged(of.seal.take(), fault, removal, is_left, required);
            }
            let places: BTreeMap<String, Node> =
                reached.iter().map(|of| (of.name.clone(), of.place.clone())).collect();
            let hits = match parts {
                Some(parts) => rows_of(token, parts),
                None => of.counted(),
            };
            let claimed = of.claimed((&self.owner, token), &hits, &places, &shown)?;
            for of in &mut reached {
                let contradiction = claimed.faults.get(&of.name).cloned();
                let is_shown = claimed.ranges.iter().any(|rows| rows.contains_key(&of.name));
                let was_removed = || "it was removed, and rows of it are shown".to_owned();
                let shown = (of.seal.is_none() && is_shown).then(was_removed);
                of.fault = of.fault.take().or(contradiction).or(shown);
            }
            self.compare_sums(
                (&token.group, predicates),
                &of.ranges,
                &claimed,
                &mut reached,
                &mut checked,
            )?;
            checked.count += claimed.hits;
            for Reached { name, place, seal, fault } in reached {
                checked.members.push(Member {
                    group: token.group.clone(),
                    provider: place,
                    seal: seal.as_ref().map(|seal| (seal.number, seal.hours, seal.rows)),
                    unsealed: claimed.unsealed.get(&name).copied().unwrap_or(0),
                    fault,
                });
            }
        }
        Ok(checked)
    }

    /// Finds out the same by signatures, and remembers the seals.
    ///
    /// # Errors
    ///
    /// Those of [`neighbours::check`], [`message::Error::OtherOwner`].
    pub fn prove_by_signatures(
        &self,
        parts: &[&Part],
        proof: &Proof,
        query: &Query,
        required: Required,
    ) -> Result<neighbours::Checked, Error> {
        if query.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the query" }.into());
        }
        by_signatures(&self.seals, parts, proof, query, required)
    }

    /// Finds out of which providers a listing holds all files that they sealed, and remembers their seals.
    ///
    /// # Errors
    ///
    /// Those of [`catalogue::check`], [`message::Error::OtherOwner`].
    pub fn prove_listing(
        &self,
        listing: &Listing,
        request: &Request,
        required: Required,
    ) -> Result<catalogue::Checked, Error> {
        if request.owner != self.owner {
            return Err(message::Error::OtherOwner { what: "the request" }.into());
        }
        let is_left = |place: &Node| {
            Group::of(place).is_some_and(|group| {
                let is_own = self.node == *place;
                !is_own && self.below.epoch(&group.authority) != group.epoch
            })
        };
        self.seals.prove_listing(listing, request, required, is_left)
    }

    /// Takes note of seals; says of each place that is shown one what is wrong with it, if it is older
    /// than what is known, or another.
    fn see(&self, heads: &[Vec<u8>]) -> Result<HashMap<Node, Option<String>>, Error> {
        let read = pool::map(heads.len(), 8, |at| Seal::decode_head(&heads[at]));
        let mut shown = HashMap::new();
        for seal in read {
            let seal = seal?;
            if seal.owner != self.owner || !seal.provider.held(&seal.place) {
                return Err(unproven(
                    "a seal is of another owner, or of a place that is not its provider's",
                ));
            }
            if seal.schema != self.schema.digest() {
                return Err(message::Error::OtherSchema { what: "a seal" }.into());
            }
            let place = seal.place.clone();
            shown.insert(place, self.seals.see(Arc::new(seal))?);
        }
        Ok(shown)
    }

    /// The providers that a token reaches.
    fn members_of(&self, token: &Token) -> Result<Vec<Reached>, Error> {
        let Group { authority, epoch } = &token.group;
        let names: Vec<String> = match &token.scope {
            Scope::One(name) => vec![name.clone()],
            Scope::Group => self.names_in(authority, *epoch),
        };
        let reached = |name: String| -> Result<Reached, Error> {
            let place = authority.child_as_spelt(&name, *epoch)?;
            let seal = self.seals.of(&self.owner, &place)?;
            Ok(Reached { name, place, seal, fault: None })
        };
        names.into_iter().map(reached).collect()
    }

    /// The names of who belonged to an authority in an epoch of it.
    fn names_in(&self, authority: &Node, epoch: Epoch) -> Vec<String> {
        let Some(known) = self.below.of(authority) else { return Vec::new() };
        let Some(at) = known.epochs.iter().position(|other| *other == epoch) else {
            return Vec::new();
        };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let was_member =
            |first: u32, last: Option<u32>| (first..=last.unwrap_or(u32::MAX)).contains(&at);
        let members = known.members.iter().filter(|of| was_member(of.first, of.last));
        let mut names: Vec<String> = members.map(|member| member.name.clone()).collect();
        names.dedup();
        names
    }

    /// Compares the sums of a token's ranges with those that its rows must have.
    fn compare_sums(
        &self,
        (group, predicates): (&Group, &[Predicate]),
        ranges: &[OfRange],
        claimed: &Claimed,
        reached: &mut [Reached],
        checked: &mut Checked,
    ) -> Result<(), Error> {
        let fields: Vec<&str> = predicates.iter().map(|of| of.field.as_str()).collect();
        let places = predicates.iter().map(|predicate| self.places_of_slots(group, predicate));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let keys =
            reached.iter().map(|of| self.key_of(&of.place)).collect::<Result<Vec<_>, _>>()?;
        let expected: Vec<Option<Vec<u128>>> = pool::map(reached.len(), 16, |at| {
            let Reached { name, seal, .. } = &reached[at];
            let seal = seal.as_ref()?;
            let leaves = Leaves::new(&keys[at], fields.iter().copied());
            Some(expected(name, seal, &leaves, predicates, &places, &claimed.ranges))
        });
        for ((number, predicate), range) in predicates.iter().enumerate().zip(ranges) {
            let position = self.field(&predicate.field)?;
            let slots =
                u32::try_from(self.schema.fields()[position].1.cells() + 1).unwrap_or(u32::MAX);
            let of_providers: HashMap<&str, &Slots> =
                range.slots.iter().rev().map(|slots| (slots.provider.as_str(), slots)).collect();
            let mut total = 0_u128;
            let mut is_summed = false;
            for (of, expected) in reached.iter_mut().zip(&expected) {
                let (Some(seal), Some(expected)) = (&of.seal, expected) else { continue };
                let field = &predicate.field;
                let why = match seal.table(field) {
                    None => Some(format!("its seal has no sums of field '{field}'")),
                    Some(table) if table.slots != slots => {
                        Some(format!("its sums of field '{field}' are of another number of cells"))
                    }
                    Some(_) => None,
                };
                if why.is_some() {
                    of.fault = of.fault.take().or(why);
                    continue;
                }
                is_summed = true;
                total = total.wrapping_add(expected[number]);
                if !range.slots.is_empty() {
                    let slots = of_providers.get(of.name.as_str()).copied();
                    let found = blamed(slots, of, predicate, expected[number]);
                    of.fault = of.fault.take().or(found);
                }
            }
            let told = range.sums.iter().find(|(length, _)| *length == slots).map(|(_, sum)| *sum);
            if told.is_none() {
                for of in reached.iter_mut().filter(|of| of.seal.is_some()) {
                    of.fault.get_or_insert_with(|| NOT_ADDED.to_owned());
                }
                continue;
            }
            // In detail, each provider's own slots were compared, and their sum tells no more.
            let is_wrong = if is_summed { told != Some(total) } else { told.is_some() };
            checked.is_wrong |= is_wrong && range.slots.is_empty();
        }
        Ok(())
    }

    /// The cells that a range's slots belong to: the lowest, and the one after the highest.
    fn places_of_slots(&self, group: &Group, predicate: &Predicate) -> Result<[u64; 2], Error> {
        let slots = self.slots(group, self.field(&predicate.field)?)?;
        let of = |wanted: u32| slots.iter().position(|&slot| slot == wanted).map(|at| at as u64);
        let wanted = predicate.slots.and_then(|[low, high]| Some([of(low)?, of(high)?]));
        wanted.ok_or_else(|| unproven("the query names slots that there are not"))
    }

    /// Takes note that a cloud has taken a seal of this provider's own, as if it had shown it.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn seal_came(&self, seal: &Seal) -> Result<(), Error> {
        if seal.owner == self.owner && seal.provider == self.node {
            // One that came again after a newer one says nothing new.
            self.seals.see(Arc::new(seal.clone()))?;
        }
        Ok(())
    }

    /// The newest seal that was seen of each place: number and digest.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn seals_seen(&self) -> Result<Vec<(Node, u64, [u8; 32])>, Error> {
        let seen = self.seals.seen()?.into_iter();
        Ok(seen.map(|(_, place, number, digest)| (place, number, digest)).collect())
    }
}

const NOT_ADDED: &str = "its seal is not among those that the cloud adds up: it has none there, or the cloud \
                         hides it";

/// What the slots of one provider must differ by, for each range.
fn expected(
    name: &str,
    seal: &Seal,
    leaves: &Leaves,
    predicates: &[Predicate],
    places: &[[u64; 2]],
    ranges: &[ByProvider],
) -> Vec<u128> {
    let content = seal.content_digest();
    let of_range = |((predicate, places), rows): ((&Predicate, &[u64; 2]), &ByProvider)| {
        let rows = rows.get(name).map_or(&[][..], Vec::as_slice);
        let sum = leaves.sum(&predicate.field, &leaves.rows(rows));
        let masks = leaves.masks(&predicate.field, &content, *places);
        let [low, high] = [0, 1].map(|at| masks.get(at).copied().unwrap_or(0));
        sum.wrapping_add(high).wrapping_sub(low)
    };
    predicates.iter().zip(places).zip(ranges).map(of_range).collect()
}

/// What is wrong with one provider's slots of a range.
fn blamed(
    slots: Option<&Slots>,
    of: &Reached,
    predicate: &Predicate,
    expected: u128,
) -> Option<String> {
    let field = &predicate.field;
    let Some(slots) = slots else {
        return Some(NOT_ADDED.to_owned());
    };
    let (table, wanted) = (of.seal.as_ref()?.table(field)?, predicate.slots?);
    let pairs = slots.values.iter().zip(&slots.paths).zip(wanted);
    let is_committed = |((value, path), slot): ((&u128, &Vec<_>), u32)| {
        let leaf = [slot_leaf(*value)];
        tree::root_of(table.slots.into(), slot.into(), &leaf, path) == Some(table.root)
    };
    if !pairs.into_iter().all(is_committed) {
        return Some(format!("the cloud shows other sums of field '{field}' than it sealed"));
    }
    let [low, high] = slots.values;
    let is_right = high.wrapping_sub(low) == expected;
    (!is_right).then(|| {
        format!(
            "the rows that answer for field '{field}' are not those that it sealed: the cloud left some out, \
             doubled or changed some, or its own sums contradict its rows"
        )
    })
}
