use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::wire::Blobs;

fn all() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

/// Texts in which folds meet: letters with several marks, what goes, what becomes another.
fn typed() -> impl Strategy<Value = String> {
    let meeting: Vec<char> = "aAeIıİßẞςΣσʼnǰΐᾳᾼﬁKÅµ½™ª²カ゛ﾞ각ᄀ\u{1161}\u{11a8}\u{301}\u{308}\u{323}\u{345}\
        \u{307}\u{342}\u{34f}\u{ad}\u{200b}\u{200d}\u{feff}\u{fe0f}\u{3164} \u{a0}\u{3000}\t\n\u{b4}\u{a8}\
        `'’″\"«–-‑\u{2212}⁄\u{0}\u{1c}Ꭰꭰ\u{10400}\u{1d400}"
        .chars()
        .collect();
    let letter = prop_oneof![3 => prop::sample::select(meeting), 1 => any::<char>()];
    prop::collection::vec(letter, 0..9).prop_map(String::from_iter)
}

#[test]
fn the_tables_are_those_of_one_version() {
    assert_eq!(UNICODE, (18, 0, 0));
    assert_eq!(unicode_security::UNICODE_VERSION, (18, 0, 0));
    // ICU names no version, but it has the same characters.
    for letter in all() {
        let category = category_of(letter);
        let is_public =
            !matches!(category, GeneralCategory::Unassigned | GeneralCategory::PrivateUse);
        let known = unicode_normalization::char::is_public_assigned(letter);
        assert_eq!(is_public, known, "{letter:?}");
    }
}

#[test]
fn what_the_folds_make_of_every_character_is_pinned() {
    let mut digest = Sha256::new();
    for letter in all() {
        let text = letter.to_string();
        let (keyword, name) = (keyword(&text).unwrap_or_default(), name(&text).unwrap_or_default());
        for part in [keyword, name, category(&text)] {
            digest.update(part.as_bytes());
            digest.update([0xff]);
        }
    }
    assert_eq!(
        hex::encode(digest.finalize()),
        "d65cdc9a386f150270e50853cd96aae8bd9ba82ea55307b5286605668ca4ce5b"
    );
}

#[test]
fn a_folded_character_folds_to_itself() {
    for letter in all() {
        let text = letter.to_string();
        if let Some(folded) = keyword(&text) {
            assert_eq!(keyword(&folded).as_ref(), Some(&folded), "{letter:?}");
        }
        let lower: String = text.to_lowercase();
        assert_eq!(keyword(&lower), keyword(&text), "{letter:?}");
    }
}

/// Lines of CaseFolding.txt with status C or F, and of UnicodeData.txt.
#[test]
fn letters_fold_as_unicode_lists_them() {
    for (typed, folded) in [
        ("A", "a"),
        ("\u{b5}", "\u{3bc}"),
        ("\u{df}", "ss"),
        ("\u{130}", "i\u{307}"),
        ("\u{149}", "\u{2bc}n".replace('\u{2bc}', "'").as_str()),
        ("\u{17f}", "s"),
        ("\u{1f0}", "\u{1f0}"),
        ("\u{390}", "\u{390}"),
        ("\u{3c2}", "\u{3c3}"),
        ("\u{587}", "\u{565}\u{582}"),
        ("\u{13f8}", "\u{13f0}"),
        ("\u{1e9e}", "ss"),
        ("\u{1f88}", "\u{1f00}\u{3b9}"),
        ("\u{fb03}", "ffi"),
        ("\u{fb13}", "\u{574}\u{576}"),
        ("\u{ff21}", "a"),
        ("\u{10400}", "\u{10428}"),
        ("\u{1e900}", "\u{1e922}"),
        ("\u{212b}", "\u{e5}"),
        ("\u{2460}", "1"),
        (
            "\u{fdfa}",
            "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647} \u{639}\u{644}\u{64a}\u{647} \u{648}\u{633}\u{644}\u{645}",
        ),
    ] {
        assert_eq!(keyword(typed).as_deref(), Some(folded), "{typed:?}");
    }
}

