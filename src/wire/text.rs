//! What reads the same is the same: keywords, names and labels, however they were typed.
//!
//! One text has many spellings: macOS hands over accents apart (NFD), Linux composed (NFC), an editor
//! puts in curly quotes and long dashes, a web page soft hyphens. Each kind of text has one fold here,
//! over the tables of Unicode 18.0 that are compiled in, so that no machine reads a text differently.
//! What the folds make of a character is fixed once Unicode has assigned it.
//!
//! | fold | what it keeps apart | used for |
//! | --- | --- | --- |
//! | [`keyword`] | letters of another script, accents, words | what attachments are found by |
//! | [`name`] | all but Unicode forms and kinds of space | providers, portions; others are refused |
//! | [`category`] | all but Unicode forms | categories, names of fields and columns |
//! | [`Look`] | what is drawn differently | refusing a name beside one that it looks like; never stored |
//!
//! Ids of records have no fold, since what was stored under one is found under the same bytes only: what
//! reads like another id is refused instead ([`id_fault`]).
//!
//! Passwords have a fold of their own, [`crate::cipher::password::opaque`].
//!
//! # Sources
//!
//! Normalisation: UAX 15. Case folding, and the fold of keywords without spaces, dashes and quotes: The
//! Unicode Standard, section 3.13, D145 to D147. Confusable looks: UTS 39, section 4.

use icu_casemap::CaseMapper;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::Packed;

/// The version of Unicode whose tables decide.
pub const UNICODE: (u8, u8, u8) = unicode_normalization::UNICODE_VERSION;

/// The fold of a keyword; `None` if nothing is left of it.
///
/// 1. Compatible characters become their letters (NFKD): ligatures, wide and small letters, superscripts.
/// 2. What cannot be seen goes: all of Unicode's default-ignorable characters, among them soft hyphens,
///    zero-width spaces and joiners, variation selectors and marks of direction; control characters
///    that are no space; U+FFF9 to U+FFFB.
/// 3. Case is folded in full: `ß` is `ss`, `ς` is `σ`, whatever the language; `İ` is `i` with a dot above.
/// 4. Alike punctuation becomes one: dashes, hyphens and minus signs `-`; apostrophes, single quotation
///    marks, primes, grave and acute accents that stand alone `'`; double ones, «guillemets» among them,
///    two of these; the slashes of fractions and of division `/`.
/// 5. Every space, tab and end of line is a space, a run of them one, and at the ends none.
/// 6. Accents are composed (NFKC).
///
/// Letters of other scripts that look alike stay apart, as Cyrillic `а` and Latin `a`: they are spelt on
/// different keyboards, by people who see them apart, and UTS 39 says that its skeletons change from
/// version to version, which no index survives.
///
/// # Examples
///
/// ```
/// use mopse::wire::text::keyword;
///
/// assert_eq!(keyword("  Chest\u{a0}X\u{2011}RAY "), keyword("chest x-ray"));
/// assert_eq!(keyword("STRASSE"), keyword("Stra\u{df}e"));
/// assert_eq!(keyword("\u{200b} "), None);
/// ```
#[must_use]
pub fn keyword(typed: &str) -> Option<String> {
    let folded = fold(typed);
    // Without what stood between two accents they may change places.
    let folded = fold(&folded);
    if folded.is_empty() { None } else { Some(folded) }
}

fn fold(typed: &str) -> String {
    let seen: String = typed.nfkd().filter(|&letter| !is_unseen(letter)).collect();
    let mut plain = String::with_capacity(seen.len());
    for letter in CaseMapper::new().fold_string(&seen).chars() {
        match letter {
            _ if is_space(letter) => plain.push(' '),
            // An acute accent that stands alone is this in NFKD.
            '\u{301}' if plain.ends_with(' ') => {
                plain.pop();
                plain.push('\'');
            }
            _ => match punctuation(letter) {
                Some(like) => plain.push_str(like),
                None => plain.push(letter),
            },
        }
    }
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").nfkc().collect()
}

/// Spaces, tabs, ends of lines and of fields; and the Braille pattern without a dot.
fn is_space(letter: char) -> bool {
    matches!(
        letter,
        '\t'..='\r'
            | '\u{1c}'..=' '
            | '\u{85}'
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{2800}'
            | '\u{3000}'
    )
}

/// Whether there is nothing to be seen of a character, not even a space.
fn is_unseen(letter: char) -> bool {
    let is_control = category_of(letter) == GeneralCategory::Control && !is_space(letter);
    is_control || is_ignorable(letter) || matches!(letter, '\u{fff9}'..='\u{fffb}')
}

/// What stands for punctuation that is drawn, or typed, as another.
fn punctuation(letter: char) -> Option<&'static str> {
    Some(match letter {
        // Modifier minus, Armenian hyphen, maqaf, hyphens to horizontal bar, hyphen bullet, minus, two-
        // and three-em dash. The small and wide ones are these in NFKD.
        '\u{2d7}'
        | '\u{58a}'
        | '\u{5be}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{2e3a}'
        | '\u{2e3b}' => "-",
        // Grave accent, modifier prime, turned comma, apostrophe and reversed comma, quotation marks,
        // primes, guillemets, and the mark ꞌ that stands for an apostrophe.
        '`'
        | '\u{2b9}'
        | '\u{2bb}'..='\u{2bd}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{a78b}'
        | '\u{a78c}' => "'",
        '"'
        | '\u{ab}'
        | '\u{bb}'
        | '\u{2ba}'
        | '\u{201c}'..='\u{201f}'
        | '\u{301d}'..='\u{301f}' => "''",
        '\u{2044}' | '\u{2215}' => "/",
        _ => return None,
    })
}

