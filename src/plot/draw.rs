//! Drawing a planned figure: grid and axes first, then the layers in their order.

mod clip;
mod layers;

use plotters::backend::DrawingBackend;

use super::canvas::{Anchor, Fill, Lettering, Pen, Point, Stroke};
use super::error::Error;
use super::layer::Layer;
use super::layout::{COLOR_BAR, PanelPlan, Place, Plan, Side, TICK_GAP, TICK_LENGTH};
use super::legend::{KEY_GAP, KEY_WIDTH, Key};
use super::style::{
    self, AXIS, Dash, GRID, INK, LABEL_SIZE, LEGEND_SIZE, LINE_HEIGHT, Look, MARKER_RADIUS, Rgb,
    TICK_SIZE, TITLE_SIZE, WHITE,
};
use super::ticks::Tick;
use super::{Figure, Panel};

pub(super) fn figure<B: DrawingBackend>(
    figure: &Figure,
    plan: &Plan,
    pen: &mut Pen<B>,
) -> Result<(), Error> {
    let corner = (f64::from(figure.width), f64::from(figure.height));
    pen.rectangle((0.0, 0.0), corner, &solid(WHITE))?;
    lines(pen, &plan.title.lines, plan.title.at, TITLE_SIZE, Anchor::Start)?;
    for entry in &plan.legend {
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
    let at = (right + KEY_GAP, middle);
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
            let low = f64::from(shade) / 64.0;
            let high = f64::from(shade + 1) / 64.0;
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
}

fn tick_length(tick: &Tick) -> f64 {
    if tick.label.is_some() { TICK_LENGTH } else { 0.6 * TICK_LENGTH }
}
