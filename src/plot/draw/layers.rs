//! Drawing the layers of a panel, cut at its sides.

use plotters::backend::DrawingBackend;

use super::{Drawing, bar, clip, letters, marker, solid, stroke};
use crate::plot::canvas::{Anchor, Fill, Point};
use crate::plot::error::Error;
use crate::plot::layer::{Layer, Role, Series};
use crate::plot::layout::{ColorBar, LABEL_GAP, Place};
use crate::plot::style::{self, DASHED, Look, MARKER_RADIUS, NOTE_SIZE, REPEAT_RADIUS, WHITE};
use crate::plot::text::{no_room, width};

/// On a line with more points than this only a few of them get a marker.
const MOST_MARKERS: usize = 24;
const FEW_MARKERS: usize = 10;

/// Points of a line that are drawn at once.
const LONGEST_PIECE: usize = 1 << 14;

impl<B: DrawingBackend> Drawing<'_, B> {
    pub(super) fn layer(&mut self, layer: &Layer) -> Result<(), Error> {
        let look = layer.series().map_or_else(style::control, |series| self.plan.look(series));
        match layer {
            Layer::Line { series, x, y } => {
                let points: Vec<Point> = x.iter().zip(y).map(|(&x, &y)| self.at(x, y)).collect();
                self.path(&points, &look)?;
                self.some_markers(series, x, y, &look)
            }
            Layer::Dots { x, y, .. } => {
                // Many dots would hide each other.
                let alpha = if x.len() > 200 { 0.45 } else { 0.85 };
                let radius = if x.len() > 1000 { 0.6 * MARKER_RADIUS } else { MARKER_RADIUS };
                for (&x, &y) in x.iter().zip(y) {
                    self.marker(x, y, &look, radius, alpha)?;
                }
                Ok(())
            }
            Layer::Repeats { x, y, .. } => {
                for (&x, &y) in x.iter().zip(y) {
                    if self.is_inside(x, y) {
                        let fill = Fill { color: look.color, alpha: 0.4 };
                        self.pen.circle(self.at(x, y), REPEAT_RADIUS, &fill)?;
                    }
                }
                Ok(())
            }
            Layer::Steps { series, x, y } => {
                let mut points: Vec<Point> = vec![];
                for (&x, &y) in x.iter().zip(y) {
                    let at = self.at(x, y);
                    if let Some(before) = points.last() {
                        points.push((at.0, before.1));
                    }
                    points.push(at);
                }
                self.path(&points, &look)?;
                self.some_markers(series, x, y, &look)
            }
            Layer::Bars { left, right, height, .. } => self.bars(left, right, height, &look),
            Layer::Band { x, low, high, .. } => {
                let there = x.iter().zip(low).map(|(&x, &low)| self.at(x, low));
                let back = x.iter().zip(high).rev().map(|(&x, &high)| self.at(x, high));
                let area = clip::area(there.chain(back).collect(), &self.panel.place);
                self.pen.polygon(&area, &Fill { color: look.color, alpha: 0.22 })
            }
            Layer::Intervals { x, low, high, .. } => {
                let whole = Look { dash: None, width: 1.6, ..look };
                for ((&x, &low), &high) in x.iter().zip(low).zip(high) {
                    let ends = [self.at(x, low), self.at(x, high)];
                    self.path(&ends, &whole)?;
                    for end in ends {
                        self.path(&[(end.0 - 3.5, end.1), (end.0 + 3.5, end.1)], &whole)?;
                    }
                }
                Ok(())
            }
            Layer::Level { y, .. } => {
                let height = self.at(0.0, *y).1;
                self.path(&[(self.x(0.0), height), (self.x(1.0), height)], &across(&look))
            }
            Layer::Upright { x, .. } => {
                let side = self.at(*x, 0.0).0;
                self.path(&[(side, self.y(0.0)), (side, self.y(1.0))], &across(&look))
            }
            Layer::Note { x, y, text } => self.note(*x, *y, text),
            Layer::Heat { x_edges, y_edges, values, .. } => self.heat(x_edges, y_edges, values),
        }
    }

    fn bars(
        &mut self,
        left: &[f64],
        right: &[f64],
        height: &[f64],
        look: &Look,
    ) -> Result<(), Error> {
        let base = self.y(self.panel.y.span.base());
        let Place { left: low, right: high, top, bottom } = self.panel.place;
        for ((&left, &right), &height) in left.iter().zip(right).zip(height) {
            let upper = self.at(left, height).1.clamp(top, bottom);
            let from = self.at(left, height).0.clamp(low, high);
            let to = self.at(right, height).0.clamp(low, high);
            if (to - from).abs() > 0.0 && (upper - base).abs() > 0.0 {
                bar(self.pen, (from, upper), (to, base), look, false)?;
            }
        }
        Ok(())
    }

    fn heat(&mut self, x_edges: &[f64], y_edges: &[f64], values: &[f64]) -> Result<(), Error> {
        let Some(ColorBar { low, high, .. }) = self.panel.color_bar else { return Ok(()) };
        let Place { left, right, top, bottom } = self.panel.place;
        let rows = y_edges.windows(2).zip(values.chunks(x_edges.len().saturating_sub(1).max(1)));
        for (row, values) in rows {
            for (column, value) in x_edges.windows(2).zip(values) {
                let from = self.at(column[0], row[0]);
                let to = self.at(column[1], row[1]);
                let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                // Borders on whole pixels, so that no seam shows.
                let corner =
                    |at: Point| (at.0.round().clamp(left, right), at.1.round().clamp(top, bottom));
                self.pen.rectangle(corner(from), corner(to), &solid(style::heat(share)))?;
            }
        }
        Ok(())
    }

    /// Words to the right of a point, or to its left where there is no room.
    fn note(&mut self, x: f64, y: f64, text: &str) -> Result<(), Error> {
        let Place { left, right, top, bottom } = self.panel.place;
        let need = width(text, NOTE_SIZE);
        let room = right - left;
        if need > room {
            return Err(no_room(text, need, room));
        }
        let at = self.at(x, y);
        let start = if at.0 + LABEL_GAP + need <= right {
            at.0 + LABEL_GAP
        } else {
            at.0 - LABEL_GAP - need
        };
        let start = start.min(right - need).max(left);
        let half = 0.6 * NOTE_SIZE;
        let middle = (at.1 - half).min(bottom - half).max(top + half);
        let pale = Fill { color: WHITE, alpha: 0.75 };
        self.pen.rectangle(
            (start - 2.0, middle - half),
            (start + need + 2.0, middle + half),
            &pale,
        )?;
        self.pen.text(text, (start, middle), &letters(NOTE_SIZE, Anchor::Start))
    }

    fn marker(
        &mut self,
        x: f64,
        y: f64,
        look: &Look,
        radius: f64,
        alpha: f64,
    ) -> Result<(), Error> {
        if self.is_inside(x, y) {
            marker(self.pen, self.at(x, y), look, radius, alpha)
        } else {
            Ok(())
        }
    }

    /// Markers on a line, so that its colour is not the only cue; on a long one only a few.
    fn some_markers(
        &mut self,
        series: &Series,
        x: &[f64],
        y: &[f64],
        look: &Look,
    ) -> Result<(), Error> {
        if series.get_role() == Role::Expected {
            return Ok(());
        }
        let every = if x.len() > MOST_MARKERS { x.len().div_ceil(FEW_MARKERS) } else { 1 };
        for (&x, &y) in x.iter().zip(y).skip(every / 2).step_by(every) {
            self.marker(x, y, look, MARKER_RADIUS, 1.0)?;
        }
        Ok(())
    }

    /// Draws the part of a path that lies in the panel.
    fn path(&mut self, points: &[Point], look: &Look) -> Result<(), Error> {
        let style = stroke(look.color, look.width, look.dash);
        let mut piece: Vec<Point> = vec![];
        for pair in points.windows(2) {
            match clip::segment(pair[0], pair[1], &self.panel.place) {
                Some((from, to)) => {
                    if piece.last() != Some(&from) {
                        self.pen.line(&piece, &style)?;
                        piece = vec![from];
                    }
                    piece.push(to);
                    // A line of millions of points is drawn in pieces, which share a segment.
                    if piece.len() == LONGEST_PIECE {
                        self.pen.line(&piece, &style)?;
                        piece = vec![from, to];
                    }
                }
                None => self.pen.line(&std::mem::take(&mut piece), &style)?,
            }
        }
        self.pen.line(&piece, &style)
    }
}

/// Lines across the panel are thinner than data, and dashed if they are nobody's control.
fn across(look: &Look) -> Look {
    Look { width: 1.5, dash: look.dash.or(DASHED), ..*look }
}