#[test]
fn a_keyword_folds_by_hand() {
    // Wide letters, an accent apart, a soft hyphen, a long dash, a line end, a curly apostrophe.
    let typed = "\u{3000}\u{ff2d}u\u{308}ller\u{2019}s  R\u{ad}O\u{308}NTGEN\u{2014}Bild\r\n";
    assert_eq!(keyword(typed).as_deref(), Some("müller's röntgen-bild"));
    for (one, other) in [
        ("x\u{2010}ray", "X-Ray"),
        ("x\u{2212}ray", "x\u{ff0d}ray"),
        ("O\u{b4}Neil", "o\u{2019}neil"),
        ("O`Neil", "o'NEIL"),
        ("5\u{2033}", "5\u{2032}\u{2032}"),
        ("\u{ab}a\u{bb}", "\u{201c}A\u{201d}"),
        ("\u{bd}", "1/2"),
        ("a\u{feff}b\u{200b}c\u{2060}d", "abcd"),
        ("e\u{200d}\u{301}", "é"),
        ("a\u{34f}\u{301}\u{323}", "a\u{323}\u{301}"),
        ("\u{2764}\u{fe0f}", "\u{2764}"),
        ("a\u{2028}b\u{1f}c\u{2800}d", "a b c d"),
    ] {
        assert_eq!(keyword(one), keyword(other), "{one:?} {other:?}");
    }
    for (one, other) in [("\u{430}", "a"), ("o", "ö"), ("a b", "ab"), ("x-ray", "xray"), ("1", "l")]
    {
        assert_ne!(keyword(one), keyword(other), "{one:?} {other:?}");
    }
    for nothing in ["", " \t\u{2003}", "\u{200b}", "\u{ad}\u{feff}\0", "\u{3164}\u{fe0f}"] {
        assert_eq!(keyword(nothing), None, "{nothing:?}");
    }
}

#[test]
fn a_name_is_spelt_one_way() {
    for (typed, spelt) in [
        ("hospital", "hospital"),
        ("Kinderklinik Su\u{308}d", "Kinderklinik S\u{fc}d"),
        ("Haus\u{a0}7", "Haus 7"),
        ("\u{1100}\u{1161}\u{11a8}", "\u{ac01}"),
        ("\u{212b}ngstr\u{f6}m", "\u{c5}ngstr\u{f6}m"),
        ("\u{ff23}linic", "\u{ff23}linic"),
        ("", ""),
    ] {
        assert_eq!(name(typed).as_deref(), Ok(spelt));
        assert_eq!(fault(spelt), None);
        assert_eq!(fault(typed).is_some(), typed != spelt, "{typed:?}");
    }
}

#[test]
fn a_name_that_hides_something_is_refused() {
    for (typed, why) in [
        ("a/b", "slash"),
        ("a\nb", "control"),
        ("a\u{2028}b", "control"),
        ("a\u{2215}b", "reads as a slash"),
        ("\u{ff0f}", "reads as a slash"),
        ("clin\u{200b}ic", "invisible"),
        ("clin\u{ad}ic", "invisible"),
        ("\u{202e}cinilc", "invisible"),
        ("a\u{200e}", "invisible"),
        ("a\u{2066}b\u{2069}", "invisible"),
        ("\u{feff}a", "invisible"),
        ("a\u{fe0f}", "invisible"),
        ("a\u{e0041}", "invisible"),
        ("\u{3164}", "invisible"),
        ("a\u{2800}b", "invisible"),
        ("a\u{378}", "unassigned"),
        ("a\u{e000}", "private"),
        ("a\u{ffff}", "unassigned"),
        ("\u{301}a", "begin with a mark"),
        (" a", "space"),
        ("a\u{a0}", "space"),
        ("a \u{3000}b", "space"),
        (" ", "space"),
    ] {
        let refused = name(typed).unwrap_err();
        assert!(refused.contains(why), "{typed:?}: {refused}");
        assert!(fault(typed).is_some(), "{typed:?}");
    }
}

