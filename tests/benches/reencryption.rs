//! Re-encryption in pairings of the same run, as lines of `task, pairings, milliseconds`.
//!
//! The quickest of some calls, beside the quickest pairing between them, so that other work on the machine cancels
//! out.

use std::hint::black_box;
use std::time::Instant;

use mopse::party::shares::Scope;
use mopse::party::{self, Keyring};
use mopse::schema::{Field, Kind, Schema};
use mopse::sharing::pairing::{G1, G2, Gt, Scalar};
use mopse::sharing::reencryption::published::{
    self, Access, Ciphertext, Files, Keys, Released, Server, attacks,
};
use mopse::sharing::reencryption::{self, Envelope, Label, Proxy};
use mopse::sharing::user::{Algorithm, User};
use mopse::sharing::{self, Error};

/// Calls of what takes long.
const FEW: u32 = 7;

/// Calls of what does not.
const MANY: u32 = 60;

fn main() -> Result<(), Error> {
    groups()?;
    keys()?;
    for bytes in [0, 64 << 10, 1 << 20] {
        records(bytes)?;
    }
    grants()
}

fn seconds<T>(call: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(call());
    start.elapsed().as_secs_f64()
}

/// Prints what the quickest of some calls takes.
fn report<T>(task: &str, calls: u32, mut call: impl FnMut() -> T) {
    let (one, other) = (G1::generator(), G2::generator());
    let (mut least, mut pairing) = (f64::MAX, f64::MAX);
    for _ in 0..calls {
        for _ in 0..4 {
            pairing = pairing.min(seconds(|| Gt::pairing(black_box(&one), &other)));
        }
        least = least.min(seconds(&mut call));
    }
    println!("{task}\t{:.3}\t{:.3}", least / pairing, least * 1e3);
}

/// The groups.
fn groups() -> Result<(), Error> {
    let scalar = Scalar::generate()?;
    let (one, other) = (G1::generator().power(&scalar), G2::generator().power(&scalar));
    let paired = Gt::pairing(&one, &other);
    let (short, long, target) = (one.encode(), other.encode(), paired.encode());
    report("pairing", MANY, || Gt::pairing(&one, &other));
    report("power in G1", MANY, || one.power(&scalar));
    report("power in G2", MANY, || other.power(&scalar));
    report("power in GT", MANY, || paired.power(&scalar));
    report("read G1", MANY, || G1::decode(&short, "it"));
    report("read G2", MANY, || G2::decode(&long, "it"));
    report("read GT", MANY, || Gt::decode(&target, "it"));
    report("1000 products in the field", MANY, || {
        (0..1000).fold(*paired.element(), |product, _| product.times(paired.element()))
    });
    Ok(())
}

