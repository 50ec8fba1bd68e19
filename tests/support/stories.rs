//! The stories that the scripts tell, made anew: whoever adds one adds a line to [`ALL`].
//!
//! Owners have fixed root keys and seeds, so that announcements, uploads, removals and queries are the same
//! every time; only what seals attachments is random.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use mopse::keys::Key;
use mopse::message::certificate::Owner;
use mopse::party::uploading::{Change, Versions};
use mopse::party::{Keyring, Range};
use mopse::schema::{Field, Kind, Schema};

use crate::oracle::{
    Desk, NOW, World, call_count, call_enroll, call_fetch, call_find, call_notes, call_receive,
    call_search, change, delete, query, upload,
};
use crate::scene::{age, sbp, schema};
use crate::scripts::{Call, Hex, Script};

type Story = fn() -> Script;

/// Every story: the name of its script, and what tells it.
pub const ALL: &[(&str, Story)] = &[
    ("announcements", announcements),
    ("attachments", attachments),
    ("behind", behind),
    ("changes", changes),
    ("epochs", epochs),
    ("expired", expired),
    ("foreign", foreign),
    ("lost", lost),
    ("owners", owners),
    ("portions", portions),
    ("ranges", ranges),
    ("readers", readers),
    ("removal", removal),
    ("renewal", renewal),
    ("replay", replay),
    ("spent", spent),
    ("tree", tree),
];

fn everything() -> Range {
    age(0, 120)
}

/// The owner with this byte as its root key, thirty-two times over, and as its seed.
fn owner(byte: u8) -> Keyring {
    Keyring::insecure(Key::from_bytes(&[byte; 32]).unwrap(), schema())
}