/// Whether a text holds something of which there is nothing to be seen, not even a space.
#[must_use]
pub fn hides(text: &str) -> bool {
    text.chars().any(is_unseen)
}

/// Why a text is no record's id, for another one reads like it; `None` if it is one.
///
/// # Examples
///
/// ```
/// use mopse::wire::text::id_fault;
///
/// assert_eq!(id_fault("Z\u{fc}rich-17"), None);
/// assert!(id_fault("Zu\u{308}rich-17").is_some() && id_fault("17\u{200b}").is_some());
/// ```
#[must_use]
pub fn id_fault(id: &str) -> Option<&'static str> {
    if id.chars().all(is_plain) {
        None
    } else if hides(id) {
        Some("the id holds a character that cannot be seen, such as a zero-width space: remove it")
    } else if is_nfc(id) {
        None
    } else {
        Some(
            "the id is not in Unicode's form NFC, so that another one reads like it: normalise the \
             ids, as str.normalize(\"NFC\") of Polars and pandas does",
        )
    }
}

/// The first of some ids that is none, and why.
#[must_use]
pub fn first_id_fault(ids: &Packed<'_>) -> Option<(usize, &'static str)> {
    if ids.bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let fault = |row| std::str::from_utf8(ids.get(row)).ok().and_then(id_fault);
    let faulty = |row| fault(row).map(|why| (row, why));
    (0..ids.len()).find_map(faulty)
}

/// Whether a character is seen, and part of no other: so are most of those before the first accent that
/// stands apart.
fn is_plain(letter: char) -> bool {
    matches!(letter, ' '..='~' | '\u{a0}'..='\u{2ff}') && letter != '\u{ad}'
}

pub(crate) fn category_of(letter: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(letter)
}

pub(crate) fn is_ignorable(letter: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
}

/// Spaces of every kind as the one of ASCII.
pub(crate) fn plain_space(letter: char) -> char {
    if category_of(letter) == GeneralCategory::SpaceSeparator { ' ' } else { letter }
}

/// The one spelling of a provider's name: accents composed (NFC), and every space that of ASCII.
///
/// # Errors
///
/// Why there can be no such name: it holds a slash, a control character, what cannot be seen or reads as
/// a slash, what is unassigned or for private use, begins with a mark, or has spaces where they do not
/// show. Joiners are refused too, so a Persian name is spelt without.
pub fn name(typed: &str) -> Result<String, &'static str> {
    let spelt: String = typed.chars().map(plain_space).nfc().collect();
    match fault_of(&spelt) {
        None => Ok(spelt),
        Some(why) => Err(why),
    }
}

/// Why a text is not the one spelling of a name; `None` if it is.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    let is_spelt =
        name.is_ascii() || is_nfc(name) && name.chars().all(|letter| plain_space(letter) == letter);
    if is_spelt {
        fault_of(name)
    } else {
        Some("a name is in Unicode's form NFC, its spaces plain")
    }
}

/// Why there can be no name of this spelling.
fn fault_of(name: &str) -> Option<&'static str> {
    use GeneralCategory as Of;
    for (at, letter) in name.chars().enumerate() {
        let why = match (letter, category_of(letter)) {
            ('/', _) | (_, Of::Control | Of::LineSeparator | Of::ParagraphSeparator) => {
                "a name holds no slash and no control character"
            }
            ('\u{2044}' | '\u{2215}' | '\u{2571}' | '\u{29f8}' | '\u{ff0f}', _) => {
                "a name holds nothing that reads as a slash"
            }
            ('\u{2800}', _) | (_, Of::Format) => "a name holds no invisible character",
            _ if is_ignorable(letter) => "a name holds no invisible character",
            (_, Of::Unassigned | Of::PrivateUse | Of::Surrogate) => {
                "a name holds no character that is unassigned or for private use"
            }
            (_, Of::NonspacingMark | Of::SpacingMark | Of::EnclosingMark) if at == 0 => {
                "a name does not begin with a mark of the letter before"
            }
            _ => continue,
        };
        return Some(why);
    }
    let is_loose = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
    is_loose.then_some("a name has no space at its ends, and no two in a row")
}

/// The one spelling of a category, or of a field's or column's name: accents composed (NFC).
#[must_use]
pub fn category(typed: &str) -> String {
    typed.nfc().collect()
}

/// How a name looks, to compare with others.
///
/// Two look alike if their skeletons are the same, in the case that they have or in none: `clinic` with a
/// Cyrillic `с`, `Ward 1` and `Ward l` and `ward I`, wide letters, other dashes. Not of one look are
/// letters that only resemble each other, as `o` and `ö`. The table changes from version to version, so
/// a look decides what is accepted now and is never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The skeleton of the fold.
    folded: String,
    /// The fold of the skeleton: a capital `I` is drawn as an `l`, a small one is not.
    drawn: String,
}

impl Look {
    /// The look of a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let skeleton = |text: &str| unicode_security::skeleton(text).collect::<String>();
        let compatible: String = name.nfkc().collect();
        Self {
            folded: skeleton(&keyword(name).unwrap_or_default()),
            drawn: keyword(&skeleton(&compatible)).unwrap_or_default(),
        }
    }

    /// Whether two names look alike.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.folded == other.folded || self.drawn == other.drawn
    }
}

/// Whether two names look alike, see [`Look`].
#[must_use]
pub fn looks_like(one: &str, other: &str) -> bool {
    Look::of(one).is_like(&Look::of(other))
}

#[cfg(test)]
mod tests;
