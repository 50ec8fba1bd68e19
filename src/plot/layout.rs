//! Where everything stands: headline, legend, panels, and the ticks that fit.
//!
//! All texts are measured before anything is drawn; what does not fit is an error, never cut off.

use super::axis::{Axis, Reach};
use super::canvas::Point;
use super::error::Error;
use super::layer::{Layer, Series};
use super::legend::{self, Key};
use super::style::{self, LABEL_SIZE, LINE_HEIGHT, Look, TICK_SIZE, TITLE_SIZE};
use super::text::{block_height, no_room, width, wrap};
use super::ticks::{Span, Tick};
use super::{Figure, Panel};

const EDGE: f64 = 12.0;
pub(super) const TICK_LENGTH: f64 = 5.0;
pub(super) const TICK_GAP: f64 = 4.0;
pub(super) const LABEL_GAP: f64 = 7.0;
const PANEL_GAP: f64 = 18.0;
pub(super) const COLOR_BAR: f64 = 14.0;
const COLOR_BAR_GAP: f64 = 12.0;
/// Narrower than this, a panel shows nothing.
const LEAST_PANEL: f64 = 50.0;

/// Lines of text and the middle of the first one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Block {
    pub lines: Vec<String>,
    pub at: Point,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Side {
    pub span: Span,
    pub ticks: Vec<Tick>,
    /// Lines of each labelled tick; names of categories may need more than one.
    pub names: Vec<Vec<String>>,
    /// Names are turned, because they are too wide side by side.
    pub is_turned: bool,
    pub label: Block,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ColorBar {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
    pub label: Block,
    pub left: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct PanelPlan {
    pub place: Place,
    pub title: Block,
    pub x: Side,
    pub y: Side,
    pub color_bar: Option<ColorBar>,
}

/// A figure with everything in its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub title: Block,
    pub legend: Vec<Key>,
    pub panels: Vec<PanelPlan>,
    /// All keys, also those that the legend leaves out.
    keys: Vec<Key>,
}

impl Plan {
    pub fn look(&self, series: &Series) -> Look {
        let found = self.keys.iter().find(|key| key.is_of(series));
        found.map_or_else(|| style::series(0), |key| key.look)
    }
}

pub(super) fn plan(figure: &Figure) -> Result<Plan, Error> {
    let room = f64::from(figure.width) - 2.0 * EDGE;
    let mut top = EDGE;

    let lines = wrap(&figure.title, TITLE_SIZE, room)?;
    let title = Block { at: (EDGE, top + TITLE_SIZE * LINE_HEIGHT / 2.0), lines };
    top += block_height(title.lines.len(), TITLE_SIZE);
    if top > EDGE {
        top += 3.0;
    }

    let keys = legend::keys(figure)?;
    let (legend, below) = legend::place(&keys, (EDGE, top), room)?;
    top = below;
    if top > EDGE {
        top += 4.0;
    }

    let columns = figure.columns.min(figure.panels.len());
    let rows = figure.panels.len().div_ceil(columns);
    let split = |room: f64, parts: f64| (room - PANEL_GAP * (parts - 1.0)) / parts;
    let cell_width = split(room, count(columns));
    let cell_height = split(f64::from(figure.height) - top - EDGE, count(rows));

    let mut panels = vec![];
    for (at, panel) in figure.panels.iter().enumerate() {
        let left = EDGE + count(at % columns) * (cell_width + PANEL_GAP);
        let panel_top = top + count(at / columns) * (cell_height + PANEL_GAP);
        let cell = Place {
            left,
            right: left + cell_width,
            top: panel_top,
            bottom: panel_top + cell_height,
        };
        panels.push(cell_plan(panel, &cell)?);
    }
    align(&mut panels, columns);
    Ok(Plan { title, legend, panels, keys })
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn cell_plan(panel: &Panel, cell: &Place) -> Result<PanelPlan, Error> {
    let (x_reach, y_reach) = panel.reach();
    let x_span = panel.x.span(&x_reach)?;
    let y_span = panel.y.span(&y_reach)?;

    let lines = wrap(&panel.title, LABEL_SIZE, cell.right - cell.left)?;
    let title_height = block_height(lines.len(), LABEL_SIZE);
    let title_middle = cell.top + LABEL_SIZE * LINE_HEIGHT / 2.0;

    // Bottom first, for a guessed width; then the sides for the height that is left.
    let x_lines = wrap(panel.x.label(), LABEL_SIZE, (cell.right - cell.left).max(1.0))?;
    let x_label_height = block_height(x_lines.len(), LABEL_SIZE);
    let fixed = TICK_LENGTH + TICK_GAP + LABEL_GAP + x_label_height;
    let height = cell.bottom - cell.top - title_height;
    let y_lines = wrap(panel.y.label(), LABEL_SIZE, height.max(1.0))?;
    let y_label_width = block_height(y_lines.len(), LABEL_SIZE);
    let guess = fit(&panel.y, y_span, height - fixed, true)?;
    let left = cell.left + y_label_width + LABEL_GAP + widest(&guess) + TICK_GAP + TICK_LENGTH;

    let color_bar = color_bar(panel, cell.right, height, fixed)?;
    let mut right = color_bar.as_ref().map_or(cell.right, |bar| bar.left - COLOR_BAR_GAP);

    let mut x = fit(&panel.x, x_span, right - left, false)?;
    if color_bar.is_none() {
        right -= overhang(&x, right - left).max(2.0);
    }
    x = fit(&panel.x, x_span, right - left, false)?;
    let names_height = if x.is_turned {
        widest(&x)
    } else {
        let lines = x.names.iter().map(Vec::len).max().unwrap_or(1);
        block_height(lines.max(1), TICK_SIZE)
    };
    let bottom = cell.bottom - fixed - names_height;
    // Half of the highest label of the y axis sticks out above it.
    let top = cell.top + title_height + TICK_SIZE / 2.0;

    for (what, from, to) in [("a panel's width", left, right), ("a panel's height", top, bottom)] {
        if to - from < LEAST_PANEL {
            return Err(no_room(what, LEAST_PANEL, (to - from).max(0.0)));
        }
    }
    let mut y = fit(&panel.y, y_span, bottom - top, true)?;
    x.label = Block {
        lines: wrap(panel.x.label(), LABEL_SIZE, cell.right - cell.left)?,
        at: (0.0, cell.bottom - x_label_height + LABEL_SIZE * LINE_HEIGHT / 2.0),
    };
    y.label = Block {
        lines: y_lines,
        at: (cell.left + LABEL_SIZE * LINE_HEIGHT / 2.0, f64::midpoint(top, bottom)),
    };
    let title = Block { lines, at: (left, title_middle) };
    let mut plan = PanelPlan { place: Place { left, right, top, bottom }, title, x, y, color_bar };
    plan.center_labels(cell);
    Ok(plan)
}

/// The bar that explains the colours of the topmost heat map, at the right side of a cell of some
/// height, of which a part lies below the axis.
fn color_bar(
    panel: &Panel,
    right: f64,
    height: f64,
    below: f64,
) -> Result<Option<ColorBar>, Error> {
    let heat = panel.layers.iter().rev().find_map(|layer| match layer {
        Layer::Heat { values, label, .. } => Some((values, label)),
        _ => None,
    });
    let Some((values, label)) = heat else { return Ok(None) };
    let mut reach = Reach { is_tight: true, ..Reach::NONE };
    values.iter().for_each(|&value| reach.add(value));
    let axis = Axis::new(label.clone());
    let span = axis.span(&reach)?;
    let side = fit(&axis, span, height - below - 20.0, true)?;

    let lines = wrap(label, LABEL_SIZE, height.max(1.0))?;
    let label_width = block_height(lines.len(), LABEL_SIZE);
    let beside = TICK_LENGTH + TICK_GAP + widest(&side) + LABEL_GAP + label_width;
    Ok(Some(ColorBar {
        low: reach.low,
        high: reach.high,
        ticks: side.ticks,
        label: Block { lines, at: (right - (label_width - LABEL_SIZE * LINE_HEIGHT / 2.0), 0.0) },
        left: right - beside - COLOR_BAR,
    }))
}

/// How far the labels of an x axis stick out to its right.
fn overhang(x: &Side, length: f64) -> f64 {
    let labelled = x.ticks.iter().filter(|tick| tick.label.is_some());
    labelled
        .zip(&x.names)
        .map(|(tick, name)| {
            let half = if x.is_turned { TICK_SIZE / 2.0 } else { block_width(name) / 2.0 };
            (half - (1.0 - tick.at) * length).max(0.0)
        })
        .fold(0.0, f64::max)
}

impl PanelPlan {
    /// Centres labels on the axes, but never beyond the cell.
    fn center_labels(&mut self, cell: &Place) {
        let longest = |label: &Block| {
            label.lines.iter().map(|line| width(line, LABEL_SIZE)).fold(0.0, f64::max)
        };
        let half = longest(&self.x.label) / 2.0;
        let middle = f64::midpoint(self.place.left, self.place.right);
        self.x.label.at.0 = between(middle, cell.left + half, cell.right - half);

        let middle = f64::midpoint(self.place.top, self.place.bottom);
        let bar = self.color_bar.as_mut().map(|bar| &mut bar.label);
        for label in std::iter::once(&mut self.y.label).chain(bar) {
            let half = longest(label) / 2.0;
            label.at.1 = between(middle, cell.top + half, cell.bottom - half);
        }

        let title_width = longest(&self.title);
        if title_width > self.place.right - self.place.left {
            self.title.at.0 = (cell.right - title_width).max(cell.left);
        }
    }
}

/// Clamps without the panic of `f64::clamp` when there is no room at all.
fn between(value: f64, low: f64, high: f64) -> f64 {
    value.min(high).max(low)
}

/// Panels of one column share their left side, panels of one row their lower side.
fn align(panels: &mut [PanelPlan], columns: usize) {
    for column in 0..columns {
        let left = panels.iter().skip(column).step_by(columns);
        let left = left.map(|panel| panel.place.left).fold(0.0, f64::max);
        for panel in panels.iter_mut().skip(column).step_by(columns) {
            if panel.place.right - left >= LEAST_PANEL {
                panel.title.at.0 += left - panel.place.left;
                panel.place.left = left;
            }
        }
    }
    for row in panels.chunks_mut(columns.max(1)) {
        let bottom = row.iter().map(|panel| panel.place.bottom).fold(f64::INFINITY, f64::min);
        let top = row.iter().map(|panel| panel.place.top).fold(0.0, f64::max);
        for panel in row {
            if bottom - top >= LEAST_PANEL {
                panel.place.top = top;
                panel.place.bottom = bottom;
            }
        }
    }
}

fn block_width(lines: &[String]) -> f64 {
    lines.iter().map(|line| width(line, TICK_SIZE)).fold(0.0, f64::max)
}

fn widest(side: &Side) -> f64 {
    side.names.iter().map(|name| block_width(name)).fold(0.0, f64::max)
}

impl Side {
    fn new(span: Span, ticks: Vec<Tick>, names: Vec<Vec<String>>) -> Self {
        Self { span, ticks, names, is_turned: false, label: Block::default() }
    }
}

/// As many ticks as fit into `room` without touching.
fn fit(axis: &Axis, span: Span, room: f64, is_upright: bool) -> Result<Side, Error> {
    let room = room.max(1.0);
    if let Some(names) = axis.names() {
        return fit_names(names, span, room, is_upright);
    }
    for most in (2..=if is_upright { 8 } else { 10 }).rev() {
        let ticks = span.ticks(most);
        let mut labelled: Vec<(f64, &str)> =
            ticks.iter().filter_map(|tick| Some((tick.at, tick.label.as_deref()?))).collect();
        labelled.sort_by(|a, b| a.0.total_cmp(&b.0));
        let fits = labelled.windows(2).all(|pair| {
            let need = if is_upright {
                TICK_SIZE * 1.8
            } else {
                (width(pair[0].1, TICK_SIZE) + width(pair[1].1, TICK_SIZE)) / 2.0 + TICK_SIZE
            };
            (pair[1].0 - pair[0].0) * room >= need
        });
        if fits || most == 2 {
            let names = labels(&ticks);
            return Ok(Side::new(span, ticks, names));
        }
    }
    Ok(Side::new(span, vec![], vec![]))
}

/// All names: side by side, broken into lines, or turned.
fn fit_names(names: &[String], span: Span, room: f64, is_upright: bool) -> Result<Side, Error> {
    let ticks: Vec<Tick> = names
        .iter()
        .enumerate()
        .map(|(at, name)| Tick { at: span.fraction(count(at)), label: Some(name.clone()) })
        .collect();
    let slot = room / count(names.len()).max(1.0);
    if !is_upright {
        let broken: Result<Vec<_>, _> =
            names.iter().map(|name| wrap(name, TICK_SIZE, slot - 6.0)).collect();
        if let Ok(lines) = broken
            && lines.iter().all(|lines| lines.len() <= 3)
        {
            return Ok(Side::new(span, ticks, lines));
        }
    }
    let need = TICK_SIZE * 1.1;
    if slot < need {
        return Err(no_room("the names of the categories", need, slot));
    }
    let single = labels(&ticks);
    Ok(Side { is_turned: !is_upright, ..Side::new(span, ticks, single) })
}

fn labels(ticks: &[Tick]) -> Vec<Vec<String>> {
    ticks.iter().filter_map(|tick| tick.label.clone()).map(|label| vec![label]).collect()
}