fn announcements() -> Script {
    let mut world = World::new(
        "Announcements: what continues an authority's chain is kept, and a fork or an older one refused.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    let mut other = crate::stories::owner(1);
    other.authorize("hospital", &[]).unwrap();
    other.authorize("clinic", &[]).unwrap();
    other.announcements().unwrap();
    other.revoke(&["hospital"]).unwrap();

    let sent = upload(&hospital, &[(1, 40, None)]);
    world.refuse("Nobody is served", call_receive(sent.message.clone()), "NotEnrolled");
    let unknown = query(&hospital, &[everything()]);
    world.refuse("Nobody is served", call_search(unknown), "NotEnrolled");
    let nobody = Call::Announcements { owner: Hex(owner.owner().0.to_vec()) };
    world.refuse("Nobody has announced anything", nobody, "NotEnrolled");
    world.enroll("The owner is served", &mut owner);
    world.receive("What was refused is taken", sent);
    world.enroll("The same announcement changes nothing", &mut owner);
    world.search("What was sent is still there", &hospital, &[everything()], 1);
    let older = owner.announcements().unwrap();
    owner.revoke(&["clinic"]).unwrap();
    let renewed = owner.authorize("hospital", &[]).unwrap();
    let early = upload(&renewed, &[(2, 41, None)]);
    let call = call_receive(early.message.clone());
    world.refuse("The cloud does not know of the next epoch yet", call.clone(), "Epoch");
    world.enroll("The next announcement", &mut owner);
    world.enroll("The same again", &mut owner);
    world.refuse("An older announcement", call_enroll(older.clone()), "Older");
    let fork = other.announcements().unwrap();
    world.refuse("Another of the same number", call_enroll(fork), "Fork");
    let late = upload(&hospital, &[(2, 41, None)]);
    world.refuse("The newer one holds", call_receive(late.message), "Epoch");
    world.receive("The newer one holds", early);
    let announced = world.announcements("What a keyring catches up with", owner.owner());
    assert!(other.catch_up(&announced).unwrap());
    other.authorize("lab", &[]).unwrap();
    world.enroll("The other keyring has caught up, and goes on", &mut other);
    let behind = owner.announcements().unwrap();
    world.refuse("The first one is older now", call_enroll(behind), "Older");
    let mut flipped = other.announcements().unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    world.refuse("A changed announcement", call_enroll(flipped), "Signature");
    world.refuse("An announcement is no upload", call_receive(older), "Format");
    world.search("Both epochs are found", &other, &[everything()], 2);

    let mut hospital = other.authorize("hospital", &[]).unwrap();
    let ward = hospital.authorize("ward", &[]).unwrap();
    world.enroll("A provider announces who is below it", &mut hospital);
    world.receive("Of the ward", upload(&ward, &[(1, 43, None)]));
    let announced = world.announcements("Two authorities", other.owner());
    assert!(other.catch_up(&announced).unwrap());
    world.search("Both groups are found", &other, &[everything()], 3);
    world.show("At the end");
    world.into_script()
}

fn behind() -> Script {
    let mut world = World::new(
        "Behind: who has missed an announcement is told so, rather than given an answer without somebody.",
    );
    let mut owner = owner(1);
    let unaware = crate::stories::owner(1);
    world.enroll("The owner, before there is anybody", &mut owner);
    world.search("Nobody is there", &owner, &[everything()], 0);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    world.enroll("The hospital", &mut owner);
    let mut old = crate::stories::owner(1);
    old.catch_up(&world.announcements("For a copy of the owner", owner.owner())).unwrap();
    let mut informed = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    world.enroll("The ward", &mut owner);
    world.receive("Of the ward", upload(&ward, &[(1, 40, None)]));
    for (about, by) in [
        ("Who knows nobody", &unaware),
        ("Who does not know of the ward's group", &old),
        ("The hospital, which does not either", &hospital),
    ] {
        let asked = query(by, &[everything()]);
        world.refuse(about, call_search(asked.clone()), "Behind");
        world.refuse(about, call_count(asked), "Behind");
    }
    world.lookup("The hospital looks its own records up", &hospital, "hospital", &[1], 0);
    world.search("The owner knows", &owner, &[everything()], 1);
    let announced = world.announcements("For the others", owner.owner());
    informed.catch_up(&announced).unwrap();
    world.search("The hospital has caught up", &informed, &[everything()], 1);
    old.catch_up(&announced).unwrap();
    world.search("So has the copy", &old, &[everything()], 1);
    owner.authorize("lab", &["hospital"]).unwrap();
    owner.announcements().unwrap();
    world.search("Who knows more than the cloud is answered", &owner, &[everything()], 1);
    world.into_script()
}

fn changes() -> Script {
    let mut world = World::new(
        "Changes: rows are replaced, removed and there again; who names another version than the newest is \
         refused, by the first such row.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let rows =
        [(1, 40, Some(120)), (2, 50, None), (3, 60, Some(140)), (4, 61, None), (5, 62, Some(90))];
    world.receive("Five records", upload(&hospital, &rows));
    world.receive(
        "The same ids at another provider",
        upload(&clinic, &[(1, 41, None), (2, 51, None)]),
    );
    let none = Versions::default();
    let first = world.lookup("Versions of the first two", &hospital, "hospital", &[1, 2], 2);
    world.receive(
        "One is replaced",
        change(&hospital, &[(2, 52, Some(130))], Change::Update, &first),
    );
    world.search("The new value", &owner, &[age(52, 52), sbp(130, 130)], 1);
    world.search("Not the old one", &owner, &[age(50, 50)], 0);
    world.show("One of two uploads has a row less");
    let stale = change(&hospital, &[(2, 53, None)], Change::Update, &first);
    world.refuse("A version that is not the newest", call_receive(stale.message), "Changed");
    let stale = delete(&hospital, &[2], &first);
    world.refuse("Nor to remove it", call_receive(stale.message), "Changed");
    let stale = change(&hospital, &[(2, 53, None)], Change::Add, &none);
    world.refuse("It is stored already", call_receive(stale.message), "Stored");
    let all = [(1, 42, None), (2, 53, None)];
    let stale = change(&hospital, &all, Change::Update, &first);
    world.refuse("One of two is not the newest", call_receive(stale.message), "Changed");
    world.search("Neither has changed", &owner, &[age(40, 40)], 1);

    let second = world.lookup("Versions again", &hospital, "hospital", &[1, 2, 9], 2);
    world.receive("Two are removed", delete(&hospital, &[1, 2], &second));
    world.show("Two have left");
    let late = change(&hospital, &[(2, 54, None)], Change::Update, &second);
    world.refuse("It was removed since", call_receive(late.message), "Changed");
    let late = delete(&hospital, &[2], &second);
    world.refuse("It is not there to be removed", call_receive(late.message), "NotStored");
    let late = change(&hospital, &[(2, 55, None)], Change::Add, &none);
    world.refuse("The tombstone must be named", call_receive(late.message), "Changed");
    let third = world.lookup("Tombstones are told", &owner, "hospital", &[1, 2, 3], 1);
    let third = {
        let by_provider = world.lookup("To the provider too", &hospital, "hospital", &[1, 2], 0);
        drop(third);
        by_provider
    };
    world.receive(
        "There again, over its tombstone",
        change(&hospital, &[(2, 56, Some(110)), (7, 70, None)], Change::Add, &third),
    );
    let late = change(&hospital, &[(2, 57, None)], Change::Add, &third);
    world.refuse("That tombstone is gone", call_receive(late.message), "Changed");
    let elsewhere = change(&clinic, &[(9, 57, None)], Change::Add, &third);
    world.receive("A version of another's is of no matter", elsewhere);
    world.lookup("One is back", &hospital, "hospital", &[1, 2], 1);
    let rest = world.lookup("All that are left", &hospital, "hospital", &[2, 3, 4, 5, 7], 5);
    world.receive("All are removed", delete(&hospital, &[2, 3, 4, 5, 7], &rest));
    world.search("Nothing is left of it, no layout either", &hospital, &[everything()], 0);
    world.search("The clinic's are there", &owner, &[everything()], 3);
    world.lookup("Six tombstones", &hospital, "hospital", &[1, 2, 3, 4, 5, 7], 0);
    world.show("At the end");
    world.into_script()
}

fn renewal() -> Script {
    let mut world = World::new(
        "Renewal: a provider seals its rows of earlier epochs anew, and removes the old ones.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    owner.authorize("clinic", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let rows = [(1, 40, Some(120)), (2, 50, None), (3, 60, Some(140))];
    world.receive("Three records", upload(&hospital, &rows));
    world.receive("Another", upload(&hospital, &[(4, 70, None)]));
    owner.revoke(&["clinic"]).unwrap();
    world.enroll("The clinic is removed", &mut owner);
    let renewed = owner.authorize("hospital", &[]).unwrap();
    world.search("It finds its rows of both epochs", &renewed, &[everything()], 4);
    let table = [&rows[..], &[(4, 70, None)]].concat();
    let old = world.lookup("By their ids too", &renewed, "hospital", &[2, 4], 2);
    world.receive("One is removed where it is", delete(&renewed, &[4], &old));
    let [sent] =
        <[_; 1]>::try_from(world.renewal("All that are left", &renewed, &table, 3)).ok().unwrap();
    let message = sent.message.clone();
    world.receive("They are sealed anew", sent);
    world.again("And once only", &message);
    world.search("With their values", &owner, &[sbp(120, 140)], 2);
    assert!(world.renewal("Nothing is left of the old epoch", &renewed, &table, 0).is_empty());
    let versions =
        world.lookup("The new ones, and the old tombstones", &renewed, "hospital", &[1, 4], 1);
    world.receive(
        "An update of a new one",
        change(&renewed, &[(1, 41, Some(121))], Change::Update, &versions),
    );
    world.search("All of one epoch", &renewed, &[everything()], 3);
    world.show("At the end");
    world.into_script()
}

fn readers() -> Script {
    let mut world = World::new(
        "Readers: once a reader has left, nothing is taken that is sealed for it; the rows before stay.",
    );
    let mut owner = owner(1);
    let mut hospital = Desk::from(owner.authorize("hospital", &[]).unwrap());
    world.enroll("The owner", &mut owner);
    world.receive("Of the hospital", upload(&hospital.keyring, &[(1, 40, None)]));
    owner.renew_readers(&[]).unwrap();
    let before = upload(&hospital.keyring, &[(2, 50, None)]);
    world.receive("The cloud does not know yet", before);
    world.enroll("A reader has left", &mut owner);
    let late = upload(&hospital.keyring, &[(3, 60, None)]);
    world.refuse("Sealed for who left", call_receive(late.message), "Readers");
    let late = hospital.attach(1, 1, &[]).message;
    world.refuse("A file that is", call_receive(late), "Readers");
    hospital.keyring.catch_up(&world.announcements("For the hospital", owner.owner())).unwrap();
    world.receive("Sealed for who stayed", upload(&hospital.keyring, &[(3, 61, None)]));
    world.attach("A file that is", hospital.attach(1, 1, &["x-ray"]));
    world.search("All are found", &owner, &[everything()], 3);
    world.show("One group");
    world.into_script()
}

fn portions() -> Script {
    let mut world = World::new("Portions: columns are sealed apart, and come as they were sent.");
    let mut owner = owner(1);
    let mut hospital = owner.authorize("hospital", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let portions: Vec<(String, Vec<String>)> = [("text", &["n"][..]), ("vitals", &["age", "sbp"])]
        .map(|(name, columns)| (name.to_owned(), columns.iter().map(ToString::to_string).collect()))
        .into();
    hospital.declare_portions(portions.clone()).unwrap();
    let sent = upload(&hospital, &[(1, 40, Some(120)), (2, 50, None)]);
    world.receive("Three portions", sent);
    hospital.declare_portions(Vec::new()).unwrap();
    world.receive("One", upload(&hospital, &[(3, 60, None)]));
    world.search("Each as it was sent", &owner, &[everything()], 3);
    let versions = world.lookup("Their versions", &hospital, "hospital", &[1, 2, 3], 3);
    hospital.declare_portions(portions[1..].to_vec()).unwrap();
    let sent = change(&hospital, &[(1, 41, None), (3, 61, None)], Change::Update, &versions);
    world.receive("Replaced by two portions", sent);
    world.search("Each as it was sent", &owner, &[everything()], 3);
    world.show("Bytes of all portions");
    world.into_script()
}

fn owners() -> Script {
    let mut world = World::new("Two owners with providers of the same names share nothing.");
    let (mut one, mut two) = (owner(1), owner(2));
    let of_one = one.authorize("hospital", &[]).unwrap();
    let of_two = two.authorize("hospital", &[]).unwrap();
    world.enroll("The first owner", &mut one);
    let sent = upload(&of_two, &[(1, 40, Some(120)), (3, 60, None)]);
    world.refuse("The second is not served yet", call_receive(sent.message.clone()), "NotEnrolled");
    world.enroll("The second owner", &mut two);
    world.receive("The first owner's hospital", upload(&of_one, &[(1, 40, None), (2, 50, None)]));
    world.receive("The second's, with the same id", sent);
    world.search("The first owner finds its own", &one, &[age(40, 50)], 2);
    world.search("The second owner finds its own", &two, &[age(40, 60)], 2);
    let (mut desk_one, mut desk_two) = (Desk::from(of_one), Desk::from(of_two));
    world.attach("A file of the first", desk_one.attach(1, 3, &["x-ray"]));
    let of_two = desk_two.attach(1, 5, &["x-ray"]);
    let number = of_two.number();
    world.attach("A file of the second", of_two);
    world.find("The first finds its own", &one, &["x-ray"], 1);
    world.find("The second finds its own", &two, &["x-ray"], 1);
    let foreign = one.fetch_file(number, NOW).unwrap();
    world.refuse("The second's file for the first", call_fetch(foreign), "UnknownFile");
    world.fetch("The second's file for the second", &two, number);
    world.show("Two of everything");
    let provider = "hospital".to_owned();
    let call = Call::Remove { announcement: None, provider };
    world.refuse("Whose hospital?", call, "WhichOwner");
    world.remove("The second's hospital", &mut two, true, "hospital");
    world.search("Nothing is left, no layout either", &two, &[everything()], 0);
    world.find("No file is left", &two, &["x-ray"], 0);
    world.search("The first keeps all", &one, &[everything()], 2);
    world.find("The first keeps its file", &one, &["x-ray"], 1);
    world.show("One of everything");
    world.into_script()
}

fn tree() -> Script {
    let mut world = World::new(
        "A tree of depth three: an owner searches every group, a provider its own records and the \
         groups below it.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let desk = owner.authorize("desk", &["hospital", "ward"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let informed = owner.authorize("hospital", &[]).unwrap();
    let informed_ward = owner.authorize("ward", &["hospital"]).unwrap();
    world.search("An empty cloud has no layout", &owner, &[everything()], 0);
    world.receive("Of the desk", upload(&desk, &[(1, 30, Some(110)), (2, 31, None)]));
    world.receive("Of the clinic", upload(&clinic, &[(1, 40, Some(120)), (2, 41, Some(90))]));
    world.receive("Of the hospital", upload(&hospital, &[(1, 42, Some(130))]));
    world.receive("Of the ward", upload(&ward, &[(1, 43, Some(140)), (3, 32, None)]));
    world.receive("More of the clinic", upload(&clinic, &[(3, 44, Some(150))]));
    world.search("The owner finds all", &owner, &[everything()], 8);
    world.search("The owner, some of every group", &owner, &[age(31, 43)], 6);
    world.count("The owner counts", &owner, &[age(31, 43), sbp(100, 300)]);
    world.search("The clinic finds its own only", &clinic, &[age(40, 43)], 2);
    world.search("The clinic has two uploads", &clinic, &[sbp(0, 300)], 3);
    let asked = query(&hospital, &[everything()]);
    world.refuse("A hospital that knows nobody below", call_search(asked), "Behind");
    world.search("A hospital that knows them", &informed, &[everything()], 5);
    world.search("The ward finds its own and the desk's", &informed_ward, &[everything()], 4);
    world.search("The desk finds its own", &desk, &[age(31, 31)], 1);
    world.count("The desk counts", &desk, &[everything()]);
    world.show("Three groups");
    world.into_script()
}

fn ranges() -> Script {
    let mut world = World::new(
        "Ranges: conjunctions, open ends, missing values, and empty answers that carry a layout.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let rows = [(1, 0, Some(0)), (2, 120, Some(300)), (3, 50, None), (4, 50, Some(150))];
    world
        .receive("Both ends of the domains, and a value that is missing", upload(&hospital, &rows));
    world.receive("No value of a field at all", upload(&clinic, &[(1, 50, None), (2, 60, None)]));
    let ask = |world: &mut World, about: &str, ranges: &[Range], records| {
        world.search(about, &owner, ranges, records);
    };
    ask(&mut world, "Everything", &[everything()], 6);
    ask(&mut world, "Everything that has a pressure", &[sbp(0, 300)], 3);
    ask(&mut world, "Open to the left", &[age(0, 50)], 4);
    ask(&mut world, "Open to the right", &[age(50, 120)], 5);
    ask(&mut world, "One value", &[age(50, 50)], 3);
    ask(&mut world, "The lowest value", &[age(0, 0)], 1);
    ask(&mut world, "The highest value", &[age(120, 120)], 1);
    ask(&mut world, "Two ranges", &[age(50, 120), sbp(0, 300)], 2);
    ask(&mut world, "Two ranges of which one is full", &[everything(), sbp(150, 299)], 1);
    ask(&mut world, "Two ranges that no record is in", &[age(0, 0), sbp(151, 300)], 0);
    ask(&mut world, "Nothing, but a layout of the newest upload", &[age(1, 2)], 0);
    ask(&mut world, "Nothing of the conjunction", &[age(0, 0), sbp(1, 300)], 0);
    world.search("Nothing of its own", &hospital, &[age(60, 60)], 0);
    world.search("Nothing of a field without values", &clinic, &[sbp(0, 300)], 0);
    world.count("Counted: one range", &owner, &[age(50, 50)]);
    world.count("Counted: two", &owner, &[age(50, 50), sbp(0, 300)]);
    world.count("Counted: none", &owner, &[age(1, 2)]);
    world.show("A field that some lack");
    world.into_script()
}

fn replay() -> Script {
    let mut world = World::new(
        "Repeats: an upload is taken once, in whatever order, and acknowledged when it comes again; a \
         number is never used for something else.",
    );
    let (mut owner, mut twin) = (owner(1), owner(1));
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let same = twin.authorize("hospital", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let first = upload(&hospital, &[(1, 40, None), (2, 50, Some(120))]);
    let second = upload(&hospital, &[(3, 60, None)]);
    let (of_first, of_second) = (first.message.clone(), second.message.clone());
    world.receive("The second", second);
    world.receive("The first", first);
    world.again("The first again", &of_first);
    world.again("The second again", &of_second);
    let twice = upload(&hospital, &[(4, 60, None), (2, 50, None)]);
    world.refuse("A record that is stored", call_receive(twice.message), "Stored");
    world.receive("The same id at another provider", upload(&clinic, &[(1, 40, None)]));
    // From one seed, so that it has the number of the first.
    let other = upload(&same, &[(1, 41, None), (2, 51, Some(121))]);
    world.refuse("Its number with other contents", call_receive(other.message), "Id");
    world.search("Every record once", &owner, &[everything()], 4);
    let versions = world.lookup("To change the first", &hospital, "hospital", &[1], 1);
    world
        .receive("One is replaced", change(&hospital, &[(1, 42, None)], Change::Update, &versions));
    world.again("The first again, which brings nothing back", &of_first);
    world.search("The newer value", &owner, &[age(42, 42)], 1);
    world.show("At the end");
    world.into_script()
}

fn removal() -> Script {
    let mut world = World::new(
        "Removal: all that a provider sent is gone, does not come back by replay, and more can come; a \
         signed one is carried out once.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let hospital_now = owner.authorize("hospital", &[]).unwrap();
    let of_hospital = [(1, 40, Some(120)), (2, 50, None)];
    let first = upload(&hospital, &of_hospital);
    let replayed = call_receive(first.message.clone());
    world.receive("Of the hospital", first);
    world.receive("Of the clinic", upload(&clinic, &[(1, 45, Some(130)), (3, 55, None)]));
    world.receive("More of the hospital", upload(&hospital, &[(3, 60, Some(140))]));
    world.receive("Of the ward", upload(&ward, &[(1, 65, None)]));
    world.receive("More of the clinic", upload(&clinic, &[(4, 41, None)]));
    let versions = world.lookup("For a tombstone", &hospital, "hospital", &[2], 1);
    world.receive("One of the hospital's leaves", delete(&hospital, &[2], &versions));
    world.search("Before", &owner, &[age(40, 60)], 5);
    let nobody = Call::Remove { announcement: None, provider: "nobody".to_owned() };
    world.refuse("Nobody of that name", nobody, "NothingStored");
    world.remove("The only owner's hospital, and nobody below it", &mut owner, false, "hospital");
    world.search("After", &owner, &[everything()], 4);
    world.search("Its own are gone, layout and all", &hospital_now, &[age(0, 50)], 0);
    world.show("After");
    let again = Call::Remove { announcement: None, provider: "hospital".to_owned() };
    world.refuse("It is gone already", again, "NothingStored");
    world.refuse("What it sent does not come back", replayed.clone(), "Replay");
    world.receive(
        "The same records anew, also the one that had left",
        upload(&hospital, &of_hospital),
    );
    world.search("They come last now", &owner, &[age(40, 60)], 5);
    world.show("With what came after");
    world.remove("The ward, by its path", &mut owner, true, "hospital/ward");
    world.search("Its group is empty", &owner, &[everything()], 5);
    world.show("Without a group");

    let removal =
        world.receive_removal("The owner signs that the hospital's go", &owner, "hospital");
    world.search("They are gone", &owner, &[everything()], 3);
    world.receive("More of the hospital", upload(&hospital, &[(6, 80, None)]));
    world.again("The removal again, which removes nothing", &removal);
    world.refuse("The first does not come back", replayed, "Replay");
    world.search("What came since is there", &owner, &[age(80, 80)], 1);
    world.receive_removal("The hospital removes its own", &hospital, "hospital");
    world.receive_removal("There is nothing of the ward", &owner, "hospital/ward");
    let mut flipped = removal.clone();
    *flipped.last_mut().unwrap() ^= 1;
    world.refuse("A changed removal", call_receive(flipped), "Signature");
    world.show("The clinic's are left");
    world.into_script()
}

fn epochs() -> Script {
    let mut world = World::new(
        "Epochs: after a removal is announced, old keys are refused, old groups stay searchable, and \
         groups of one name are kept apart by the epochs above them.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    let clinic = owner.authorize("clinic", &[]).unwrap();
    let old_hospital = owner.authorize("hospital", &[]).unwrap();
    world.enroll("Epoch 0", &mut owner);
    world.receive("Of the hospital", upload(&hospital, &[(1, 40, None), (2, 50, Some(120))]));
    world.receive("Of the ward", upload(&ward, &[(1, 41, None), (3, 61, Some(130))]));
    world.receive("Of the clinic", upload(&clinic, &[(1, 42, None)]));
    let (mut hospital, mut clinic) = (Desk::from(hospital), Desk::from(clinic));
    world.attach("A file of the hospital", hospital.attach(1, 2, &["x-ray"]));
    let of_clinic = clinic.attach(1, 2, &["x-ray"]);
    let number = of_clinic.number();
    world.attach("A file of the clinic", of_clinic);

    owner.revoke(&["clinic"]).unwrap();
    world.receive("The cloud does not know yet", upload(&clinic.keyring, &[(2, 52, None)]));
    world.enroll("The clinic is removed: epoch 1", &mut owner);
    for (about, left) in [
        ("The clinic", &clinic.keyring),
        ("The hospital's old keys", &hospital.keyring),
        ("The ward's old keys", &ward),
    ] {
        let late = upload(left, &[(9, 90, None)]);
        world.refuse(about, call_receive(late.message), "Epoch");
    }
    let late = hospital.attach(1, 1, &[]).message;
    world.refuse("A file under old keys", call_receive(late), "Epoch");
    let late = hospital.keyring.removal("hospital").unwrap();
    world.refuse("A removal under old keys", call_receive(late), "Epoch");
    let asked = query(&old_hospital, &[everything()]);
    world.refuse("A query under old keys", call_search(asked.clone()), "Epoch");
    world.refuse("A query under old keys, counted", call_count(asked), "Epoch");
    let asked = old_hospital.search_files(&[b"x-ray"], NOW).unwrap();
    world.refuse("A request under old keys", call_find(asked), "Epoch");
    world.search("The owner finds the old groups", &owner, &[everything()], 6);

    let renewed = owner.authorize("hospital", &[]).unwrap();
    let ward = owner.authorize("ward", &["hospital"]).unwrap();
    world.receive("The same id in the new epoch", upload(&renewed, &[(1, 43, None)]));
    world.receive("The ward below the new epoch", upload(&ward, &[(1, 44, Some(140))]));
    world.search("One token for each group and epoch", &owner, &[age(40, 45)], 5);
    world.search("Ranges of both epochs", &owner, &[sbp(0, 300)], 3);
    let informed = owner.authorize("hospital", &[]).unwrap();
    world.search("The renewed hospital finds both epochs", &informed, &[everything()], 6);
    world.search("The renewed ward finds its own", &ward, &[everything()], 3);
    let mut renewed = Desk::from(renewed);
    world.attach("A file in the new epoch", renewed.attach(1, 4, &["x-ray"]));
    world.find("The owner finds the files of both", &owner, &["x-ray"], 3);
    world.find("The renewed hospital finds both", &renewed.keyring, &["x-ray"], 2);
    world.fetch("A file of the clinic is still there", &owner, number);
    world.show("Two groups of one name");
    world.remove("The hospital, in both epochs", &mut owner, true, "hospital");
    world.find("The clinic's file is left", &owner, &["x-ray"], 1);
    world.search("The wards are left", &owner, &[age(40, 45)], 3);
    world.show("After the removal");
    world.into_script()
}

fn attachments() -> Script {
    let mut world = World::new(
        "Attachments: found by keywords and by records, fetched one at a time, in reach only.",
    );
    let mut owner = owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let mut ward = Desk::from(owner.authorize("ward", &["hospital"]).unwrap());
    let mut clinic = Desk::from(owner.authorize("clinic", &[]).unwrap());
    let informed = owner.authorize("hospital", &[]).unwrap();
    let mut hospital = Desk::from(hospital);
    world.enroll("The owner", &mut owner);
    world.find("Nothing yet", &owner, &["x-ray"], 0);
    let first = hospital.attach(1, 3, &["x-ray", "chest"]);
    let again = call_receive(first.message.clone());
    let (number, of_one) = (first.number(), first.handle());
    world.attach("Two keywords", first);
    world.attach("Another record, one keyword", hospital.attach(2, 4, &["x-ray"]));
    let second = hospital.attach(1, 0, &["chest", "x-ray"]);
    world.attach("The first record again, an empty file", second);
    let plain = hospital.attach(3, 6, &[]);
    let (unnamed, of_three) = (plain.number(), plain.handle());
    world.attach("No keyword", plain);
    world.attach("Of the ward", ward.attach(1, 7, &["x-ray"]));
    let of_clinic = clinic.attach(1, 8, &["x-ray", "hand"]);
    let foreign = of_clinic.number();
    let of_clinics_one = of_clinic.handle();
    world.attach("Of the clinic", of_clinic);
    world.refuse("The same bytes", again, "StoredFile");
    world.find("The owner finds all", &owner, &["x-ray"], 5);
    world.find("Both keywords", &owner, &["x-ray", "chest"], 2);
    world.find("Both, the other way round", &owner, &["chest", "x-ray"], 2);
    world.find("Two that never meet", &owner, &["chest", "hand"], 0);
    world.find("A keyword that nobody used", &owner, &["x-rays"], 0);
    world.find("One known and one unknown", &owner, &["x-ray", "x-rays"], 0);
    world.find("The ward finds its own", &ward.keyring, &["x-ray"], 1);
    world.find("The hospital and its ward", &informed, &["x-ray"], 4);
    let (of_hospital, of_clinic) = (hospital.keyring.node(), clinic.keyring.node());
    world.list("By record", &owner, &[(of_hospital, &[of_one])], 2);
    let records: &[(_, &[u128])] =
        &[(of_clinic, &[of_clinics_one]), (of_hospital, &[of_three, 5, of_one])];
    world.list("By records of two, one unknown", &owner, records, 4);
    world.list("Another's pseudonym", &owner, &[(of_clinic, &[of_one])], 0);
    world.fetch("With its body", &owner, number);
    world.fetch("By the hospital itself", &hospital.keyring, unnamed);
    let out_of_reach = hospital.keyring.fetch_file(foreign, NOW).unwrap();
    world.refuse("The clinic's, for the hospital", call_fetch(out_of_reach), "Scope");
    let unknown = owner.fetch_file(number ^ 1, NOW).unwrap();
    world.refuse("There is none of that number", call_fetch(unknown), "UnknownFile");
    let keywords = owner.search_files(&[b"x-ray"], NOW).unwrap();
    world.refuse(
        "A request by keywords is for no single file",
        call_fetch(keywords),
        "UnknownFile",
    );
    let keywords = owner.search_files(&[b"x-ray"], NOW).unwrap();
    world.refuse("A request by keywords is for no notes", call_notes(keywords), "NoNotes");
    let notes = hospital.keyring.request_notes(NOW).unwrap();
    world.refuse("One for notes is for no file", call_fetch(notes), "UnknownFile");
    world.list_notes("The hospital's notes", &hospital.keyring, 4);
    world.list_notes("The ward's", &ward.keyring, 1);
    let mut stale = Desk::from(owner.authorize("hospital", &[]).unwrap());
    let repeated = stale.attach(2, 1, &["x-ray", "new"]).message;
    world.refuse("An outdated keyring repeats a label", call_receive(repeated), "StoredKeyword");
    world.find("Its other keyword was not taken", &owner, &["new"], 0);
    world.catch_up("It catches up", &mut stale);
    world.attach("And attaches again", stale.attach(2, 1, &["x-ray", "new"]));
    world.find("Which is found", &owner, &["new", "x-ray"], 1);
    let behind = hospital.attach(2, 1, &["x-ray"]).message;
    world.refuse("The other keyring is outdated now", call_receive(behind), "StoredKeyword");
    world.catch_up("It catches up", &mut hospital);
    world.attach("And attaches again", hospital.attach(2, 1, &["x-ray"]));
    world.find("Everything is found", &owner, &["x-ray"], 7);
    let mut elsewhere = Desk::from(owner.authorize("hospital", &[]).unwrap());
    let notes = vec![elsewhere.attach(1, 1, &["y-ray"]).note()];
    elsewhere.learn(notes);
    let ahead = elsewhere.attach(1, 1, &["y-ray"]).message;
    world.refuse("Counted on from another cloud", call_receive(ahead), "UnknownBase");
    world.find("It was not taken", &owner, &["y-ray"], 0);
    world.catch_up("It catches up with this one", &mut elsewhere);
    world.attach("And attaches again", elsewhere.attach(1, 1, &["y-ray"]));
    world.find("Which is found", &owner, &["y-ray"], 1);
    world.show("At the end");
    world.into_script()
}

fn lost() -> Script {
    let mut world = World::new(
        "Lost attachments: fewer than sixteen of those a keyring made may be missing, or it catches up.",
    );
    let mut owner = owner(1);
    let mut hospital = Desk::from(owner.authorize("hospital", &[]).unwrap());
    world.enroll("The owner", &mut owner);
    let lose = |hospital: &mut Desk, count: usize| {
        (0..count).map(|_| hospital.attach(1, 0, &["x-ray"])).collect::<Vec<_>>()
    };
    let mut before = lose(&mut hospital, 15);
    world.attach("After fifteen that are lost", hospital.attach(1, 1, &["x-ray"]));
    world.find("It is found", &owner, &["x-ray"], 1);
    world.attach("Another", hospital.attach(2, 1, &["x-ray", "chest"]));
    let between = lose(&mut hospital, 1);
    let refused = hospital.attach(3, 1, &["x-ray", "chest"]);
    let again = call_receive(refused.message.clone());
    world.refuse("Sixteen are missing, in two places", again.clone(), "LostFiles");
    world.find("It was not taken", &owner, &["chest"], 1);
    world.attach("One of the fifteen comes after all", before.remove(8));
    world.attach("Fifteen are missing: the same bytes are taken", refused);
    world.refuse("Once", again, "StoredFile");
    world.find("All are found", &owner, &["x-ray"], 4);
    let plain = hospital.attach(3, 1, &[]);
    world.attach("One without keywords", plain);
    drop(lose(&mut hospital, 16));
    let late = hospital.attach(4, 1, &["chest"]).message;
    world.refuse("Sixteen in a row are missing", call_receive(late), "LostFiles");
    let late = hospital.attach(4, 1, &[]).message;
    world.refuse("Also for one without keywords", call_receive(late), "LostFiles");
    world.catch_up("It catches up", &mut hospital);
    world.attach("And attaches again", hospital.attach(4, 1, &["x-ray", "chest"]));
    world.find("It is found", &owner, &["x-ray", "chest"], 3);
    for late in before.into_iter().step_by(5).chain(between) {
        world.attach("Some of those that were lost come late", late);
    }
    world.find("In the order of their uses", &owner, &["x-ray"], 9);
    world.show("At the end");
    world.into_script()
}

fn spent() -> Script {
    let mut world = World::new(
        "Removed attachments: numbers and labels are never used again, and what comes later is found.",
    );
    let mut owner = owner(1);
    let mut hospital = Desk::from(owner.authorize("hospital", &[]).unwrap());
    let mut ward = Desk::from(owner.authorize("ward", &["hospital"]).unwrap());
    let mut clinic = Desk::from(owner.authorize("clinic", &[]).unwrap());
    world.enroll("The owner", &mut owner);
    let first = hospital.attach(1, 3, &["x-ray", "chest"]);
    let again = call_receive(first.message.clone());
    let (number, handle) = (first.number(), first.handle());
    world.attach("Of the hospital", first);
    world.attach("Another", hospital.attach(2, 4, &["x-ray"]));
    world.attach("Of the clinic", clinic.attach(1, 5, &["x-ray"]));
    world.attach("Of the ward", ward.attach(1, 2, &["x-ray", "chest"]));
    world.remove("The hospital's files", &mut owner, false, "hospital");
    world.show("No uploads, two files");
    world.find("The clinic's and the ward's are left", &owner, &["x-ray"], 2);
    let asked = owner.fetch_file(number, NOW).unwrap();
    world.refuse("The first is gone", call_fetch(asked), "UnknownFile");
    let node = hospital.keyring.node().clone();
    world.list("By its record too", &owner, &[(&node, &[handle])], 0);
    world.refuse("It does not come back", again.clone(), "StoredFile");
    world.list_notes("Notes are still there", &hospital.keyring, 2);
    let mut stale = Desk::from(owner.authorize("hospital", &[]).unwrap());
    let repeated = stale.attach(2, 1, &["chest"]).message;
    world.refuse("A label that is spent", call_receive(repeated), "StoredKeyword");
    world.attach("What comes later", hospital.attach(1, 6, &["x-ray", "chest"]));
    world.find("Is found", &owner, &["x-ray", "chest"], 2);
    world.find("By either keyword", &owner, &["x-ray"], 3);
    world.list("By its record", &owner, &[(&node, &[handle])], 1);
    world.receive("A record besides", upload(&hospital.keyring, &[(1, 40, None)]));
    world.remove("Records and files", &mut owner, true, "hospital");
    world.refuse("It does not come back, still", again, "StoredFile");
    world.list_notes("Notes of all that ever came", &hospital.keyring, 3);
    world.catch_up("The stale keyring catches up", &mut stale);
    world.attach("What it attaches comes after what is gone", stale.attach(1, 2, &["x-ray"]));
    world.find("Is found too", &owner, &["x-ray"], 3);
    world.show("At the end");
    world.into_script()
}

fn expired() -> Script {
    let mut world = World::new("Tokens and requests end: at their last second they are answered.");
    let mut owner = owner(1);
    let mut hospital = Desk::from(owner.authorize("hospital", &[]).unwrap());
    world.enroll("The owner", &mut owner);
    world.receive("Of the hospital", upload(&hospital.keyring, &[(1, 40, None)]));
    let file = hospital.attach(1, 3, &["x-ray"]);
    let number = file.number();
    world.attach("A file", file);
    world.search("At the last second", &owner, &[everything()], 1);
    world.find("At the last second", &owner, &["x-ray"], 1);
    world.fetch("At the last second", &owner, number);
    let asked = Hex(query(&owner, &[everything()]));
    let now = NOW + 1;
    let call = Call::Search { message: asked.clone(), now };
    world.refuse("A query, a second late", call, "Expired");
    world.refuse("Counted, a second late", Call::Count { message: asked, now }, "Expired");
    let asked = Hex(owner.search_files(&[b"x-ray"], NOW).unwrap());
    world.refuse("A request, a second late", Call::Find { message: asked, now }, "Expired");
    let asked = Hex(hospital.keyring.request_notes(NOW).unwrap());
    world.refuse("Notes, a second late", Call::Notes { message: asked, now }, "Expired");
    let asked = Hex(owner.fetch_file(number, NOW).unwrap());
    world.refuse("A file, a second late", Call::Fetch { message: asked, now }, "Expired");
    world.into_script()
}

/// Makes a call of a message.
type ByBytes = fn(Vec<u8>) -> Call;

/// The same fields as everywhere, and one more.
fn another_schema() -> Schema {
    let field = |maximum| Field::new(Kind::Number, 0.0, maximum, 1.0, None).unwrap();
    let fields = [("age", 120.0), ("sbp", 300.0), ("bmi", 99.0)];
    Schema::new(fields.map(|(name, maximum)| (name.into(), field(maximum))).into()).unwrap()
}

fn foreign() -> Script {
    let mut world = World::new(
        "Bytes that are cut, changed, of another kind, or of somebody else are refused by the first \
         thing that is wrong.",
    );
    let mut owner = owner(1);
    let mut hospital = Desk::from(owner.authorize("hospital", &[]).unwrap());
    let mut stranger = crate::stories::owner(2);
    let mut of_stranger = Desk::from(stranger.authorize("hospital", &[]).unwrap());
    let key = Key::from_bytes(&[1; 32]).unwrap();
    let mut changed = Keyring::insecure(key, another_schema());
    let of_changed = changed.authorize("hospital", &[]).unwrap();
    world.enroll("The owner", &mut owner);
    let sent = upload(&hospital.keyring, &[(1, 40, None)]);
    let file = hospital.attach(1, 3, &["x-ray"]);
    let number = file.number();
    let asked = query(&owner, &[everything()]);
    let request = owner.search_files(&[b"x-ray"], NOW).unwrap();
    let fetch = owner.fetch_file(number, NOW).unwrap();
    let removal = owner.removal("hospital").unwrap();
    let announced = owner.announcements().unwrap();
    let messages: [(&str, &[u8], ByBytes); 7] = [
        ("An upload", &sent.message, call_receive),
        ("An attachment", &file.message, call_receive),
        ("A query", &asked, call_search),
        ("A removal", &removal, call_receive),
        ("An announcement", &announced, call_enroll),
        ("A request", &request, call_find),
        ("A request for a file", &fetch, call_fetch),
    ];
    for (about, message, call) in messages {
        let cut = message[..message.len() - 1].to_vec();
        world.refuse(&format!("{about}, cut short"), call(cut), "Format");
        let longer = [message, &[0]].concat();
        world.refuse(&format!("{about} and a byte more"), call(longer), "Format");
        let mut flipped = message.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        world.refuse(&format!("{about}, its signature changed"), call(flipped), "Signature");
        let mut version = message.to_vec();
        version[8] = 9;
        world.refuse(&format!("{about} of an unknown version"), call(version), "Version");
    }
    for (about, message, call) in &messages[..2] {
        let mut other = message.to_vec();
        other[9] ^= 1;
        world.refuse(&format!("{about} under another owner"), call(other), "NotEnrolled");
    }
    world.refuse("No bytes", call_receive(Vec::new()), "Format");
    world.refuse("No bytes at all to search", call_search(Vec::new()), "Format");
    world.refuse("A query is no upload", call_receive(asked.clone()), "Format");
    world.refuse("An upload is no query", call_search(sent.message.clone()), "Format");
    world.refuse("A request is no query", call_search(request), "Format");
    world.refuse("A query is no request", call_find(asked.clone()), "Format");
    world.refuse("An attachment is no request", call_fetch(file.message.clone()), "Format");
    world.refuse("An upload is no announcement", call_enroll(sent.message.clone()), "Format");

    let strange = upload(&of_stranger.keyring, &[(1, 40, None)]);
    world.refuse("A stranger's upload", call_receive(strange.message), "NotEnrolled");
    let strange = of_stranger.attach(1, 3, &[]);
    world.refuse("A stranger's attachment", call_receive(strange.message), "NotEnrolled");
    let strange = stranger.removal("hospital").unwrap();
    world.refuse("A stranger's removal", call_receive(strange), "NotEnrolled");
    let strange = query(&stranger, &[everything()]);
    world.refuse("A stranger's query", call_search(strange.clone()), "NotEnrolled");
    world.refuse("A stranger's query, counted", call_count(strange.clone()), "NotEnrolled");
    let strange = stranger.search_files(&[b"x-ray"], NOW).unwrap();
    world.refuse("A stranger's request", call_find(strange), "NotEnrolled");
    let other = upload(&of_changed, &[(1, 40, None)]);
    world.refuse("An upload of another schema", call_receive(other.message), "OtherSchema");
    let other = query(&of_changed, &[everything()]);
    world.refuse("A query of another schema", call_search(other), "OtherSchema");
    world.show("Nothing came in");
    world.receive("Unchanged, they are taken", sent);
    world.attach("Unchanged, they are taken", file);
    world.search("And found", &owner, &[everything()], 1);
    world.search("A query of no token finds nothing", &owner, &[], 0);
    let unknown = Call::Announcements { owner: Hex(Owner([7; 32]).0.to_vec()) };
    world.refuse("Nobody knows this owner", unknown, "NotEnrolled");
    world.into_script()
}
