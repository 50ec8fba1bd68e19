//! Owners and providers: who holds which keys, and what they do with them.
//!
//! Both are a *keyring*: a node of the owner's hierarchy, its key, and the rulers of the group it
//! belongs to. The owner is the node at the top, with no group above. From its key a node derives
//! everything below, and nothing above or beside:
//!
//! ```text
//! key of a child      = child(key, "node", name, epoch of the node)
//! ruler of a field    = child(key of the authority, "ruler", field, epoch of the authority)
//! placement, handles, records, authorship,
//! keywords, signatures = child(key, "place" | "handle" | "record" | "author" | "keyword" | "sign", ...)
//! ```
//!
//! A provider that is authorised again after a revocation gets the keys of its earlier epochs too, so
//! that it finds and renews what it sent then.
//!
//! MOPSE is the hierarchy of depth 1, MOPSE+ any deeper one.
//!
//! # Leakage
//!
//! A provider that also sees the cloud's store finds every entry of its group, of all providers, to
//! the cell, because it holds the rulers. It opens no record outside its subtree and forges no entry.
//!
//! # Sources
//!
//! Our reconstruction of the interface of Yao, Lin, Liu and Zhang, IEEE Access 6, 2018 (MOPSE and
//! MOPSE+), whose construction we have not seen.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha512};

use super::Error;
use super::hierarchy::Below;
use super::keywords::Uses;
use super::leaves;
use super::ledger::Ledger;
use super::proving::Seals;
use super::records::Ids;
use super::requests::Requests;
use super::shares::Shares;
use super::teams::Teams;
use super::uploading::check_names;
use crate::keys::{Key, Purpose, fill_random};
use crate::lock::{Forked, Lock};
use crate::message;
use crate::message::certificate::{Chain, Owner};
use crate::message::limits::MOST_SLOTS;
use crate::message::place::{Epoch, Group, Node, Stamp};
use crate::message::signature::{SIGNATURE_LEN, to_sign_of};
use crate::operations::{Operation, count};
use crate::schema::Schema;
use crate::scheme::mopse::{Handle, Mopse};
use crate::scheme::ruler::{Layout, Ruler};
use crate::wire::Writer;
use crate::wire::text::Look;

/// The keys of an owner or a provider, and what it knows of the hierarchy below.
pub struct Keyring {
    pub(super) owner: Owner,
    pub(super) schema: Schema,
    pub(super) node: Node,
    pub(super) key: Key,
    /// The ruler keys of the own group, one per field; none for the owner.
    pub(super) rulers: Vec<Key>,
    pub(super) chain: Chain,
    pub(super) standing: Standing,
    /// What it held in earlier epochs of its authorities.
    pub(super) earlier: Vec<Earlier>,
    pub(super) below: Below,
    /// How often each keyword was used in files that were attached.
    pub(super) counts: Uses,
    pub(super) derived: Derived,
    /// The portions that its tables lie in, as they were declared.
    pub(super) portions: Vec<(String, Vec<String>)>,
    /// How the columns of de-identified portions are made, in the words of whoever makes them.
    pub(super) derivations: String,
    /// The fields whose answers are to be proven by sums, as they were declared.
    pub(super) proven: Vec<String>,
    /// What it knows of its own rows at the cloud; none if that was not kept.
    pub(super) ledger: Lock<Option<Ledger>>,
    /// The newest seal that it has seen of each place.
    pub(super) seals: Seals,
    /// With whom it shares what.
    pub(super) shares: Shares,
    /// The teams of those with whom it does.
    pub(super) teams: Teams,
    /// What was asked of it.
    pub(super) requests: Requests,
    /// Where all randomness comes from, if experiments must repeat.
    pub(super) seed: Option<Seed>,
}

/// What a provider knows of its own authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last announcement.
    pub(super) stamp: Stamp,
    /// All readers' epochs; records are sealed in the last one.
    pub(super) readers: Vec<Epoch>,
}

impl Standing {
    /// The readers' epoch that records are sealed in.
    pub(super) fn sealing(&self) -> Epoch {
        self.readers.last().copied().unwrap_or_default()
    }
}

impl Default for Standing {
    fn default() -> Self {
        Self { stamp: Stamp::default(), readers: vec![Epoch::default()] }
    }
}

/// A provider's keys in an earlier epoch.
#[derive(Clone)]
pub(super) struct Earlier {
    pub(super) node: Node,
    pub(super) key: Key,
    pub(super) rulers: Vec<Key>,
}

