//! No key and no plaintext is left behind in memory that was freed.
//!
//! An allocator looks through every block that is freed, also where a buffer grows, for sixteen bytes of
//! each secret. What the caller keeps is not freed while it looks. Stacks and registers are not looked at.
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

#[path = "support/scene.rs"]
mod scene;

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use mopse::cipher::password::{self, Cost, Derivation};
use mopse::cipher::{aes_gcm, envelope, secret_sharing};
use mopse::keys::{Key, Purpose, fill_random};
use mopse::message::request::Request;
use mopse::message::upload::Upload;
use mopse::party::attaching::Attaching;
use mopse::party::columns::{Column, Values};
use mopse::party::grants::{Grant, Share};
use mopse::party::keyring::Keyring;
use mopse::party::records::{Ids, Origin};
use mopse::party::saved;
use mopse::party::uploading::{Change, Table, Versions};
use mopse::schema::{Field, Kind, Schema};
use mopse::wire::Packed;

/// Bytes of a secret that are looked for.
const SEEN: usize = 16;
/// Secrets that are looked for at most.
const MOST: usize = 256;

struct Watching;

#[global_allocator]
static ALLOCATOR: Watching = Watching;

static IS_ON: AtomicBool = AtomicBool::new(false);
static SECRETS: [AtomicU64; 2 * MOST] = [const { AtomicU64::new(0) }; 2 * MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static LEFT: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

// SAFETY: all is left to the system's allocator; a block that is freed is only read before.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeros, so that no byte is read that was never written.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if IS_ON.load(SeqCst) {
            look(unsafe { std::slice::from_raw_parts(block, layout.size()) });
        }
        unsafe { System.dealloc(block, layout) }
    }
    // Growing is allocating, copying and freeing, as the trait has it.
}

fn halves(secret: &[u8]) -> [u64; 2] {
    let half = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| secret[at + byte]));
    [half(0), half(8)]
}

fn look(block: &[u8]) {
    let count = COUNT.load(SeqCst);
    for window in block.windows(SEEN) {
        let [first, second] = halves(window);
        for at in 0..count {
            if SECRETS[2 * at].load(SeqCst) == first && SECRETS[2 * at + 1].load(SeqCst) == second {
                LEFT[at].store(true, SeqCst);
            }
        }
    }
}

/// Returns which secrets some work leaves in freed memory, by their positions.
fn left_behind(secrets: &[[u8; SEEN]], work: impl FnOnce()) -> Vec<usize> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (at, secret) in secrets.iter().enumerate() {
        let [first, second] = halves(secret);
        SECRETS[2 * at].store(first, SeqCst);
        SECRETS[2 * at + 1].store(second, SeqCst);
        LEFT[at].store(false, SeqCst);
    }
    COUNT.store(secrets.len(), SeqCst);
    IS_ON.store(true, SeqCst);
    work();
    IS_ON.store(false, SeqCst);
    (0..secrets.len()).filter(|&at| LEFT[at].load(SeqCst)).collect()
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    fill_random(&mut bytes).expect("the system gives randomness");
    bytes
}

fn seen(secret: &[u8]) -> [u8; SEEN] {
    secret[..SEEN].try_into().expect("secrets are longer")
}

fn seen_of(key: &Key) -> [u8; SEEN] {
    seen(key.expose())
}

const CHEAP: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
const PASSWORD: &[u8] = b"correct horse battery staple";

#[test]
fn what_is_freed_with_a_secret_in_it_is_noticed() {
    let secret = seen(&random());
    let left = left_behind(&[secret, seen(&random())], || {
        let mut grown = black_box(secret.to_vec());
        grown.extend([0; 100]);
        grown.fill(0);
        black_box(grown);
    });
    assert_eq!(left, [0]);
}

