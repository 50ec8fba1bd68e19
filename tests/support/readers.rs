//! What the tests of sharing share: an owner with two providers, and users who read.
#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use mopse::keys::Key;
use mopse::message::answer::Part;
use mopse::party::Keyring;
use mopse::party::grants::Grants;
use mopse::party::shares::Scope;
use mopse::sharing::user::{Algorithm, User};

use crate::scene::{Cloud, NOW, Row, age, ask, owner, schema, upload};

/// What each provider has.
pub const ROWS: [Row; 3] = [(1, 40, Some(150)), (2, 50, None), (3, 60, Some(120))];

/// The user of a byte.
pub fn user(byte: u8, algorithm: Algorithm) -> User {
    User::of(algorithm, Key::from_bytes(&[byte; 32]).unwrap())
}

/// All that a provider has, for ever.
pub fn all_of(provider: &str) -> Scope {
    Scope { provider: provider.to_owned(), ids: None, portions: None, end: u64::MAX }
}

/// An owner with a hospital and a clinic, each with records, and their cloud.
pub struct Scene {
    pub owner: Keyring,
    pub hospital: Keyring,
    pub clinic: Keyring,
    pub cloud: Cloud,
}

/// A new scene.
pub fn scene() -> Scene {
    let mut owner = owner(1);
    let [hospital, clinic] = ["hospital", "clinic"].map(|name| owner.authorize(name, &[]).unwrap());
    let cloud = Cloud::of(&mut owner);
    for provider in [&hospital, &clinic] {
        cloud.receive(&upload(provider, &ROWS)).unwrap();
    }
    Scene { owner, hospital, clinic, cloud }
}

impl Scene {
    /// All that is stored.
    pub fn parts(&self) -> Vec<Part> {
        self.cloud.answer(&ask(&self.owner, &[age(0, 120)])).unwrap().parts
    }

    /// How many records of each part some grants open; none where they open nothing of it.
    pub fn opened(&self, grants: &Grants) -> Vec<(String, Option<usize>)> {
        let open = |part: &Part| {
            let opened = grants.open_part(part, &[age(0, 120)], &schema(), NOW);
            (part.provider.path(), opened.ok().map(|opened| opened.handles.len()))
        };
        let mut all: Vec<_> = self.parts().iter().map(open).collect();
        all.sort();
        all
    }

    /// How many records some grants open.
    pub fn count(&self, grants: &Grants) -> usize {
        self.opened(grants).into_iter().filter_map(|(_, count)| count).sum()
    }

    /// Tells the cloud, and the cloud the providers, what the owner announces.
    pub fn announce(&mut self) {
        self.cloud.enroll(&mut self.owner);
        let announced = self.cloud.gate.announcements(&self.owner.owner()).unwrap();
        for provider in [&mut self.hospital, &mut self.clinic] {
            provider.catch_up(&announced).unwrap();
        }
    }
}

/// A user, and what it opens.
pub struct Holder(pub User, pub Grants);

impl Holder {
    /// The user of a byte, which was given nothing.
    pub fn new(byte: u8) -> Self {
        Self(user(byte, Algorithm::X25519), Grants::default())
    }

    /// Takes what it was given.
    pub fn accept(&mut self, sealed: &[u8]) {
        self.0.accept(&mut self.1, sealed, NOW).unwrap();
    }
}
