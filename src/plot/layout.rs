//! Where everything stands: headline, legend, panels, and the ticks that fit.
//!
//! All texts are measured before anything is drawn; what does not fit is an error, never cut off.

use super::axis::{Axis, Span, Tick};
use super::canvas::Point;
use super::error::Error;
use super::layer::{Layer, Role, Series};
use super::style::{self, LABEL_SIZE, LEGEND_SIZE, LINE_HEIGHT, Look, TICK_SIZE, TITLE_SIZE};
use super::text::{block_height, no_room, width, wrap};
use super::{Figure, Panel};

const EDGE: f64 = 12.0;
pub(super) const TICK_LENGTH: f64 = 5.0;
pub(super) const TICK_GAP: f64 = 4.0;
pub(super) const LABEL_GAP: f64 = 7.0;
pub(super) const KEY_WIDTH: f64 = 30.0;
const KEY_GAP: f64 = 7.0;
const ENTRY_GAP: f64 = 20.0;
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
pub(super) struct Key {
    pub name: String,
    pub role: Role,
    pub look: Look,
    pub has_line: bool,
    pub has_marker: bool,
    pub has_fill: bool,
    /// The middle of the left end.
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

/// Looks by name and role; only series without a name share a name across roles.
pub(super) type Looks = Vec<(String, Role, Look)>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub title: Block,
    pub keys: Vec<Key>,
    pub looks: Looks,
    pub panels: Vec<PanelPlan>,
}

impl Plan {
    pub fn look(&self, series: &Series) -> Look {
        let found = self.looks.iter().find(|(name, role, _)| is_of(series, name, *role));
        found.map_or_else(|| style::series(0), |(_, _, look)| *look)
    }
}

fn is_of(series: &Series, name: &str, role: Role) -> bool {
    series.name() == name && series.get_role() == role
}

