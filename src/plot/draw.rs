//! Drawing a planned figure: grid and axes first, then the layers in their order.

use plotters::backend::DrawingBackend;

use super::axis::Tick;
use super::canvas::{Anchor, Fill, Lettering, Pen, Point, Stroke};
use super::error::Error;
use super::layer::{Layer, Role, Series};
use super::layout::{
    COLOR_BAR, KEY_WIDTH, Key, LABEL_GAP, PanelPlan, Place, Plan, Side, TICK_GAP, TICK_LENGTH,
};
use super::style::{
    self, AXIS, DASHED, Dash, GRID, INK, LABEL_SIZE, LEGEND_SIZE, LINE_HEIGHT, Look, MARKER_RADIUS,
    NOTE_SIZE, REPEAT_RADIUS, Rgb, TICK_SIZE, TITLE_SIZE, WHITE,
};
use super::text::{no_room, width};
use super::{Figure, Panel};

/// On a line with more points than this only a few of them get a marker.
const MOST_MARKERS: usize = 24;
const FEW_MARKERS: usize = 10;

pub(super) fn figure<B: DrawingBackend>(
    figure: &Figure,
    plan: &Plan,
    pen: &mut Pen<B>,
) -> Result<(), Error> {
    let corner = (f64::from(figure.width), f64::from(figure.height));
    pen.rectangle((0.0, 0.0), corner, &solid(WHITE))?;
    lines(pen, &plan.title.lines, plan.title.at, TITLE_SIZE, Anchor::Start)?;
    for entry in &plan.keys {
        key(pen, entry)?;
    }
    for (panel, panel_plan) in figure.panels.iter().zip(&plan.panels) {
        Drawing { pen, plan, panel: panel_plan }.panel(panel)?;
    }
    Ok(())
}

fn solid(color: Rgb) -> Fill {
    Fill { color, alpha: 1.0 }
}

fn stroke(color: Rgb, width: f64, dash: Dash) -> Stroke {
    Stroke { color, alpha: 1.0, width, dash }
}

fn letters(size: f64, anchor: Anchor) -> Lettering {
    Lettering { size, color: INK, anchor, upright: false }
}

fn lines<B: DrawingBackend>(
    pen: &mut Pen<B>,
    lines: &[String],
    mut at: Point,
    size: f64,
    anchor: Anchor,
) -> Result<(), Error> {
    for line in lines {
        pen.text(line, at, &letters(size, anchor))?;
        at.1 += size * LINE_HEIGHT;
    }
    Ok(())
}

fn upright_lines<B: DrawingBackend>(
    pen: &mut Pen<B>,
    lines: &[String],
    mut at: Point,
) -> Result<(), Error> {
    for line in lines {
        let lettering = Lettering { upright: true, ..letters(LABEL_SIZE, Anchor::Middle) };
        pen.text(line, at, &lettering)?;
        at.0 += LABEL_SIZE * LINE_HEIGHT;
    }
    Ok(())
}

fn key<B: DrawingBackend>(pen: &mut Pen<B>, key: &Key) -> Result<(), Error> {
    let (left, middle) = key.at;
    let right = left + KEY_WIDTH;
    if key.has_fill {
        let box_left = if key.has_line { left } else { left + 8.0 };
        bar(pen, (box_left, middle - 6.0), (right, middle + 6.0), &key.look, key.has_line)?;
    }
    if key.has_line {
        let look = key.look;
        pen.line(&[(left, middle), (right, middle)], &stroke(look.color, look.width, look.dash))?;
    }
    if key.has_marker {
        marker(pen, (f64::midpoint(left, right), middle), &key.look, MARKER_RADIUS, 1.0)?;
    }
    let at = (right + 7.0, middle);
    pen.text(&key.name, at, &letters(LEGEND_SIZE, Anchor::Start))
}

/// A filled box; that of the control is pale with a dashed border.
fn bar<B: DrawingBackend>(
    pen: &mut Pen<B>,
    from: Point,
    to: Point,
    look: &Look,
    is_pale: bool,
) -> Result<(), Error> {
    let alpha = if is_pale || look.dash.is_some() { 0.25 } else { 1.0 };
    pen.rectangle(from, to, &Fill { color: look.color, alpha })?;
    if look.dash.is_some() && !is_pale {
        let around = [from, (to.0, from.1), to, (from.0, to.1), from];
        // Shorter than on lines, so that narrow bars show them too.
        pen.line(
            &around,
            &stroke(look.color, 1.4, look.dash.map(|(dash, gap)| (0.6 * dash, 0.6 * gap))),
        )?;
    }
    Ok(())
}

fn marker<B: DrawingBackend>(
    pen: &mut Pen<B>,
    at: Point,
    look: &Look,
    radius: f64,
    alpha: f64,
) -> Result<(), Error> {
    let fill = Fill { color: look.color, alpha };
    let corners = style::corners(look.marker, radius);
    if corners.is_empty() {
        return pen.circle(at, radius, &fill);
    }
    let corners: Vec<Point> = corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
    pen.polygon(&corners, &fill)
}