/// What stands in for the operating system's randomness where experiments must repeat.
pub(super) struct Seed {
    key: Key,
    drawn: AtomicU64,
    /// How often a keyring was made of each party below.
    made: Lock<HashMap<Node, u64>>,
}

impl Seed {
    pub(super) fn new(key: Key) -> Self {
        Self { key, drawn: AtomicU64::new(0), made: Lock::default() }
    }

    /// The seed of a keyring of a party below: each draws other numbers, also where the keys are the same.
    ///
    /// # Errors
    ///
    /// [`Forked`].
    pub(super) fn of(&self, node: &Node) -> Result<Self, Forked> {
        let mut made = self.made.write()?;
        let before = made.entry(node.clone()).or_default();
        let key = self.key.child(Purpose::Seed, node.path().as_bytes(), 0);
        let key = match *before {
            0 => key,
            again => key.child(Purpose::Seed, &[&b"/again/"[..], &again.to_be_bytes()].concat(), 0),
        };
        *before += 1;
        Ok(Self::new(key))
    }

    fn draw(&self, of: &[u8]) -> [u8; 16] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let label = [b"/draw/", of, &drawn.to_be_bytes()].concat();
        let key = self.key.child(Purpose::Seed, &label, 0);
        let (halves, _) = key.expose().as_chunks();
        halves[0]
    }
}

/// Which slot each cell has, by group and field.
type SlotsOf = HashMap<(Group, usize), Arc<Vec<u32>>>;

/// What is derived once and kept, as long as the keyring is.
#[derive(Default)]
pub(super) struct Derived {
    rulers: Lock<HashMap<(Group, usize), Arc<Ruler>>>,
    slots: Lock<SlotsOf>,
    /// How the names of members look.
    pub(super) looks: Lock<HashMap<String, Look>>,
    /// What the node signs with; wiped with the keyring.
    signer: OnceLock<SigningKey>,
}

impl Keyring {
    /// A new owner with a random root key.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness) if the operating system gives none.
    pub fn generate(schema: Schema) -> Result<Self, Error> {
        Ok(Self::root(Key::generate()?, schema))
    }

    /// The owner with this root key.
    #[must_use]
    pub fn root(key: Key, schema: Schema) -> Self {
        let owner = Owner(signing_key(&key).verifying_key().to_bytes());
        Self {
            owner,
            schema,
            node: Node::root(),
            key,
            rulers: Vec::new(),
            chain: Chain::default(),
            standing: Standing::default(),
            earlier: Vec::new(),
            below: Below::default(),
            counts: Uses::new(),
            derived: Derived::default(),
            portions: Vec::new(),
            derivations: String::new(),
            proven: Vec::new(),
            ledger: Lock::new(Some(Ledger::default())),
            seals: Seals::default(),
            shares: Shares::default(),
            teams: Teams::default(),
            requests: Requests::default(),
            seed: None,
        }
    }

    /// The owner with this root key, whose salts, numbers and nonces follow from it too, for experiments
    /// that must repeat.
    #[must_use]
    pub fn insecure(key: Key, schema: Schema) -> Self {
        let seed = Some(Seed::new(key.child(Purpose::Seed, b"", 0)));
        Self { seed, ..Self::root(key, schema) }
    }

