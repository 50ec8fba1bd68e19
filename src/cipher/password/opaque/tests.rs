use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn enforced(typed: &str) -> Result<String, Error> {
    enforce(typed).map(|form| form.to_string())
}

fn fault_of(typed: &str) -> Option<(usize, &'static str)> {
    match enforce(typed) {
        Err(Error::PasswordCharacter { position, why }) => Some((position, why)),
        _ => None,
    }
}

/// RFC 8265, section 4.3, tables 3 and 4; the empty one is refused where a key is made of it.
#[test]
fn the_examples_of_the_standard_hold() {
    for (typed, form) in [
        ("correct horse battery staple", "correct horse battery staple"),
        ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
        ("\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
        ("Jack of \u{2666}s", "Jack of \u{2666}s"),
        ("foo\u{1680}bar", "foo bar"),
    ] {
        assert_eq!(enforced(typed).as_deref(), Ok(form));
    }
    assert_eq!(fault_of("my cat is a \tby"), Some((12, CONTROL)));
}

#[derive(Deserialize)]
struct Classes {
    valid: Vec<String>,
    contextual: Vec<String>,
    disallowed: Vec<String>,
}

/// The letters of ranges such as `0000-001F 00AD`; surrogates are none.
fn letters(lines: &[String]) -> Vec<char> {
    let number = |text| u32::from_str_radix(text, 16).unwrap();
    let ranges = lines.iter().flat_map(|line| line.split(' '));
    let ranges = ranges.map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges
        .flat_map(|(first, last)| number(first)..=number(last))
        .filter_map(char::from_u32)
        .collect()
}

#[test]
fn the_classes_are_those_of_the_registry() {
    let classes: Classes =
        serde_json::from_str(include_str!("../../../../tests/vectors/precis.json")).unwrap();
    let (valid, disallowed) = (letters(&classes.valid), letters(&classes.disallowed));
    let contextual = letters(&classes.contextual);
    let counts = (valid.len(), contextual.len(), disallowed.len());
    assert_eq!(counts, (109_319, 27, 138_375));
    let refused = |letters: Vec<char>| {
        letters.into_iter().filter(|&letter| fault(&[letter], 0).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(refused(valid), [] as [char; 0]);
    for letter in contextual {
        assert!(in_context(&[letter], 0).is_some(), "{letter:?}");
    }
    let allowed: Vec<char> =
        disallowed.into_iter().filter(|&letter| fault(&[letter], 0).is_none()).collect();
    assert_eq!(allowed, [] as [char; 0]);
}

/// RFC 5892, appendix A.
#[test]
fn what_depends_on_its_neighbours_is_held_to_them() {
    for (there, elsewhere) in [
        // A joiner after a virama; a non-joiner there, or where it breaks a join.
        ("\u{915}\u{94d}\u{200d}\u{937}", "\u{915}\u{200d}\u{937}"),
        ("\u{915}\u{94d}\u{200c}\u{937}", "\u{915}\u{200c}\u{937}"),
        ("\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}", "\u{62f}\u{200c}\u{62e}"),
        ("\u{628}\u{64e}\u{200c}\u{64e}\u{628}", "\u{628}\u{200c}"),
        ("\u{628}\u{200c}\u{62f}", "\u{200c}\u{62f}"),
        ("\u{628}\u{200c}\u{628}", "\u{628}\u{200c}\u{200c}\u{628}"),
        ("\u{94d}\u{200d}", "\u{200d}\u{94d}"),
        ("\u{1f468}", "\u{1f468}\u{200d}\u{1f469}"),
        // The dot of Catalan, the Greek numeral sign, geresh and gershayim, the dot of katakana.
        ("col\u{b7}lega", "col\u{b7}ega"),
        ("l\u{b7}l", "L\u{b7}L"),
        ("\u{375}\u{3b1}", "\u{375}a"),
        ("\u{3b1}\u{375}\u{3b2}", "\u{3b1}\u{375}"),
        ("\u{5d0}\u{5f3}", "a\u{5f3}"),
        ("\u{5d0}\u{5f4}\u{5d1}", "\u{5f4}\u{5d1}"),
        ("\u{30fb}\u{30a2}", "a\u{30fb}b"),
        ("a\u{30fb}\u{6f22}", "\u{30fb}"),
        // Digits of one kind.
        ("a1\u{660}\u{669}", "\u{660}a\u{6f0}"),
        ("\u{6f0}1\u{6f9}", "\u{6f9}\u{669}"),
    ] {
        assert_eq!(fault_of(there), None, "{there:?}");
        assert_eq!(fault_of(elsewhere).map(|(_, why)| why), Some(NOT_HERE), "{elsewhere:?}");
    }
}

#[test]
fn what_no_password_holds_is_refused_by_its_place() {
    for (typed, position, why) in [
        ("ab\n", 2, CONTROL),
        ("a\u{2028}", 1, CONTROL),
        ("\u{202e}ab", 0, UNSEEN),
        ("soft\u{ad}hyphen", 4, UNSEEN),
        ("\u{2764}\u{fe0f}", 1, UNSEEN),
        ("a\u{34f}", 1, UNSEEN),
        ("a\u{e000}", 1, PRIVATE),
        ("a\u{e0fff}", 1, UNASSIGNED),
        ("a\u{ffff}", 1, UNASSIGNED),
        ("\u{640}", 0, NEVER),
        ("\u{1100}", 0, NEVER),
        // Places are those of the composed form.
        ("e\u{301}\n", 1, CONTROL),
    ] {
        assert_eq!(fault_of(typed), Some((position, why)), "{typed:?}");
        assert!(forms(typed).iter().any(|form| form.as_str() == typed), "it still opens");
    }
    assert_eq!(enforced("\u{1100}\u{1161}\u{11a8}").as_deref(), Ok("\u{ac01}"), "typed in parts");
}

#[test]
fn the_one_form_is_tried_before_the_password_as_typed() {
    let tried = |typed| forms(typed).iter().map(|form| form.to_string()).collect::<Vec<_>>();
    assert_eq!(tried("Zo\u{eb}"), ["Zo\u{eb}"]);
    assert_eq!(tried("Zoe\u{308}\u{a0}"), ["Zo\u{eb} ", "Zoe\u{308}\u{a0}"]);
    assert_eq!(tried(""), [""]);
}

proptest! {
    #[test]
    fn a_password_is_one_however_it_is_typed(
        typed in "[eE\u{301}\u{323}\u{308}\u{e9} \u{a0}\u{2003}\u{1100}\u{1161}\u{11a8}\u{212b}\u{fb01}\u{df}\\PC]{0,9}",
    ) {
        let form = prepare(&typed);
        for other in [typed.nfc().collect::<String>(), typed.nfd().collect()] {
            prop_assert_eq!(&prepare(&other), &form);
        }
        prop_assert_eq!(&prepare(&form), &form);
        prop_assert_eq!(forms(&form).len(), 1);
        prop_assert!(form.len() <= 3 * typed.len(), "it never grew");
        if let Ok(enforced) = enforce(&typed) {
            prop_assert_eq!(enforced, form);
        }
    }
}
