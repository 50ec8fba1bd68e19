//! The crate `ope` beside this one, on the same values, as lines of `scheme, step, plaintexts,
//! values, bytes of a ciphertext, repeat, seconds`.
//!
//! Both encrypt one value at a time, each with a new function, so that none has a cache; they take
//! turns. `ope` has one domain, 65,534 plaintexts, and one range, below 2^32.

use std::hint::black_box;
use std::time::Instant;

use mopse::keys::Key;
use mopse::scheme::opse::Opse;

const DOMAIN: u64 = 65_534;
const VALUES: i64 = 2000;
const REPEATS: usize = 9;

fn main() {
    let values: Vec<i64> = (0..VALUES).map(|i| i * 32_749 % 65_533 + 1).collect();
    for repeat in 0..=REPEATS {
        let key = [u8::try_from(repeat).expect("few repeats"); 32];
        let ours = Opse::new(&Key::from_bytes(&key).expect("32 bytes"), DOMAIN).expect("a domain");
        let theirs = ope::get_ope(key[..16].try_into().expect("16 bytes"));
        let took =
            seconds(|| values.iter().map(|&x| ours.encrypt_one(x).expect("in the domain")).max());
        report("OPSE, Rust", 8, repeat, took);
        let took = seconds(|| {
            let encrypt = |&x: &i64| theirs.encrypt(x.cast_unsigned()).expect("in the domain");
            values.iter().map(encrypt).max()
        });
        report("ope 0.1.1, Rust", 4, repeat, took);
    }
}

fn seconds<T>(call: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(call());
    start.elapsed().as_secs_f64()
}

/// Prints a line; the first repeat warms up.
fn report(scheme: &str, size: usize, repeat: usize, seconds: f64) {
    if let Some(repeat) = repeat.checked_sub(1) {
        println!("{scheme}\tencrypt\t{DOMAIN}\t{VALUES}\t{size}\t{repeat}\t{seconds:e}");
    }
}
