//! Secrets shared among holders: any `k` of the shares give the secret, fewer tell nothing.
//!
//! A credential or a key is split by Shamir's scheme over GF(2^8), and every share is sealed under its
//! holder's own key, with another cipher from one holder to the next. So a thief needs `k` shares *and*
//! what opens each of them.
//!
//! ```text
//! share i = head || nonce || AEAD(child(key of holder i, "share", set || i), nonce, f(i), head)
//! head    = "MOPSESHR", version, set, k, i    f(0) = secret || SHA-256(secret), f random of degree k - 1
//! ```
//!
//! The set is a random number that binds the shares of one secret together. The digest tells a share that
//! its own holder made up. A share is as long as the secret, a digest and a head; it shows that length.
//!
//! # Sources
//!
//! A. Shamir, "How to Share a Secret", Communications of the ACM 22 (1979), in the crate `vsss-rs`, whose
//! coefficients are uniform since version 6.0.1.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use crate::cipher::{Algorithm, Error, aes_gcm, aes_gcm_siv, chacha20_poly1305, envelope};
use crate::keys::{self, Key, Purpose, fill_random};
use crate::stop;
use crate::wire::{Kind, Reader, Writer};

/// The cipher of each share, in turns; all take a key of 32 bytes.
static CIPHERS: [&Algorithm; 4] = [
    &aes_gcm_siv::AES_256,
    &chacha20_poly1305::XCHACHA20,
    &aes_gcm::AES_256,
    &chacha20_poly1305::CHACHA20,
];

/// What stands in front of a sealed share.
struct Head {
    set: [u8; 16],
    threshold: u8,
    number: u8,
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Share);
        writer.raw(&self.set).u8(self.threshold).u8(self.number);
        writer.0
    }

    fn key(&self, holder: &Key) -> Key {
        let label = [&self.set[..], &[self.number]].concat();
        holder.child(Purpose::Share, &label, 0)
    }

    fn cipher(&self) -> &'static Algorithm {
        CIPHERS[usize::from(self.number) % CIPHERS.len()]
    }
}

/// Bytes of a secret that are shared between two looks whether to go on: what each costs grows with the
/// threshold and with the number of shares.
fn at_once(threshold: usize, shares: usize) -> usize {
    ((1 << 16) / (threshold * shares)).max(1)
}

/// Splits a secret into one sealed share per holder, of which `threshold` give it back.
///
/// # Errors
///
/// [`Error::Holders`] if there are not 2 to 255, [`Error::Threshold`] if it is not 2 to that number,
/// [`Error::Secret`] if it is empty or longer than a mebibyte, [`Error::SameHolder`] if one key is given
/// twice, which makes fewer holders than there seem to be, [`Error::Keys`].
pub fn split(secret: &[u8], threshold: usize, holders: &[Key]) -> Result<Vec<Vec<u8>>, Error> {
    if !(2..=255).contains(&holders.len()) {
        return Err(Error::Holders { got: holders.len() });
    }
    if !(2..=holders.len()).contains(&threshold) {
        return Err(Error::Threshold { got: threshold });
    }
    if !(1..=1 << 20).contains(&secret.len()) {
        return Err(Error::Secret { got: secret.len() });
    }
    let is_known = |at: usize| {
        holders[..at].iter().any(|other| other.expose().ct_eq(holders[at].expose()).into())
    };
    if let Some(position) = (1..holders.len()).find(|&at| is_known(at)) {
        return Err(Error::SameHolder { position });
    }
    let mut random = Zeroizing::new([0; 32]);
    let mut set = [0; 16];
    fill_random(random.as_mut_slice())?;
    fill_random(&mut set)?;
    let shared = Zeroizing::new([secret, &Sha256::digest(secret)].concat());
    let mut random = ChaCha20Rng::from_seed(*random);
    let room = || Zeroizing::new(Vec::with_capacity(1 + shared.len()));
    let mut shares: Vec<Zeroizing<Vec<u8>>> = holders.iter().map(|_| room()).collect();
    stop::expect(shared.len());
    for piece in shared.chunks(at_once(threshold, holders.len())) {
        stop::check();
        let parts = Gf256::split_bytes(threshold, holders.len(), piece, &mut random)
            .map(Zeroizing::new)
            .map_err(|_| keys::Error::Randomness)?;
        for (share, part) in shares.iter_mut().zip(parts.iter()) {
            // Each part begins with the number of its share.
            let from = usize::from(!share.is_empty());
            share.extend_from_slice(&part[from..]);
        }
        stop::advance(piece.len());
    }
    let threshold = u8::try_from(threshold).map_err(|_| keys::Error::Randomness)?;
    shares
        .iter()
        .zip(holders)
        .map(|(share, holder)| {
            let (&number, value) = share.split_first().ok_or(keys::Error::Randomness)?;
            let head = Head { set, threshold, number };
            let mut nonce = vec![0; head.cipher().nonce_len];
            fill_random(&mut nonce)?;
            let cipher = head.cipher().with_key(head.key(holder).expose())?;
            let head = head.encode();
            Ok([&head[..], &envelope::seal(&*cipher, &nonce, &head, value)?].concat())
        })
        .collect()
}