/// Grants that are wrapped once, beside grants that are sealed to each user.
fn grants() -> Result<(), Error> {
    let field = Field::new(Kind::Number, 0.0, 120.0, 1.0, None).map_err(party::Error::from)?;
    let schema = Schema::new(vec![("age".into(), field)]).map_err(party::Error::from)?;
    let mut owner = Keyring::generate(schema)?;
    owner.authorize("hospital", &[])?;
    let label = Label::of(&owner, "hospital", "rest", None)?;
    let keys = reencryption::Keys::generate()?;
    let (public, name) = (keys.public().encode().to_vec(), keys.public().name());
    let envelope = Envelope::wrap(&owner, &label, u64::MAX)?;
    let key = reencryption::Key::make(&owner, &label, keys.public())?;
    let (sent, to_proxy) = (envelope.encode().to_vec(), key.encode().to_vec());
    let mut proxy = Proxy::new();
    proxy.receive(&key);
    let released = proxy.re_encrypt(&envelope, &name)?;
    let answer = released.encode();
    let scalar = Scalar::generate()?;
    let a = reencryption::scalar(&owner, &label)?;
    report("capsule and what it closes, by tables", 20, || {
        (G1::of_generator(&a.times(&scalar)), Gt::of_generator(&scalar))
    });
    report("the same, without tables", 20, || {
        (G1::generator().power(&a.times(&scalar)), Gt::generator().power(&scalar))
    });
    report("envelope, whole", 20, || Envelope::wrap(&owner, &label, u64::MAX));
    report("read a public key, with its proof", 20, || reencryption::Public::decode(&public));
    report("re-encryption key, of a public key that was read", 20, || {
        reencryption::Key::make(&owner, &label, keys.public())
    });
    report("read a re-encryption key", 20, || reencryption::Key::decode(&to_proxy));
    report("re-encrypt, from bytes to bytes", 20, || {
        Ok::<_, Error>(proxy.re_encrypt(&Envelope::decode(&sent)?, &name)?.encode())
    });
    report("open, of an envelope that was read", 20, || {
        keys.open(&envelope, &reencryption::Released::decode(&answer)?)
    });
    report("open, from bytes to a grant", 20, || {
        keys.open(&Envelope::decode(&sent)?, &reencryption::Released::decode(&answer)?)
    });
    for algorithm in [Algorithm::X25519, Algorithm::XWing] {
        let (user, provider) = (User::generate(algorithm)?, "hospital".to_owned());
        let portions = Some(vec!["rest".to_owned()]);
        let scope = Scope { provider, ids: None, portions, end: u64::MAX };
        let sealed = sharing::share(&mut owner, user.public(), scope.clone())?;
        report(&format!("share with a user, {algorithm:?}"), 20, || {
            sharing::share(&mut owner, user.public(), scope.clone())
        });
        report(&format!("open what is shared, {algorithm:?}"), 20, || user.open(&sealed));
        println!("bytes of what is shared with a user, {algorithm:?}\t{}", sealed.len());
    }
    println!("bytes of an envelope\t{}", sent.len());
    println!("bytes of a re-encryption key\t{}", to_proxy.len());
    println!("bytes of an answer of the proxy\t{}", answer.len());
    Ok(())
}

/// Key generation.
fn keys() -> Result<(), Error> {
    for users in [10, 100, 1000] {
        let names: Vec<String> = (0..users).map(|user| format!("user {user}")).collect();
        report(&format!("keys of {users} users"), FEW, || {
            let mut server = Server::new();
            names
                .iter()
                .try_for_each(|name| server.join(name, "physician", Files::All, 0).map(drop))
        });
    }
    Ok(())
}

fn records(bytes: usize) -> Result<(), Error> {
    let mut server = Server::new();
    let portions = ["medical".to_owned()].into();
    let roles = [("physician".to_owned(), ["medical".to_owned()].into())].into();
    let owner = server.enroll("ann", Access { portions, roles })?;
    let user = server.join("ben", "physician", Files::All, 0)?;
    let plaintext = vec![b'x'; bytes];
    let (ciphertext, capsule) = owner.encrypt("visit", "medical", &plaintext)?;
    let label =
        published::Label { owner: "ann".into(), file: "visit".into(), portion: "medical".into() };
    server.receive("ann", capsule, 0)?;
    let (sent, released) = (ciphertext.encode(), server.release(&label, "ben")?.encode());
    let size = bytes >> 10;
    report(&format!("encrypt {size} KiB"), FEW, || encrypt(&owner, &plaintext));
    report("re-encryption key", MANY, || server.re_encryption_key("ann", "ben"));
    report("re-encrypt, with its key", MANY, || server.release(&label, "ben"));
    report(&format!("decrypt {size} KiB"), FEW, || {
        user.open(&Ciphertext::decode(&sent)?, &Released::decode(&released)?)
    });
    report(&format!("read {size} KiB by its norm"), FEW, || attacks::by_norm(&ciphertext));
    println!("bytes of a ciphertext of {size} KiB\t{}", sent.len());
    Ok(())
}

fn encrypt(owner: &Keys, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let (ciphertext, _) = owner.encrypt("visit", "medical", plaintext)?;
    Ok(ciphertext.encode())
}