pub(super) fn plan(figure: &Figure) -> Result<Plan, Error> {
    let (full_width, full_height) = (f64::from(figure.width), f64::from(figure.height));
    let room = full_width - 2.0 * EDGE;
    let mut top = EDGE;

    let lines = wrap(&figure.title, TITLE_SIZE, room)?;
    let title = Block { at: (EDGE, top + TITLE_SIZE * LINE_HEIGHT / 2.0), lines };
    top += block_height(title.lines.len(), TITLE_SIZE);
    if top > EDGE {
        top += 3.0;
    }

    let (looks, mut keys) = looks_and_keys(figure)?;
    top = place_keys(&mut keys, top, room)?;
    if top > EDGE {
        top += 4.0;
    }

    let columns = figure.columns.min(figure.panels.len());
    let rows = figure.panels.len().div_ceil(columns);
    let (across, down) = (count(columns), count(rows));
    let cell_width = (room - PANEL_GAP * (across - 1.0)) / across;
    let cell_height = (full_height - top - EDGE - PANEL_GAP * (down - 1.0)) / down;

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
    Ok(Plan { title, keys, looks, panels })
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

/// Who looks like what: fixed slots first, the others take what is free, by first appearance.
fn looks_and_keys(figure: &Figure) -> Result<(Looks, Vec<Key>), Error> {
    let layers = || figure.panels.iter().flat_map(|panel| &panel.layers);
    let fixed: Vec<usize> = layers().filter_map(|layer| layer.series()?.get_slot()).collect();
    let mut free = (0..).filter(|slot| !fixed.contains(slot));

    let mut looks: Looks = vec![];
    let mut keys: Vec<Key> = vec![];
    for layer in layers() {
        let Some(series) = layer.series() else { continue };
        let (name, role) = (series.name(), series.get_role());
        if looks.iter().any(|(other, its, _)| other == name && *its != role && !name.is_empty()) {
            return Err(Error::RoleClash { series: name.to_owned() });
        }
        let known = looks.iter().position(|(other, its, _)| is_of(series, other, *its));
        let at = known.unwrap_or_else(|| {
            let before = looks.iter().filter(|(_, its, _)| *its == Role::Expected).count();
            let look = match (role, series.get_slot()) {
                (Role::Control, _) => style::control(),
                (Role::Expected, _) => style::expected(before),
                (Role::Series, Some(slot)) => style::series(slot),
                (Role::Series, None) => style::series(free.next().unwrap_or(0)),
            };
            looks.push((name.to_owned(), role, look));
            keys.push(Key {
                name: name.to_owned(),
                role,
                look,
                has_line: false,
                has_marker: false,
                has_fill: false,
                at: (0.0, 0.0),
            });
            looks.len() - 1
        });
        let key = &mut keys[at];
        let has_markers = role != Role::Expected;
        match layer {
            Layer::Line { .. } | Layer::Steps { .. } => {
                (key.has_line, key.has_marker) = (true, has_markers);
            }
            Layer::Dots { .. } => key.has_marker = true,
            Layer::Bars { .. } | Layer::Band { .. } => key.has_fill = true,
            Layer::Repeats { .. } | Layer::Note { .. } | Layer::Heat { .. } => {}
            _ => key.has_line = true,
        }
    }
    keys.retain(|key| !key.name.is_empty() && (key.has_line || key.has_marker || key.has_fill));
    // One series that is neither control nor expected is explained by the axes.
    if let [Key { role: Role::Series, .. }] = keys.as_slice() {
        keys.clear();
    }
    Ok((looks, keys))
}

fn place_keys(keys: &mut [Key], top: f64, room: f64) -> Result<f64, Error> {
    if keys.is_empty() {
        return Ok(top);
    }
    let row_height = LEGEND_SIZE * 1.55;
    let mut at = (EDGE, top + row_height / 2.0);
    for key in keys {
        let need = KEY_WIDTH + KEY_GAP + width(&key.name, LEGEND_SIZE);
        if need > room {
            return Err(no_room(&key.name, need, room));
        }
        if at.0 + need > EDGE + room {
            at = (EDGE, at.1 + row_height);
        }
        key.at = at;
        at.0 += need + ENTRY_GAP;
    }
    Ok(at.1 + row_height / 2.0)
}

fn cell_plan(panel: &Panel, cell: &Place) -> Result<PanelPlan, Error> {
    let (x_reach, y_reach) = panel.reach();
    let (x_span, y_span) = (panel.x.span(&x_reach)?, panel.y.span(&y_reach)?);

    let lines = wrap(&panel.title, LABEL_SIZE, cell.right - cell.left)?;
    let mut title = Block { lines, at: (cell.left, cell.top + LABEL_SIZE * LINE_HEIGHT / 2.0) };
    let title_height = block_height(title.lines.len(), LABEL_SIZE);

    // Bottom first, for a guessed width; then the sides for the height that is left.
    let x_label = wrap(panel.x.label(), LABEL_SIZE, (cell.right - cell.left).max(1.0))?;
    let x_label_height = block_height(x_label.len(), LABEL_SIZE);
    let fixed = TICK_LENGTH + TICK_GAP + LABEL_GAP + x_label_height;
    let guess = fit(&panel.y, y_span, cell.bottom - cell.top - title_height - fixed, true)?;
    let y_lines =
        wrap(panel.y.label(), LABEL_SIZE, (cell.bottom - cell.top - title_height).max(1.0))?;
    let y_label_width = block_height(y_lines.len(), LABEL_SIZE);
    let left = cell.left + y_label_width + LABEL_GAP + widest(&guess) + TICK_GAP + TICK_LENGTH;

    let heat = panel.layers.iter().rev().find_map(|layer| match layer {
        Layer::Heat { values, label, .. } => Some((values, label)),
        _ => None,
    });
    let mut right = cell.right;
    let mut color_bar = None;
    if let Some((values, label)) = heat {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut reach = super::axis::Reach::NONE;
        reach.is_tight = true;
        reach.add(low);
        reach.add(high);
        let axis = Axis::new(label.clone());
        let span = axis.span(&reach)?;
        let side = fit(&axis, span, cell.bottom - cell.top - fixed - title_height - 20.0, true)?;
        let lines = wrap(label, LABEL_SIZE, (cell.bottom - cell.top - title_height).max(1.0))?;
        let need = COLOR_BAR_GAP
            + COLOR_BAR
            + TICK_LENGTH
            + TICK_GAP
            + widest(&side)
            + LABEL_GAP
            + block_height(lines.len(), LABEL_SIZE);
        right -= need;
        color_bar = Some(ColorBar {
            low,
            high,
            label: Block { lines, at: (cell.right, 0.0) },
            left: right + COLOR_BAR_GAP,
            ticks: side.ticks,
        });
    }

    // Half of the last label sticks out to the right, half of the first one to the left.
    let mut x = fit(&panel.x, x_span, right - left, false)?;
    let overhang = x
        .ticks
        .iter()
        .filter(|tick| tick.label.is_some())
        .zip(&x.names)
        .map(|(tick, name)| {
            let half = if x.is_turned { TICK_SIZE / 2.0 } else { block_width(name) / 2.0 };
            (half - (1.0 - tick.at) * (right - left)).max(0.0)
        })
        .fold(0.0, f64::max);
    if color_bar.is_none() {
        right -= overhang.max(2.0);
    }
    x = fit(&panel.x, x_span, right - left, false)?;
    let names_height = if x.is_turned {
        x.names.iter().map(|name| block_width(name)).fold(0.0, f64::max)
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
    title.at.0 = left;
    x.label = Block {
        lines: wrap(panel.x.label(), LABEL_SIZE, cell.right - cell.left)?,
        at: (0.0, cell.bottom - x_label_height + LABEL_SIZE * LINE_HEIGHT / 2.0),
    };
    y.label = Block {
        lines: y_lines,
        at: (cell.left + LABEL_SIZE * LINE_HEIGHT / 2.0, f64::midpoint(top, bottom)),
    };
    if let Some(bar) = &mut color_bar {
        let lines = bar.label.lines.len();
        bar.label.at.0 -= block_height(lines, LABEL_SIZE) - LABEL_SIZE * LINE_HEIGHT / 2.0;
    }
    let mut plan = PanelPlan { place: Place { left, right, top, bottom }, title, x, y, color_bar };
    plan.center_labels(cell);
    Ok(plan)
}

impl PanelPlan {
    /// Centres labels on the axes, but never beyond the cell.
    fn center_labels(&mut self, cell: &Place) {
        let half_width =
            self.x.label.lines.iter().map(|line| width(line, LABEL_SIZE)).fold(0.0, f64::max) / 2.0;
        let middle = f64::midpoint(self.place.left, self.place.right);
        self.x.label.at.0 = between(middle, cell.left + half_width, cell.right - half_width);
        let middle = f64::midpoint(self.place.top, self.place.bottom);
        let bar = self.color_bar.as_mut().map(|bar| &mut bar.label);
        for label in std::iter::once(&mut self.y.label).chain(bar) {
            let half =
                label.lines.iter().map(|line| width(line, LABEL_SIZE)).fold(0.0, f64::max) / 2.0;
            label.at.1 = between(middle, cell.top + half, cell.bottom - half);
        }
        let room = self.place.right - self.place.left;
        let title = self.title.lines.iter().map(|line| width(line, LABEL_SIZE));
        let widest = title.fold(0.0, f64::max);
        if widest > room {
            self.title.at.0 = (cell.right - widest).max(cell.left);
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
        let of_column = || (column..).step_by(columns);
        let left = of_column()
            .map_while(|at| panels.get(at))
            .map(|panel| panel.place.left)
            .fold(0.0, f64::max);
        for at in of_column().take_while(|&at| at < panels.len()).collect::<Vec<_>>() {
            let panel = &mut panels[at];
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
                (panel.place.top, panel.place.bottom) = (top, bottom);
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

/// As many ticks as fit into `room` without touching.
fn fit(axis: &Axis, span: Span, room: f64, is_upright: bool) -> Result<Side, Error> {
    let side = |ticks: Vec<Tick>, names, is_turned| Side {
        span,
        ticks,
        names,
        is_turned,
        label: Block::default(),
    };
    let room = room.max(1.0);
    if let Some(names) = axis.names() {
        let slot = room / count(names.len()).max(1.0);
        let ticks: Vec<Tick> = names
            .iter()
            .enumerate()
            .map(|(at, name)| Tick { at: span.fraction(count(at)), label: Some(name.clone()) })
            .collect();
        let single: Vec<_> = names.iter().map(|name| vec![name.clone()]).collect();
        if is_upright {
            if slot < TICK_SIZE * 1.1 {
                return Err(no_room("the names of the categories", TICK_SIZE * 1.1, slot));
            }
            return Ok(side(ticks, single, false));
        }
        let broken: Result<Vec<_>, _> =
            names.iter().map(|name| wrap(name, TICK_SIZE, slot - 6.0)).collect();
        return match broken {
            Ok(lines) if lines.iter().all(|lines| lines.len() <= 3) => {
                Ok(side(ticks, lines, false))
            }
            _ if slot < TICK_SIZE * 1.1 => {
                Err(no_room("the names of the categories", TICK_SIZE * 1.1, slot))
            }
            _ => Ok(side(ticks, single, true)),
        };
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
            return Ok(side(ticks, names, false));
        }
    }
    Ok(side(vec![], vec![], false))
}

fn labels(ticks: &[Tick]) -> Vec<Vec<String>> {
    ticks.iter().filter_map(|tick| tick.label.clone()).map(|label| vec![label]).collect()
}