/// Returns the secret of enough shares, each with its holder's key.
///
/// # Errors
///
/// [`Error::Share`] names the first share that does not open, is given twice, or is of another secret;
/// [`wire::Error::Format`](crate::wire::Error::Format) and [`wire::Error::Version`](crate::wire::Error::Version) for one that is malformed; [`Error::TooFewShares`];
/// [`Error::Decryption`] if a holder made up a share.
pub fn join(shares: &[(&[u8], &Key)]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut opened: Zeroizing<Vec<Vec<u8>>> = Zeroizing::default();
    let mut first: Option<Head> = None;
    for (position, (share, holder)) in shares.iter().enumerate() {
        let fault = Error::Share { position };
        let mut reader = Reader::new(share, Kind::Share)?;
        let head = Head { set: reader.array()?, threshold: reader.u8()?, number: reader.u8()? };
        let sealed = &share[reader.position()..];
        if sealed.len() < head.cipher().nonce_len {
            return Err(reader.fault().into());
        }
        let cipher = head.cipher().with_key(head.key(holder).expose())?;
        let value = envelope::open(&*cipher, &head.encode(), sealed).map_err(|_| fault.clone())?;
        let value = [&[head.number], &Zeroizing::new(value)[..]].concat();
        let of_other = first.as_ref().is_some_and(|first| first.set != head.set);
        let is_known = opened.iter().any(|other| other[0] == head.number);
        opened.push(value);
        if of_other || is_known {
            return Err(fault);
        }
        first.get_or_insert(head);
    }
    let needed = first.map_or(2, |head| usize::from(head.threshold));
    if opened.len() < needed {
        return Err(Error::TooFewShares { needed, got: opened.len() });
    }
    let length = opened.first().map_or(0, Vec::len);
    if opened.iter().any(|share| share.len() != length) {
        return Err(Error::Decryption);
    }
    let mut shared = Zeroizing::new(Vec::with_capacity(length));
    let step = at_once(opened.len(), opened.len());
    stop::expect(length);
    for from in (1..length).step_by(step) {
        stop::check();
        let to = length.min(from + step);
        let part = |share: &Vec<u8>| [&share[..1], &share[from..to]].concat();
        let parts: Zeroizing<Vec<Vec<u8>>> = Zeroizing::new(opened.iter().map(part).collect());
        let piece =
            Gf256::combine_bytes(&*parts).map(Zeroizing::new).map_err(|_| Error::Decryption)?;
        shared.extend_from_slice(&piece);
        stop::advance(to - from);
    }
    let (secret, digest) = shared.split_last_chunk::<32>().ok_or(Error::Decryption)?;
    if !bool::from(Sha256::digest(secret).ct_eq(digest)) {
        return Err(Error::Decryption);
    }
    Ok(Zeroizing::new(secret.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire;

    fn malformed(position: usize) -> Error {
        wire::Error::Format { what: Kind::Share.name(), position }.into()
    }

    fn holders(count: u8) -> Vec<Key> {
        (0..count).map(|byte| Key::from_bytes(&[byte; 32]).unwrap()).collect()
    }

    fn joined(shares: &[Vec<u8>], keys: &[Key], chosen: &[usize]) -> Result<Vec<u8>, Error> {
        let chosen: Vec<(&[u8], &Key)> =
            chosen.iter().map(|&at| (shares[at].as_slice(), &keys[at])).collect();
        join(&chosen).map(|secret| secret.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_shares_from_the_threshold_on_give_the_secret_and_fewer_none(
            secret in proptest::collection::vec(any::<u8>(), 1..60),
            (count, threshold) in (2_u8..9).prop_flat_map(|n| (Just(n), 2..=usize::from(n))),
            chosen in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let keys = holders(count);
            let shares = split(&secret, threshold, &keys).unwrap();
            let mut chosen = chosen;
            chosen.retain(|&at| at < usize::from(count));
            for taken in 0..=chosen.len() {
                let found = joined(&shares, &keys, &chosen[..taken]);
                if taken >= threshold {
                    prop_assert_eq!(found.unwrap(), secret.clone());
                } else {
                    let needed = if taken == 0 { 2 } else { threshold };
                    prop_assert_eq!(found, Err(Error::TooFewShares { needed, got: taken }));
                }
            }
        }
    }

    #[test]
    fn one_share_less_than_needed_tells_nothing() {
        // The value of a share is uniform: of 4,096 shares of one secret no byte is off by more than
        // six standard deviations (false alarm below 1e-6).
        let mut counts = [0_u32; 256];
        let keys = holders(2);
        for _ in 0..4096 {
            let share = &split(&[0x5a], 2, &keys).unwrap()[0];
            let head =
                Head { set: share[9..25].try_into().unwrap(), threshold: 2, number: share[26] };
            let cipher = head.cipher().with_key(head.key(&keys[0]).expose()).unwrap();
            let value = envelope::open(&*cipher, &head.encode(), &share[27..]).unwrap();
            counts[usize::from(value[0])] += 1;
        }
        assert!(counts.iter().all(|&count| count < 16 + 6 * 4 + 8), "{counts:?}");
    }

    #[test]
    fn neighbouring_shares_are_sealed_with_different_ciphers() {
        let shares = split(b"secret", 2, &holders(4)).unwrap();
        let lengths: Vec<usize> = shares.iter().map(Vec::len).collect();
        assert_eq!(lengths, [27 + 24 + 54, 27 + 12 + 54, 27 + 12 + 54, 27 + 12 + 54]);
    }

    #[test]
    fn every_changed_or_missing_byte_is_refused() {
        let keys = holders(2);
        let shares = split(b"secret", 2, &keys).unwrap();
        for at in 0..shares[1].len() {
            let mut changed = shares.clone();
            changed[1][at] ^= 1;
            let error = joined(&changed, &keys, &[0, 1]).unwrap_err();
            match at {
                0..8 => assert_eq!(error, malformed(0)),
                8 => assert_eq!(
                    error,
                    Error::Wire(wire::Error::Version { what: Kind::Share.name(), got: 0 })
                ),
                _ => assert_eq!(error, Error::Share { position: 1 }, "byte {at}"),
            }
            changed[1] = shares[1][..at].to_vec();
            assert!(joined(&changed, &keys, &[0, 1]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn shares_of_other_secrets_holders_or_given_twice_are_refused() {
        let keys = holders(3);
        let (one, two) = (split(b"one", 2, &keys).unwrap(), split(b"two", 2, &keys).unwrap());
        let mixed = [one[0].clone(), two[1].clone(), one[2].clone()];
        assert_eq!(joined(&mixed, &keys, &[0, 1]), Err(Error::Share { position: 1 }));
        assert_eq!(joined(&one, &keys, &[0, 0]), Err(Error::Share { position: 1 }));
        let swapped = [one[1].clone(), one[0].clone()];
        assert_eq!(joined(&swapped, &keys, &[0, 1]), Err(Error::Share { position: 0 }));
    }

    #[test]
    fn a_share_that_its_holder_made_up_is_noticed() {
        let keys = holders(2);
        let mut shares = split(b"secret", 2, &keys).unwrap();
        let set = shares[1][9..25].try_into().unwrap();
        let head = Head { set, threshold: 2, number: shares[1][26] };
        let nonce = vec![0; head.cipher().nonce_len];
        let cipher = head.cipher().with_key(head.key(&keys[1]).expose()).unwrap();
        let sealed = envelope::seal(&*cipher, &nonce, &head.encode(), &[7; 6 + 32]).unwrap();
        shares[1] = [head.encode(), sealed].concat();
        assert_eq!(joined(&shares, &keys, &[0, 1]), Err(Error::Decryption));
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let keys = holders(3);
        assert_eq!(split(b"x", 2, &keys[..1]), Err(Error::Holders { got: 1 }));
        assert_eq!(split(b"x", 1, &keys), Err(Error::Threshold { got: 1 }));
        assert_eq!(split(b"x", 4, &keys), Err(Error::Threshold { got: 4 }));
        assert_eq!(split(b"", 2, &keys), Err(Error::Secret { got: 0 }));
        let twice = [keys[0].clone(), keys[1].clone(), keys[2].clone(), keys[1].clone()];
        assert_eq!(split(b"x", 2, &twice), Err(Error::SameHolder { position: 3 }));
        let got = (1 << 20) + 1;
        assert_eq!(split(&vec![0; got], 2, &keys), Err(Error::Secret { got }));
    }
}
