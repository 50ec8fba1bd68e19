//! The one form of a password that is typed: `OpaqueString`.
//!
//! Every space becomes U+0020 and accents are composed (NFC); case, width and letters that look alike
//! stay. What is left must be of the `FreeformClass`: letters, marks, numbers, punctuation, symbols and
//! spaces that Unicode has assigned, and some others between certain neighbours only. This is checked
//! after normalisation, in the order of RFC 8264 section 7, so that Korean passes however it is typed.
//!
//! # Sources
//!
//! RFC 8265 section 4.2; RFC 8264 sections 4.3, 7 and 8; RFC 5892 section 2.6, and appendix A for what
//! depends on its neighbours. Tables as in [`crate::wire::text`].

use icu_properties::CodePointMapData;
use icu_properties::props::{
    CanonicalCombiningClass, GeneralCategory, HangulSyllableType, JoiningType, Script,
};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::cipher::Error;
use crate::wire::text::{category_of, is_ignorable, plain_space};

/// The form of a password to seal with.
///
/// # Errors
///
/// [`Error::PasswordCharacter`] names the place in that form, and not the character, if it holds one that
/// no password does, or not there.
pub fn enforce(typed: &str) -> Result<Zeroizing<String>, Error> {
    let form = prepare(typed);
    let letters = Zeroizing::new(form.chars().collect::<Vec<char>>());
    match (0..letters.len()).find_map(|at| Some((at, fault(&letters, at)?))) {
        Some((position, why)) => Err(Error::PasswordCharacter { position, why }),
        None => Ok(form),
    }
}

/// The forms to open with, in order: the one that is sealed with, and the password as it was typed, if
/// that is another, under which older versions sealed. Nothing is refused here.
#[must_use]
pub fn forms(typed: &str) -> Vec<Zeroizing<String>> {
    let form = prepare(typed);
    let is_other = form.as_str() != typed;
    let as_typed = is_other.then(|| Zeroizing::new(typed.to_owned()));
    std::iter::once(form).chain(as_typed).collect()
}

fn prepare(typed: &str) -> Zeroizing<String> {
    // NFC makes three times as many bytes at most, and a text that grows would leave copies.
    let mut form = Zeroizing::new(String::with_capacity(typed.len().saturating_mul(3)));
    form.extend(typed.chars().map(plain_space).nfc());
    form
}

const CONTROL: &str = "a control character";
const UNSEEN: &str = "an invisible format character";
const UNASSIGNED: &str = "unassigned in Unicode 18.0";
const PRIVATE: &str = "for private use";
const NEVER: &str = "of a kind that no password holds";
const NOT_HERE: &str = "one that no password holds beside these others";

/// Why a character of a password is none, or not there; the steps are those of RFC 8264 section 8.
fn fault(letters: &[char], at: usize) -> Option<&'static str> {
    use GeneralCategory as Of;
    let letter = letters[at];
    match letter {
        // Exceptions, the invariable ones.
        '\u{df}' | '\u{3c2}' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' => return None,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => {
            return Some(NEVER);
        }
        _ => {}
    }
    if let Some(is_here) = in_context(letters, at) {
        return if is_here { None } else { Some(NOT_HERE) };
    }
    let is_jamo = [
        HangulSyllableType::LeadingJamo,
        HangulSyllableType::VowelJamo,
        HangulSyllableType::TrailingJamo,
    ]
    .contains(&CodePointMapData::<HangulSyllableType>::new().get(letter));
    match category_of(letter) {
        Of::PrivateUse => Some(PRIVATE),
        Of::Control | Of::LineSeparator | Of::ParagraphSeparator => Some(CONTROL),
        _ if is_jamo => Some(NEVER),
        Of::Unassigned => Some(UNASSIGNED),
        Of::Format => Some(UNSEEN),
        _ if is_ignorable(letter) => Some(UNSEEN),
        _ => None,
    }
}

/// Whether a character that depends on its neighbours is where it may be; `None` if it is no such.
fn in_context(letters: &[char], at: usize) -> Option<bool> {
    let before = at.checked_sub(1).map(|before| letters[before]);
    let after = letters.get(at + 1).copied();
    let script = |letter| CodePointMapData::<Script>::new().get(letter);
    let is_of = |neighbour: Option<char>, of| neighbour.is_some_and(|letter| script(letter) == of);
    let has = |digits: std::ops::RangeInclusive<char>| letters.iter().any(|l| digits.contains(l));
    Some(match letters[at] {
        '\u{200c}' => follows_virama(before) || breaks_a_join(letters, at),
        '\u{200d}' => follows_virama(before),
        '\u{b7}' => before == Some('l') && after == Some('l'),
        '\u{375}' => is_of(after, Script::Greek),
        '\u{5f3}' | '\u{5f4}' => is_of(before, Script::Hebrew),
        '\u{30fb}' => letters.iter().any(|&letter| {
            [Script::Hiragana, Script::Katakana, Script::Han].contains(&script(letter))
        }),
        '\u{660}'..='\u{669}' => !has('\u{6f0}'..='\u{6f9}'),
        '\u{6f0}'..='\u{6f9}' => !has('\u{660}'..='\u{669}'),
        _ => return None,
    })
}

fn follows_virama(before: Option<char>) -> bool {
    let class = |letter| CodePointMapData::<CanonicalCombiningClass>::new().get(letter);
    before.is_some_and(|letter| class(letter) == CanonicalCombiningClass::Virama)
}

/// Whether letters that would join stand on both sides, marks between them left out.
fn breaks_a_join(letters: &[char], at: usize) -> bool {
    let joining = |&letter: &char| CodePointMapData::<JoiningType>::new().get(letter);
    let joins = |kind: &JoiningType| *kind != JoiningType::Transparent;
    let before = letters[..at].iter().rev().map(joining).find(joins);
    let after = letters[at + 1..].iter().map(joining).find(joins);
    let (left, right) = (JoiningType::LeftJoining, JoiningType::RightJoining);
    let both = JoiningType::DualJoining;
    before.is_some_and(|kind| kind == left || kind == both)
        && after.is_some_and(|kind| kind == right || kind == both)
}

#[cfg(test)]
mod tests;