#[test]
fn saving_and_opening_a_keyring_leaves_no_key() {
    let fields: Vec<_> = (0..9)
        .map(|n| {
            (
                format!("field {n}"),
                Field::new(Kind::Number, 0.0, 99.0 + f64::from(n), 1.0, None).expect("a grid"),
            )
        })
        .collect();
    let schema = Schema::new(fields).expect("it has fields");
    let root = Key::from_bytes(&random()).expect("32 bytes");
    let mut secrets = vec![seen_of(&root), seen_of(&root.child(Purpose::Node, b"hospital", 0))];
    for (name, field) in schema.fields() {
        let length = u64::try_from(name.len()).expect("it is short");
        let label = [&length.to_le_bytes()[..], name.as_bytes(), &field.label()].concat();
        secrets.push(seen_of(&root.child(Purpose::Ruler, &label, 0)));
    }
    let left = left_behind(&secrets, || {
        let mut owner = Keyring::root(root.clone(), schema);
        let hospital = owner.authorize("hospital", &[]).expect("a good name");
        for number in 0..20 {
            owner.authorize(&format!("ward {number}"), &[]).expect("a good name");
        }
        owner.revoke(&["ward 0"]).expect("it is there");
        let renewed = owner.authorize("hospital", &[]).expect("it is there");
        for (keyring, kind) in [
            (&owner, saved::Kind::Owner),
            (&hospital, saved::Kind::Provider),
            (&renewed, saved::Kind::Provider),
        ] {
            let file = saved::seal(keyring, PASSWORD, CHEAP).expect("the cost is sane");
            drop(saved::open(&file, PASSWORD, kind).expect("it was just sealed"));
            assert!(saved::open(&file, b"wrong", kind).is_err());
        }
    });
    assert_eq!(left, [0; 0]);
}

#[test]
fn making_and_reading_grants_leaves_no_key() {
    let mut owner = scene::owner(7);
    let hospital = owner.authorize("hospital", &[]).expect("a good name");
    let ids: Vec<i64> = (0..100).collect();
    let key = Key::from_bytes(&[7; 32]).expect("32 bytes").child(Purpose::Node, b"hospital", 0);
    let record = key.child(Purpose::Record, b"", 0);
    let readers = record.child(Purpose::Portion, b"", 0);
    let mut secrets = vec![seen_of(&record), seen_of(&readers)];
    for name in ["rest", "files", "vitals"] {
        let portion = readers.child(Purpose::Portion, &[b"/", name.as_bytes()].concat(), 0);
        secrets.push(seen_of(&portion));
        let of = |label: &[u8]| seen_of(&portion.child(Purpose::Portion, label, 0));
        secrets.extend([b"layout".as_slice(), b"high", b"low"].map(of));
    }
    // A record's key is two blocks, of which the first is looked for.
    let portion = readers.child(Purpose::Portion, b"/rest", 0);
    let high = portion.child(Purpose::Portion, b"high", 0);
    let cipher = aes::Aes256Enc::new(high.expose().into());
    for handle in hospital.handles(Ids::Integers(&ids)) {
        let mut block = handle.to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        secrets.push(block.into());
    }
    let portions = ["rest".to_owned(), "vitals".to_owned()];
    let left = left_behind(&secrets, || {
        for (portions, ids) in [
            (None, None),
            (Some(&portions[..]), None),
            (Some(&portions[..]), Some(Ids::Integers(&ids))),
        ] {
            let share = Share { ids, portions, holder: b"", end: 1 };
            let bytes = hospital.grant(hospital.node(), &share).expect("it is its own");
            drop(Grant::decode(&bytes).expect("it was just made"));
        }
    });
    assert_eq!(left, [0; 0]);
}

#[test]
fn splitting_and_joining_a_secret_leaves_none() {
    let secret = [random(), random(), random()].concat();
    let keys = [random(), random(), random()].map(|key| Key::from_bytes(&key).expect("32 bytes"));
    let mut shares = Vec::new();
    let left = left_behind(&[seen(&secret), seen(&secret[40..])], || {
        shares = secret_sharing::split(&secret, 2, &keys).expect("two of three");
    });
    assert_eq!(left, [0; 0]);
    // Enough shares in the clear are as good as the secret.
    let (head, sealed) = shares[1].split_at(27);
    let sharing = keys[1].child(Purpose::Share, &[&head[9..25], &[head[26]]].concat(), 0);
    let cipher = aes_gcm::AES_256.with_key(sharing.expose()).expect("32 bytes");
    let share = envelope::open(&*cipher, head, sealed).expect("the second is under AES-GCM");
    let left = left_behind(&[seen(&secret), seen(&share), seen(&share[40..])], || {
        let given: Vec<(&[u8], &Key)> = shares.iter().map(Vec::as_slice).zip(&keys).collect();
        drop(secret_sharing::join(&given[1..]).expect("two are enough"));
    });
    assert_eq!(left, [0; 0]);
}