struct Drawing<'a, B> {
    pen: &'a mut Pen<B>,
    plan: &'a Plan,
    panel: &'a PanelPlan,
}

impl<B: DrawingBackend> Drawing<'_, B> {
    fn panel(&mut self, panel: &Panel) -> Result<(), Error> {
        let is_covered = panel.layers.iter().any(|layer| matches!(layer, Layer::Heat { .. }));
        if !is_covered {
            self.grid(panel)?;
            self.axes()?;
        }
        for layer in &panel.layers {
            self.layer(layer)?;
        }
        if is_covered { self.axes() } else { Ok(()) }
    }

    fn x(&self, fraction: f64) -> f64 {
        let Place { left, right, .. } = self.panel.place;
        left + fraction * (right - left)
    }

    fn y(&self, fraction: f64) -> f64 {
        let Place { top, bottom, .. } = self.panel.place;
        bottom - fraction * (bottom - top)
    }

    fn at(&self, x: f64, y: f64) -> Point {
        (self.x(self.panel.x.span.fraction(x)), self.y(self.panel.y.span.fraction(y)))
    }

    fn is_inside(&self, x: f64, y: f64) -> bool {
        self.panel.x.span.contains(x) && self.panel.y.span.contains(y)
    }

    fn grid(&mut self, panel: &Panel) -> Result<(), Error> {
        let Place { left, right, top, bottom } = self.panel.place;
        let thin = stroke(GRID, 1.0, None);
        let labelled = |side: &Side| -> Vec<f64> {
            side.ticks.iter().filter(|tick| tick.label.is_some()).map(|tick| tick.at).collect()
        };
        if panel.x.names().is_none() {
            for at in labelled(&self.panel.x) {
                self.pen.line(&[(self.x(at), top), (self.x(at), bottom)], &thin)?;
            }
        }
        if panel.y.names().is_none() {
            for at in labelled(&self.panel.y) {
                self.pen.line(&[(left, self.y(at)), (right, self.y(at))], &thin)?;
            }
        }
        Ok(())
    }

    fn axes(&mut self) -> Result<(), Error> {
        let Place { left, right, top, bottom } = self.panel.place;
        let line = stroke(AXIS, 1.2, None);
        self.pen.line(&[(left, top), (left, bottom), (right, bottom)], &line)?;
        lines(self.pen, &self.panel.title.lines, self.panel.title.at, LABEL_SIZE, Anchor::Start)?;

        let x = &self.panel.x;
        let mut names = x.names.iter();
        for tick in &x.ticks {
            let at = self.x(tick.at);
            self.pen.line(&[(at, bottom), (at, bottom + tick_length(tick))], &line)?;
            let Some(name) = tick.label.as_ref().and_then(|_| names.next()) else { continue };
            let below = bottom + TICK_LENGTH + TICK_GAP;
            if x.is_turned {
                let lettering = Lettering { upright: true, ..letters(TICK_SIZE, Anchor::End) };
                self.pen.text(&name.concat(), (at, below), &lettering)?;
            } else {
                let first = (at, below + TICK_SIZE * LINE_HEIGHT / 2.0);
                lines(self.pen, name, first, TICK_SIZE, Anchor::Middle)?;
            }
        }
        lines(self.pen, &x.label.lines, x.label.at, LABEL_SIZE, Anchor::Middle)?;

        let y = &self.panel.y;
        for tick in &y.ticks {
            let at = self.y(tick.at);
            self.pen.line(&[(left - tick_length(tick), at), (left, at)], &line)?;
            if let Some(label) = &tick.label {
                let beside = (left - TICK_LENGTH - TICK_GAP, at);
                self.pen.text(label, beside, &letters(TICK_SIZE, Anchor::End))?;
            }
        }
        upright_lines(self.pen, &y.label.lines, y.label.at)?;
        self.color_bar()
    }

    fn color_bar(&mut self) -> Result<(), Error> {
        let Some(bar) = &self.panel.color_bar else { return Ok(()) };
        let Place { top, bottom, .. } = self.panel.place;
        let right = bar.left + COLOR_BAR;
        for shade in 0..64 {
            let (low, high) = (f64::from(shade) / 64.0, f64::from(shade + 1) / 64.0);
            // A hair of overlap, so that no seam shows.
            let upper = (self.y(high) - 0.3).max(top);
            let color = style::heat(f64::midpoint(low, high));
            self.pen.rectangle((bar.left, upper), (right, self.y(low)), &solid(color))?;
        }
        let line = stroke(AXIS, 1.0, None);
        let corners =
            [(bar.left, top), (right, top), (right, bottom), (bar.left, bottom), (bar.left, top)];
        self.pen.line(&corners, &line)?;
        for tick in &bar.ticks {
            let at = self.y(tick.at);
            self.pen.line(&[(right, at), (right + TICK_LENGTH, at)], &line)?;
            if let Some(label) = &tick.label {
                let beside = (right + TICK_LENGTH + TICK_GAP, at);
                self.pen.text(label, beside, &letters(TICK_SIZE, Anchor::Start))?;
            }
        }
        upright_lines(self.pen, &bar.label.lines, bar.label.at)
    }

    fn layer(&mut self, layer: &Layer) -> Result<(), Error> {
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
                let area = self.clip_area(there.chain(back).collect());
                self.pen.polygon(&area, &Fill { color: look.color, alpha: 0.22 })
            }
            Layer::Intervals { x, low, high, .. } => {
                let whole = Look { dash: None, width: 1.6, ..look };
                for ((&x, &low), &high) in x.iter().zip(low).zip(high) {
                    let (from, to) = (self.at(x, low), self.at(x, high));
                    self.path(&[from, to], &whole)?;
                    for end in [from, to] {
                        self.path(&[(end.0 - 3.5, end.1), (end.0 + 3.5, end.1)], &whole)?;
                    }
                }
                Ok(())
            }
            Layer::Level { y, .. } => {
                let (left, right, at) = (self.x(0.0), self.x(1.0), self.at(0.0, *y).1);
                self.path(&[(left, at), (right, at)], &across(&look))
            }
            Layer::Upright { x, .. } => {
                let (top, bottom, at) = (self.y(1.0), self.y(0.0), self.at(*x, 0.0).0);
                self.path(&[(at, bottom), (at, top)], &across(&look))
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
            let (from, to) = (self.at(left, height), self.at(right, height));
            let (from_x, to_x) = (from.0.clamp(low, high), to.0.clamp(low, high));
            let upper = from.1.clamp(top, bottom);
            if (to_x - from_x).abs() > 0.0 && (upper - base).abs() > 0.0 {
                bar(self.pen, (from_x, upper), (to_x, base), look, false)?;
            }
        }
        Ok(())
    }

    fn heat(&mut self, x_edges: &[f64], y_edges: &[f64], values: &[f64]) -> Result<(), Error> {
        let Some((low, high)) = self.panel.color_bar.as_ref().map(|bar| (bar.low, bar.high)) else {
            return Ok(());
        };
        let Place { left, right, top, bottom } = self.panel.place;
        let rows = y_edges.windows(2).zip(values.chunks(x_edges.len().saturating_sub(1).max(1)));
        for (row, values) in rows {
            for (column, value) in x_edges.windows(2).zip(values) {
                let (from, to) = (self.at(column[0], row[0]), self.at(column[1], row[1]));
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
        let (need, room) = (width(text, NOTE_SIZE), right - left);
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
            match clip(pair[0], pair[1], &self.panel.place) {
                Some((from, to)) => {
                    if piece.last() != Some(&from) {
                        self.pen.line(&piece, &style)?;
                        piece = vec![from];
                    }
                    piece.push(to);
                }
                None => self.pen.line(&std::mem::take(&mut piece), &style)?,
            }
        }
        self.pen.line(&piece, &style)
    }

    fn clip_area(&self, area: Vec<Point>) -> Vec<Point> {
        let Place { left, right, top, bottom } = self.panel.place;
        let area = clip_half(area, |at| at.0 - left);
        let area = clip_half(area, |at| right - at.0);
        let area = clip_half(area, |at| at.1 - top);
        clip_half(area, |at| bottom - at.1)
    }
}