/// The examples of UTS 39, section 4, lines of confusables.txt, and what a ward is called.
#[test]
fn what_is_drawn_alike_looks_alike() {
    for (one, other) in [
        ("paypal", "p\u{430}yp\u{430}l"),
        ("scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}"),
        ("clinic", "\u{441}linic"),
        ("clinic", "\u{ff43}\u{ff4c}inic"),
        ("clinic", "CLINIC"),
        ("Ward 1", "Ward l"),
        ("Ward 1", "Ward I"),
        ("ward I", "WARD l"),
        ("Ward 0", "ward o"),
        ("Modern", "Modem"),
        ("A-1", "\u{410}\u{2013}1"),
        ("ROZE", "\u{ff32}\u{39f}\u{396}\u{395}"),
        ("St. Mary's", "St. Mary\u{2019}s"),
        ("1\u{661}", "11"),
    ] {
        assert!(looks_like(one, other) && looks_like(other, one), "{one:?} {other:?}");
    }
    for (one, other) in [
        ("clinic", "clinics"),
        ("Ward 1", "Ward 2"),
        ("Süd", "Sud"),
        ("hospital", "hostel"),
        ("Ward 10", "Ward 100"),
        ("\u{43a}\u{43b}\u{438}\u{43d}\u{438}\u{43a}\u{430}", "klinika"),
        ("A B", "AB"),
    ] {
        assert!(!looks_like(one, other), "{one:?} {other:?}");
    }
}

proptest! {
    #[test]
    fn a_keyword_is_one_however_it_is_typed(typed in typed()) {
        let folded = keyword(&typed);
        for form in [
            typed.nfc().collect::<String>(),
            typed.nfd().collect(),
            typed.nfkc().collect(),
            typed.nfkd().collect(),
            typed.to_lowercase(),
            format!("{typed}\u{3000}"),
            folded.clone().unwrap_or_default(),
        ] {
            prop_assert_eq!(&keyword(&form), &folded, "{:?}", form);
        }
        for letter in folded.iter().flat_map(|folded| folded.chars()) {
            prop_assert!(!is_unseen(letter) && (letter == ' ' || !is_space(letter)));
        }
    }

    #[test]
    fn a_name_is_one_however_it_is_typed(typed in typed()) {
        let spelt = name(&typed);
        for form in [typed.nfc().collect::<String>(), typed.nfd().collect()] {
            prop_assert_eq!(&name(&form), &spelt, "{:?}", form);
        }
        if let Ok(spelt) = spelt {
            prop_assert_eq!(name(&spelt), Ok(spelt.clone()));
            prop_assert_eq!(fault(&spelt), None);
            prop_assert!(looks_like(&spelt, &typed));
        } else {
            prop_assert!(fault(&typed).is_some());
        }
    }

    #[test]
    fn a_category_is_one_however_it_is_typed(typed in typed()) {
        let spelt = category(&typed);
        prop_assert_eq!(&category(&typed.nfd().collect::<String>()), &spelt);
        prop_assert_eq!(&category(&spelt), &spelt);
    }

    #[test]
    fn looking_alike_holds_both_ways(one in typed(), other in typed()) {
        prop_assert_eq!(looks_like(&one, &other), looks_like(&other, &one));
        prop_assert!(looks_like(&one, &one));
        prop_assert!(keyword(&one) != keyword(&other) || looks_like(&one, &other));
    }
}

#[test]
fn an_id_that_reads_like_another_one_is_none() {
    for id in
        ["", "17", " 17 ", "a\tb", "Z\u{fc}rich", "\u{6771}", "\u{ff41}", "\u{2163}", "\u{1fa7a}"]
    {
        assert_eq!(id_fault(id), None, "{id:?}");
    }
    let hidden = ["\u{200b}17", "1\u{ad}7", "17\u{feff}", "17\0", "\u{200d}", "\u{fff9}17"];
    assert!(
        hidden.iter().all(|id| hides(id) && id_fault(id).is_some_and(|why| why.contains("seen")))
    );
    for apart in ["u\u{308}", "\u{1112}\u{1161}\u{11ab}", "\u{2126}", "\u{958}"] {
        assert!(
            !hides(apart) && id_fault(apart).is_some_and(|why| why.contains("NFC")),
            "{apart:?}"
        );
    }
}

#[test]
fn the_first_id_that_is_none_is_found() {
    let mut ids = Blobs::default();
    for id in ["17", "Z\u{fc}rich"] {
        ids.push(id.as_bytes());
        assert_eq!(first_id_fault(&ids), None);
    }
    ["u\u{308}", "\u{200b}"].iter().for_each(|id| ids.push(id.as_bytes()));
    assert_eq!(first_id_fault(&ids).map(|(row, _)| row), Some(2));
}
