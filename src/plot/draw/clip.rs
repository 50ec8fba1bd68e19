//! Cutting lines and areas at the sides of a panel.
//!
//! # Sources
//!
//! * Segments: Liang and Barsky, *A new concept and method for line clipping*, ACM Transactions on
//!   Graphics 3(1), 1984.
//! * Areas: Sutherland and Hodgman, *Reentrant polygon clipping*, Communications of the ACM 17(1),
//!   1974.

use crate::plot::canvas::Point;
use crate::plot::layout::Place;

/// The part of a segment inside a rectangle.
pub(super) fn segment(from: Point, to: Point, place: &Place) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let mut enter = 0.0_f64;
    let mut leave = 1.0_f64;
    for (speed, distance) in [
        (-dx, from.0 - place.left),
        (dx, place.right - from.0),
        (-dy, from.1 - place.top),
        (dy, place.bottom - from.1),
    ] {
        if speed == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if speed < 0.0 {
            enter = enter.max(distance / speed);
        } else {
            leave = leave.min(distance / speed);
        }
    }
    let at = |part: f64| match part {
        0.0 => from,
        1.0 => to,
        _ => (from.0 + part * dx, from.1 + part * dy),
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// The part of a polygon inside a rectangle.
pub(super) fn area(corners: Vec<Point>, place: &Place) -> Vec<Point> {
    let corners = half(corners, |at| at.0 - place.left);
    let corners = half(corners, |at| place.right - at.0);
    let corners = half(corners, |at| at.1 - place.top);
    half(corners, |at| place.bottom - at.1)
}

/// The part of a polygon where `inside` is not negative.
fn half(area: Vec<Point>, inside: impl Fn(Point) -> f64) -> Vec<Point> {
    let Some(&last) = area.last() else { return area };
    let mut before = last;
    let mut kept = vec![];
    for at in area {
        let was = inside(before);
        let is = inside(at);
        if (was < 0.0) != (is < 0.0) {
            let part = was / (was - is);
            kept.push((before.0 + part * (at.0 - before.0), before.1 + part * (at.1 - before.1)));
        }
        if is >= 0.0 {
            kept.push(at);
        }
        before = at;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { left: 0.0, right: 10.0, top: 0.0, bottom: 10.0 };

    #[test]
    fn segments_are_cut_at_the_panel() {
        assert_eq!(segment((-5.0, 5.0), (15.0, 5.0), &PLACE), Some(((0.0, 5.0), (10.0, 5.0))));
        assert_eq!(segment((1.0, 1.0), (2.0, 2.0), &PLACE), Some(((1.0, 1.0), (2.0, 2.0))));
        assert_eq!(segment((-5.0, 1.0), (-1.0, 1.0), &PLACE), None);
        assert_eq!(segment((-6.0, 5.0), (5.0, -6.0), &PLACE), None);
    }

    #[test]
    fn areas_are_cut_at_a_side() {
        let square = vec![(-5.0, 0.0), (5.0, 0.0), (5.0, 5.0), (-5.0, 5.0)];
        let kept = half(square, |at| at.0);
        assert_eq!(kept, [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0)]);
    }
}
