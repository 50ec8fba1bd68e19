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

use ab_glyph::{Font, FontRef, OutlineCurve, Point};

use super::error::Error;
use super::style::LINE_HEIGHT;

pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Half the height of an `x`, in em.
pub(super) const HALF_EX: f64 = 0.2735;
/// Half the height of a capital or a digit, in em.
pub(super) const HALF_CAPITAL: f64 = 0.3645;

const MAX_CHARACTERS: usize = 1000;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(dejavu::sans::regular()).expect("the embedded font is a whole font")
});

fn units_per_em() -> f64 {
    f64::from(FONT.units_per_em().expect("the embedded font states its units"))
}

/// The width of a line of text, in the unit of `size`.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let mut units = 0.0;
    let mut before = None;
    for character in text.chars() {
        let glyph = FONT.glyph_id(character);
        if let Some(before) = before {
            units += f64::from(FONT.kern_unscaled(before, glyph));
        }
        units += f64::from(FONT.h_advance_unscaled(glyph));
        before = Some(glyph);
    }
    units / units_per_em() * size
}

/// The outlines of a line of text at size 1, baseline at 0, y downwards.
pub(super) fn outlines(text: &str) -> Vec<OutlineCurve> {
    let mut curves = vec![];
    let mut units = 0.0_f32;
    let mut before = None;
    let per_em = FONT.units_per_em().expect("the embedded font states its units");
    for character in text.chars() {
        let glyph = FONT.glyph_id(character);
        if let Some(before) = before {
            units += FONT.kern_unscaled(before, glyph);
        }
        let place = |at: Point| Point { x: (at.x + units) / per_em, y: -at.y / per_em };
        for curve in FONT.outline(glyph).into_iter().flat_map(|outline| outline.curves) {
            curves.push(match curve {
                OutlineCurve::Line(a, b) => OutlineCurve::Line(place(a), place(b)),
                OutlineCurve::Quad(a, b, c) => OutlineCurve::Quad(place(a), place(b), place(c)),
                OutlineCurve::Cubic(a, b, c, d) => {
                    OutlineCurve::Cubic(place(a), place(b), place(c), place(d))
                }
            });
        }
        units += FONT.h_advance_unscaled(glyph);
        before = Some(glyph);
    }
    curves
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
            assert_ne!(FONT.glyph_id(character).0, 0, "no glyph for {character:?}");
        }
    }

    #[test]
    fn the_constants_are_the_heights_of_the_font() {
        let height = |character| {
            let outline = FONT.outline(FONT.glyph_id(character)).expect("it has an outline");
            f64::from(outline.bounds.min.y.abs().max(outline.bounds.max.y)) / units_per_em()
        };
        assert!((height('x') / 2.0 - HALF_EX).abs() < 0.001);
        assert!((height('H') / 2.0 - HALF_CAPITAL).abs() < 0.001);
    }

    #[test]
    fn a_missing_glyph_is_a_box_and_not_nothing() {
        assert_eq!(FONT.glyph_id('\u{4e2d}').0, 0);
        assert!(!outlines("\u{4e2d}").is_empty());
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
