//! The font of the figures: measuring, breaking and outlining text.
//!
//! The font is part of the binary, so a figure looks the same on a machine without fonts. Layout
//! measures with it for both formats; an SVG asks for it first and falls back to any sans-serif.
//! A character that the font lacks is drawn as its empty box, never left out.
//!
//! # Sources
//!
//! * `DejaVu` Sans 2.37, from the crate `dejavu`, under the Bitstream Vera licence.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::error::Error;
use super::style::LINE_HEIGHT;

pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Half the height of an `x`, in em.
pub(super) const HALF_EX: f64 = 0.2735;
/// Half the height of a capital or a digit, in em.
pub(super) const HALF_CAPITAL: f64 = 0.3645;

const MAX_CHARACTERS: usize = 1000;

static FONT: LazyLock<Face<'static>> = LazyLock::new(|| {
    Face::parse(dejavu::sans::regular(), 0).expect("the embedded font is a whole font")
});

/// Reads the font, which the first text does otherwise.
#[cfg(feature = "python")]
pub(crate) fn prepare() {
    LazyLock::force(&FONT);
}

/// Calls `each` with every glyph of a line of text and where it begins, and returns where the
/// line ends, all in units of the font.
fn set(text: &str, mut each: impl FnMut(GlyphId, i32)) -> i32 {
    let mut at = 0;
    let mut before = None;
    for character in text.chars() {
        let glyph = glyph(character);
        at += before.map_or(0, |before| kerning(before, glyph));
        each(glyph, at);
        at += i32::from(FONT.glyph_hor_advance(glyph).unwrap_or(0));
        before = Some(glyph);
    }
    at
}

/// Glyph 0 is the empty box.
fn glyph(character: char) -> GlyphId {
    FONT.glyph_index(character).unwrap_or_default()
}

fn kerning(left: GlyphId, right: GlyphId) -> i32 {
    let pairs = FONT.tables().kern.into_iter().flat_map(|table| table.subtables);
    let across = |subtable: &ttf_parser::kern::Subtable<'_>| {
        subtable.horizontal && !subtable.has_state_machine
    };
    pairs
        .filter(across)
        .find_map(|subtable| subtable.glyphs_kerning(left, right))
        .map_or(0, i32::from)
}

/// The width of a line of text, in the unit of `size`.
pub(super) fn width(text: &str, size: f64) -> f64 {
    f64::from(set(text, |_, _| ())) / f64::from(FONT.units_per_em()) * size
}

/// The outline of a line of text at size 1, baseline at 0, y downwards; none if it is blank.
pub(super) fn outline(text: &str) -> Option<Path> {
    let mut line = Line { path: PathBuilder::new(), start: 0.0 };
    set(text, |glyph, at| {
        line.start = at as f32;
        FONT.outline_glyph(glyph, &mut line);
    });
    let em = f32::from(FONT.units_per_em());
    line.path.finish()?.transform(Transform::from_scale(1.0 / em, -1.0 / em))
}

/// Collects the outlines of glyphs, each moved to where it begins.
struct Line {
    path: PathBuilder,
    start: f32,
}

impl OutlineBuilder for Line {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.start + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.start + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.start + x1, y1, self.start + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let start = self.start;
        self.path.cubic_to(start + x1, y1, start + x2, y2, start + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// Refuses what cannot be shown: control characters, the code points XML forbids, and novels.
pub(super) fn check(what: &str, text: &str) -> Result<(), Error> {
    let is_forbidden = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.chars().any(is_forbidden) {
        return Err(Error::Text { what: what.to_owned() });
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(no_room(what, width(text, 1.0), 1000.0));
    }
    Ok(())
}

/// Breaks a text at its spaces into lines of at most `room`.
pub(super) fn wrap(text: &str, size: f64, room: f64) -> Result<Vec<String>, Error> {
    let mut lines: Vec<String> = vec![];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer {
            Some(longer) if width(&longer, size) <= room => {
                lines.pop();
                lines.push(longer);
            }
            _ => {
                let need = width(word, size);
                if need > room {
                    return Err(no_room(word, need, room));
                }
                lines.push(word.to_owned());
            }
        }
    }
    Ok(lines)
}

pub(super) fn block_height(lines: usize, size: f64) -> f64 {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    f64::from(lines) * size * LINE_HEIGHT
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and the number is for reading"
)]
pub(super) fn no_room(what: &str, need: f64, room: f64) -> Error {
    let what: String = what.chars().take(60).collect();
    Error::Room { what: format!("\"{what}\""), need: need.ceil() as u32, room: room as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_every_glyph_that_labels_use() {
        let used = "0123456789.,−-–—×·±≤≥≈≠∞µμσε²³¹⁰⁴⁵⁶⁷⁸⁹⁻√°%‰äöüßéçñ→()[]{}|/\u{2009}";
        for character in used.chars() {
            assert_ne!(glyph(character).0, 0, "no glyph for {character:?}");
        }
    }

    #[test]
    fn the_constants_are_the_heights_of_the_font() {
        let height = |letter| f64::from(outline(letter).expect("it has an outline").bounds().top());
        assert!((-height("x") / 2.0 - HALF_EX).abs() < 0.001);
        assert!((-height("H") / 2.0 - HALF_CAPITAL).abs() < 0.001);
    }

    #[test]
    fn a_missing_glyph_is_a_box_and_not_nothing() {
        assert_eq!(glyph('\u{4e2d}').0, 0);
        assert!(outline("\u{4e2d}").is_some());
        assert!(width("\u{4e2d}", 10.0) > 3.0);
    }

    #[test]
    fn text_breaks_at_spaces_only() {
        let lines = wrap("time per entry [ns]", 10.0, 70.0).expect("the words fit");
        assert_eq!(lines, ["time per", "entry [ns]"]);
        assert!(wrap("immeasurable", 10.0, 20.0).is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(check("the title", "a\u{0}b").is_err());
        assert!(check("the title", "a\nb").is_err());
        assert_eq!(check("the title", "µs ≤ 10⁶"), Ok(()));
    }
}