/// Lines across the panel are thinner than data, and dashed if they are nobody's control.
fn across(look: &Look) -> Look {
    Look { width: 1.5, dash: look.dash.or(DASHED), ..*look }
}

fn tick_length(tick: &Tick) -> f64 {
    if tick.label.is_some() { TICK_LENGTH } else { 0.6 * TICK_LENGTH }
}

/// The part of a segment inside a rectangle (Liang and Barsky, 1984).
fn clip(from: Point, to: Point, place: &Place) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
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

/// The part of a polygon where `inside` is not negative (Sutherland and Hodgman, 1974).
fn clip_half(area: Vec<Point>, inside: impl Fn(Point) -> f64) -> Vec<Point> {
    let Some(&last) = area.last() else { return area };
    let mut before = last;
    let mut kept = vec![];
    for at in area {
        let (was, is) = (inside(before), inside(at));
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
        assert_eq!(clip((-5.0, 5.0), (15.0, 5.0), &PLACE), Some(((0.0, 5.0), (10.0, 5.0))));
        assert_eq!(clip((1.0, 1.0), (2.0, 2.0), &PLACE), Some(((1.0, 1.0), (2.0, 2.0))));
        assert_eq!(clip((-5.0, 1.0), (-1.0, 1.0), &PLACE), None);
        assert_eq!(clip((-6.0, 5.0), (5.0, -6.0), &PLACE), None);
    }

    #[test]
    fn areas_are_cut_at_a_side() {
        let square = vec![(-5.0, 0.0), (5.0, 0.0), (5.0, 5.0), (-5.0, 5.0)];
        let kept = clip_half(square, |at| at.0);
        assert_eq!(kept, [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0)]);
    }
}
