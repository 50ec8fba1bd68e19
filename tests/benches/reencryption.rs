//! Re-encryption in pairings of the same run, as lines of `task, pairings, milliseconds`.
//!
//! The least of some repeats, each beside a pairing of its own, so that other work on the machine cancels out.

use std::hint::black_box;
use std::time::Instant;

use mopse::sharing::Error;
use mopse::sharing::pairing::{G1, G2, Gt, Scalar};
use mopse::sharing::reencryption::published::{
    Access, Ciphertext, Files, Keys, Label, Released, Server, attacks,
};

const REPEATS: usize = 7;

fn main() -> Result<(), Error> {
    groups()?;
    keys()?;
    for bytes in [64 << 10, 1 << 20] {
        records(bytes)?;
    }
    Ok(())
}

fn seconds<T>(call: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(call());
    start.elapsed().as_secs_f64()
}

/// Prints what one of `times` calls takes.
fn report<T>(task: &str, times: u32, mut call: impl FnMut() -> T) {
    let (one, other) = (G1::generator(), G2::generator());
    let (mut least, mut pairing) = (f64::MAX, f64::MAX);
    for _ in 0..REPEATS {
        for _ in 0..4 {
            pairing = pairing.min(seconds(|| Gt::pairing(black_box(&one), &other)));
        }
        let took = seconds(|| (0..times).for_each(|_| drop(black_box(call()))));
        least = least.min(took / f64::from(times));
    }
    println!("{task}\t{:.3}\t{:.3}", least / pairing, least * 1e3);
}

/// The groups.
fn groups() -> Result<(), Error> {
    let scalar = Scalar::generate()?;
    let (one, other) = (G1::generator().power(&scalar), G2::generator().power(&scalar));
    let paired = Gt::pairing(&one, &other);
    let (short, long, target) = (one.encode(), other.encode(), paired.encode());
    report("pairing", 20, || Gt::pairing(&one, &other));
    report("power in G1", 20, || one.power(&scalar));
    report("power in G2", 20, || other.power(&scalar));
    report("power in GT", 20, || paired.power(&scalar));
    report("read G1", 20, || G1::decode(&short, "it"));
    report("read G2", 20, || G2::decode(&long, "it"));
    report("read GT", 20, || Gt::decode(&target, "it"));
    report("product in the field", 1000, || paired.element().times(paired.element()));
    Ok(())
}

/// Key generation.
fn keys() -> Result<(), Error> {
    for users in [10, 100, 1000] {
        let names: Vec<String> = (0..users).map(|user| format!("user {user}")).collect();
        report(&format!("keys of {users} users"), 1, || {
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
    let label = Label { owner: "ann".into(), file: "visit".into(), portion: "medical".into() };
    server.receive("ann", capsule, 0)?;
    let (sent, released) = (ciphertext.encode(), server.release(&label, "ben")?.encode());
    let size = bytes >> 10;
    report(&format!("encrypt {size} KiB"), 1, || encrypt(&owner, &plaintext));
    report("re-encryption key", 1, || server.re_encryption_key("ann", "ben"));
    report("re-encrypt, with its key", 1, || server.release(&label, "ben"));
    report(&format!("decrypt {size} KiB"), 1, || {
        user.open(&Ciphertext::decode(&sent)?, &Released::decode(&released)?)
    });
    report(&format!("read {size} KiB by its norm"), 1, || attacks::by_norm(&ciphertext));
    println!("bytes of a ciphertext of {size} KiB\t{}", sent.len());
    Ok(())
}

fn encrypt(owner: &Keys, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let (ciphertext, _) = owner.encrypt("visit", "medical", plaintext)?;
    Ok(ciphertext.encode())
}