#[test]
fn sealing_and_opening_records_leaves_no_plaintext() {
    let hospital = scene::owner(7).authorize("hospital", &[]).expect("a good name");
    let notes: Vec<String> =
        (0..50).map(|row| format!("note {row:02}: {}", hex::encode(random()))).collect();
    let secrets: Vec<_> = notes.iter().map(|note| seen(note.as_bytes())).collect();
    let mut ends = Vec::new();
    for note in &notes {
        ends.push(ends.last().unwrap_or(&0) + note.len() as u64);
    }
    let (bytes, is_valid) = (notes.concat().into_bytes(), vec![true; notes.len()]);
    let ids: Vec<i64> = (0..50).collect();
    let columns = [Column {
        name: "note".into(),
        dtype: "String".into(),
        values: Values::Text(Packed::new(&ends[..], &bytes[..]).expect("the ends ascend")),
        is_valid: Cow::Borrowed(&is_valid),
    }];
    let mut kept = Vec::new();
    let left = left_behind(&secrets, || {
        let (ids, id) = (Ids::Integers(&ids), None);
        let table = Table { columns: &columns, ids, id, indexed: &[], now: 0 };
        let made = hospital.upload(&table, Change::Add, &Versions::default()).expect("ids differ");
        let sent = Upload::decode(&made.message).expect("it was just made");
        let Upload { owner, provider, readers, id, handles, portions, .. } = &sent;
        let opener = hospital.opener(provider, *readers).expect("it is its own");
        let origin = Origin { owner, provider, readers: *readers, upload: *id };
        kept = opener.open(origin, handles, portions).expect("its own");
    });
    assert_eq!(left, [0; 0]);
    assert_eq!(kept[0].rows(), 50);
}

#[test]
fn attaching_and_opening_a_file_by_pieces_leaves_neither_plaintext_nor_keyword() {
    let mut owner = scene::owner(7);
    let mut hospital = owner.authorize("hospital", &[]).expect("a good name");
    let cloud = scene::Cloud::of(&mut owner);
    let contents: Vec<u8> = (0..8192).flat_map(|_| random()).collect();
    let words = [random(), random()];
    let keywords: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
    let mut secrets: Vec<_> = contents.chunks(50_000).map(seen).collect();
    secrets.extend(words.iter().map(|word| seen(word)));
    let mut sealed = vec![0; Attaching::sealed_len(1 << 17)];
    let mut plaintext = vec![0; contents.len()];
    let left = left_behind(&secrets, || {
        let (id, called) = (Ids::Integers(&[1]), ("n", "a/b"));
        let cipher = &aes_gcm::AES_256;
        let begun = hospital.begin_attachment(id, cipher, called, 1 << 18, &keywords);
        let mut attaching = begun.expect("all is well");
        let mut message = attaching.head().to_vec();
        for piece in contents.chunks(1 << 17) {
            attaching.seal(piece, &mut sealed).expect("it is two segments");
            message.extend_from_slice(&sealed);
        }
        let (end, attachment) = hospital.end_attachment(attaching).expect("it is whole");
        message.extend(end);
        cloud.gate.receive(&message, scene::NOW).expect("the cloud takes it");
        let number = attachment.file.number;
        let request = owner.fetch_file(number, scene::NOW + 60).expect("it may be asked");
        let fetched = cloud.gate.fetch(&request, scene::NOW).expect("it is there");
        let request = Request::decode(&request).expect("it was just made");
        let (_, mut opening) = owner.opening(&fetched, &request).expect("it is its own");
        let mut at = 0;
        for piece in fetched.file.body.as_ref().expect("it was fetched").chunks(100_000) {
            at += opening.feed(piece, &mut plaintext[at..]).expect("it is genuine");
        }
        opening.end(&mut plaintext[at..]).expect("it is all");
    });
    assert_eq!(left, [0; 0]);
    assert!(plaintext == contents);
}

#[test]
fn messages_under_a_password_leave_neither_password_nor_key() {
    let (derivation, secret) = (Derivation::Argon2id(CHEAP), random());
    let plaintext = [secret, random()].concat();
    let password = hex::encode(random());
    let secrets = [seen(&plaintext), seen(&plaintext[40..]), seen(password.as_bytes())];
    let mut opened = Vec::new();
    let left = left_behind(&secrets, || {
        let password = password.as_bytes();
        let sealed = password::seal(password, derivation, &aes_gcm::AES_256, b"", &plaintext);
        let sealed = sealed.expect("the cost is sane");
        opened = password::open(password, b"", &sealed).expect("it was just sealed");
        assert!(password::open(b"wrong", b"", &sealed).is_err());
    });
    assert_eq!(left, [0; 0]);
    assert_eq!(opened, plaintext);
}