    /// Sixteen random bytes; with a seed, others for each of its draws and for what they belong to.
    pub(super) fn random(&self, of: &[u8]) -> Result<[u8; 16], Error> {
        match &self.seed {
            Some(seed) => Ok(seed.draw(of)),
            None => {
                let mut bytes = [0; 16];
                fill_random(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Random bytes for what has a random number; with a seed, those that follow from that.
    pub(super) fn random_for<const N: usize>(
        &self,
        number: u128,
        what: &str,
    ) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        let Some(seed) = &self.seed else {
            fill_random(&mut bytes)?;
            return Ok(bytes);
        };
        let label = [b"/for/", what.as_bytes(), b"/", &number.to_be_bytes()].concat();
        let key = seed.key.child(Purpose::Seed, &label, 0);
        let drawn = key.expose().get(..N).ok_or(crate::keys::Error::Randomness)?;
        bytes.copy_from_slice(drawn);
        Ok(bytes)
    }

    /// A random number.
    pub(super) fn number(&self, of: &[u8]) -> Result<u128, Error> {
        Ok(u128::from_le_bytes(self.random(of)?))
    }

    /// The owner whose hierarchy it is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The fields.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The portions that were declared, each with its columns.
    #[must_use]
    pub fn portions(&self) -> &[(String, Vec<String>)] {
        &self.portions
    }

    /// Declares the portions of tables: they are saved with the keyring, and whoever is authorised from now
    /// on has them too, so that nobody seals a column elsewhere because nobody told.
    ///
    /// # Errors
    ///
    /// [`Error::Portion`] if one cannot have its name.
    pub fn declare_portions(&mut self, portions: Vec<(String, Vec<String>)>) -> Result<(), Error> {
        check_names(&portions)?;
        self.portions = portions;
        Ok(())
    }

    /// How the columns of de-identified portions are made, in the words of whoever makes them.
    #[must_use]
    pub fn derivations(&self) -> &str {
        &self.derivations
    }

    /// Declares how the columns of de-identified portions are made: it is saved with the keyring, and handed
    /// on, as portions are.
    pub fn declare_derivations(&mut self, derivations: String) {
        self.derivations = derivations;
    }

    /// The fields whose answers are to be proven by sums.
    #[must_use]
    pub fn proven(&self) -> &[String] {
        &self.proven
    }

    /// Declares the fields whose answers are to be proven by sums: their tables are in the seals that are made
    /// from now on. They are saved with the keyring, and handed on, as portions are.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`], [`Error::ProvenCells`] if a field has too many cells for a table.
    pub fn declare_proven(&mut self, mut proven: Vec<String>) -> Result<(), Error> {
        proven.sort_unstable();
        proven.dedup();
        for name in &proven {
            let cells = self.schema.fields()[self.field(name)?].1.cells();
            if cells >= MOST_SLOTS.into() {
                let (field, most) = (name.clone(), u64::from(MOST_SLOTS) - 1);
                return Err(Error::ProvenCells { field, got: cells, most });
            }
        }
        self.proven = proven;
        Ok(())
    }

    /// Its place in the hierarchy.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Its certificates; none for the owner.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its certificates as they travel, for whoever must learn that it exists.
    #[must_use]
    pub fn certificates(&self) -> Vec<u8> {
        self.chain.encode(&self.owner)
    }

    pub(super) fn signer(&self) -> &SigningKey {
        // Made before it is set, so that a fork leaves nothing behind that is for ever being made.
        let made = self.derived.signer.get().is_none().then(|| signing_key(&self.key));
        self.derived.signer.get_or_init(|| made.unwrap_or_else(|| signing_key(&self.key)))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        sign(self.signer(), message)
    }

    /// Signs a message that was hashed as it was made.
    pub(super) fn sign_hashed(&self, hashed: Sha512) -> [u8; SIGNATURE_LEN] {
        sign_hashed(self.signer(), hashed)
    }

    pub(crate) fn signed(&self, mut message: Vec<u8>) -> Vec<u8> {
        message.extend(self.sign(&message));
        message
    }

    pub(super) fn field(&self, name: &str) -> Result<usize, Error> {
        let position = self.schema.fields().iter().position(|(field, _)| field == name);
        position.ok_or_else(|| Error::UnknownField { field: name.to_owned() })
    }

    /// The ruler of a field in the own group or a group below.
    pub(super) fn ruler(&self, group: &Group, field: usize) -> Result<Arc<Ruler>, Error> {
        let place = (group.clone(), field);
        // Where a fork has left the lock behind, each is made when it is needed.
        let known = self.derived.rulers.read().ok();
        if let Some(ruler) = known.and_then(|rulers| rulers.get(&place).cloned()) {
            return Ok(ruler);
        }
        let key = self.ruler_key(group, field)?;
        let definition = &self.schema.fields()[field].1;
        let ruler = Arc::new(Ruler::new(&key, definition.plaintexts(), definition.cell())?);
        match self.derived.rulers.write() {
            Ok(mut known) => Ok(Arc::clone(known.entry(place).or_insert(ruler))),
            Err(Forked) => Ok(ruler),
        }
    }

    /// The key of a field's ruler in the own group or a group below.
    fn ruler_key(&self, group: &Group, field: usize) -> Result<Key, Error> {
        let own = std::iter::once((&self.node, &self.rulers));
        let earlier = self.earlier.iter().map(|earlier| (&earlier.node, &earlier.rulers));
        let held = own.chain(earlier).find(|(node, _)| Group::of(node).as_ref() == Some(group));
        match held.and_then(|(_, rulers)| rulers.get(field)) {
            Some(key) => Ok(key.clone()),
            None => {
                let authority = self.key_of(&group.authority)?;
                Ok(ruler_key(&authority, &self.schema, field, group.epoch))
            }
        }
    }

    /// Which slot of a seal's table each cell of a field has, in the own group or a group below.
    pub(super) fn slots(&self, group: &Group, field: usize) -> Result<Arc<Vec<u32>>, Error> {
        let place = (group.clone(), field);
        let known = self.derived.slots.read().ok();
        if let Some(slots) = known.and_then(|slots| slots.get(&place).cloned()) {
            return Ok(slots);
        }
        let cells = self.schema.fields()[field].1.cells();
        let slots = leaves::slots(&self.ruler_key(group, field)?, cells);
        if let Ok(mut known) = self.derived.slots.write() {
            known.insert(place, Arc::clone(&slots));
        }
        Ok(slots)
    }

    /// How this provider encrypts the entries of a field.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`] if the schema lacks it, [`message::Error::Scope`] if this is the owner, who
    /// belongs to no group.
    pub fn mopse(&self, field: &str) -> Result<Mopse, Error> {
        let position = self.field(field)?;
        let group = Group::of(&self.node).ok_or_else(|| self.out_of_reach("a group".to_owned()))?;
        let place = self.key.child(Purpose::Place, field.as_bytes(), 0);
        Ok(Mopse::new(self.ruler(&group, position)?, &place))
    }

    /// Returns, for every group in reach, the first and the last ciphertext of each cell of a field:
    /// what this keyring tells whoever holds it about all entries of those groups. Secret.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownField`] if the schema lacks it.
    pub fn spans(&self, field: &str) -> Result<Vec<(Group, Spans)>, Error> {
        let position = self.field(field)?;
        let own = self.places().filter_map(Group::of);
        let spans = |group: Group| {
            let spans = self.ruler(&group, position)?.spans();
            Ok((group, spans))
        };
        own.chain(self.below.groups()).map(spans).collect()
    }

    /// This provider's places in all epochs that it has keys of; none for the owner.
    pub(super) fn places(&self) -> impl Iterator<Item = &Node> {
        let own = (self.node != Node::root()).then_some(&self.node);
        own.into_iter().chain(self.earlier.iter().map(|earlier| &earlier.node))
    }

    /// Returns the pseudonym of every record id.
    #[must_use]
    pub fn handles(&self, ids: Ids<'_>) -> Vec<Handle> {
        ids.handles(&self.key.child(Purpose::Handle, b"", 0))
    }

    /// The pseudonyms that record ids have at a place at or below this node.
    pub(super) fn handles_at(&self, place: &Node, ids: Ids<'_>) -> Result<Vec<Handle>, Error> {
        Ok(ids.handles(&self.key_of(place)?.child(Purpose::Handle, b"", 0)))
    }

    pub(super) fn out_of_reach(&self, what: String) -> Error {
        message::Error::Scope { who: self.node.to_string(), what }.into()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("owner", &self.owner)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

pub(super) fn sign(key: &SigningKey, message: &[u8]) -> [u8; SIGNATURE_LEN] {
    sign_hashed(key, Sha512::new_with_prefix(message))
}

/// Signs a message that was hashed as it was made.
fn sign_hashed(key: &SigningKey, hashed: Sha512) -> [u8; SIGNATURE_LEN] {
    count(Operation::Signature, 1);
    key.sign(&to_sign_of(hashed)).to_bytes()
}

pub(super) fn signing_key(key: &Key) -> SigningKey {
    SigningKey::from_bytes(key.child(Purpose::Sign, b"", 0).expose())
}

/// The key of a field's ruler. Its label names the field and defines it, so that neither another
/// field nor another schema has the same cuts.
pub(super) fn ruler_key(authority: &Key, schema: &Schema, field: usize, epoch: Epoch) -> Key {
    let (name, definition) = &schema.fields()[field];
    let mut label = Writer::default();
    label.text(name).raw(&definition.label());
    authority.child_in(Purpose::Ruler, &label.0, epoch.number, epoch.salt())
}

/// The first and the last ciphertext of each cell of a field.
pub type Spans = Vec<(i64, i64)>;

#[cfg(test)]
mod tests;
