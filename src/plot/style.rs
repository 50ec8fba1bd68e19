//! The one style of all figures: colours, markers, strokes, and sizes in logical pixels.
//!
//! Colour is never the only cue: every slot has its own marker, the control is dashed, what is
//! expected is dotted.
//!
//! # Sources
//!
//! * The palette: Okabe and Ito, *Color Universal Design*, 2008, <https://jfly.uni-koeln.de/color/>;
//!   its yellow is left out, being hard to see on white.
//! * The colours of heat maps: ten stops of *viridis*, by Smith and van der Walt, CC0.

pub(super) type Rgb = (u8, u8, u8);

pub(super) const WHITE: Rgb = (255, 255, 255);
pub(super) const INK: Rgb = (34, 34, 34);
pub(super) const AXIS: Rgb = (90, 90, 90);
pub(super) const GRID: Rgb = (228, 228, 228);
pub(super) const CONTROL: Rgb = (119, 119, 119);

pub(super) const TITLE_SIZE: f64 = 16.0;
pub(super) const LABEL_SIZE: f64 = 14.0;
pub(super) const TICK_SIZE: f64 = 12.5;
pub(super) const LEGEND_SIZE: f64 = 13.0;
pub(super) const NOTE_SIZE: f64 = 12.5;
pub(super) const LINE_HEIGHT: f64 = 1.3;
pub(super) const MARKER_RADIUS: f64 = 4.2;
pub(super) const REPEAT_RADIUS: f64 = 2.0;

const PALETTE: [Rgb; 6] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0)];

const VIRIDIS: [Rgb; 10] = [
    (68, 1, 84),
    (72, 40, 120),
    (62, 73, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (110, 206, 88),
    (181, 222, 43),
    (253, 231, 37),
];

/// The outline of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
    Wedge,
    Pentagon,
}

const MARKERS: [Marker; 7] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Wedge,
    Marker::Pentagon,
    Marker::Cross,
];

/// How a line is broken: lengths of dash and gap.
pub(super) type Dash = Option<(f64, f64)>;

pub(super) const DASHED: Dash = Some((7.0, 4.0));
/// Black lines differ in their dots alone.
const DOTTED: [(f64, f64); 3] = [(2.0, 3.0), (9.0, 2.5), (1.5, 6.0)];

/// How one series looks everywhere in a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub color: Rgb,
    pub marker: Marker,
    pub dash: Dash,
    pub width: f64,
}

/// Seven markers against six colours, so that 42 slots differ in one of the two.
pub(super) fn series(slot: usize) -> Look {
    Look {
        color: PALETTE[slot % PALETTE.len()],
        marker: MARKERS[slot % MARKERS.len()],
        dash: None,
        width: 2.0,
    }
}

pub(super) fn control() -> Look {
    Look { color: CONTROL, marker: Marker::Circle, dash: DASHED, width: 2.0 }
}

pub(super) fn expected(place: usize) -> Look {
    let dash = Some(DOTTED[place % DOTTED.len()]);
    Look { color: INK, marker: Marker::Circle, dash, width: 1.6 }
}

/// The colour of a heat map at `fraction` of its range.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the table first; a mean of two bytes is a byte"
)]
pub(super) fn heat(fraction: f64) -> Rgb {
    let last = VIRIDIS.len() - 1;
    let at = fraction.clamp(0.0, 1.0) * 9.0;
    let below = (at as usize).min(last);
    let above = (below + 1).min(last);
    let part = at - at.floor();
    let mix = |a: u8, b: u8| (f64::from(a) * (1.0 - part) + f64::from(b) * part).round() as u8;
    let (a, b) = (VIRIDIS[below], VIRIDIS[above]);
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// The corners of a marker around the origin; none for a circle.
pub(super) fn corners(marker: Marker, radius: f64) -> Vec<(f64, f64)> {
    let regular = |corners: u32, turn: f64, radius: f64| {
        (0..corners)
            .map(|corner| {
                let angle = turn + std::f64::consts::TAU * f64::from(corner) / f64::from(corners);
                (radius * angle.sin(), -radius * angle.cos())
            })
            .collect::<Vec<_>>()
    };
    // Factors give all markers about the same area.
    match marker {
        Marker::Circle => vec![],
        Marker::Square => regular(4, std::f64::consts::FRAC_PI_4, 1.25 * radius),
        Marker::Triangle => regular(3, 0.0, 1.4 * radius),
        Marker::Wedge => regular(3, std::f64::consts::PI, 1.4 * radius),
        Marker::Diamond => regular(4, 0.0, 1.35 * radius),
        Marker::Pentagon => regular(5, 0.0, 1.15 * radius),
        Marker::Cross => {
            let arm = 1.15 * radius;
            let half = 0.42 * radius;
            let plus = [
                (-half, -arm),
                (half, -arm),
                (half, -half),
                (arm, -half),
                (arm, half),
                (half, half),
                (half, arm),
                (-half, arm),
                (-half, half),
                (-arm, half),
                (-arm, -half),
                (-half, -half),
            ];
            let turn = std::f64::consts::FRAC_1_SQRT_2;
            plus.iter().map(|&(x, y)| (turn * (x - y), turn * (x + y))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_42_slots_look_different() {
        let mut seen = vec![];
        for slot in 0..42 {
            let look = series(slot);
            assert!(!seen.contains(&(look.color, look.marker as u8)), "slot {slot}");
            seen.push((look.color, look.marker as u8));
        }
    }

    #[test]
    fn the_control_is_grey_and_dashed_and_no_series_is() {
        let (r, g, b) = control().color;
        assert!(r == g && g == b);
        assert!(control().dash.is_some());
        assert!((0..42).all(|slot| series(slot).dash.is_none()));
        assert!((0..42).all(|slot| series(slot).color != control().color));
    }

    #[test]
    fn heat_runs_from_dark_to_light() {
        assert_eq!(heat(-1.0), VIRIDIS[0]);
        assert_eq!(heat(1.0), VIRIDIS[9]);
    }
}
