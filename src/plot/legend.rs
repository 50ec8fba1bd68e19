//! Who looks like what, and the legend that says so.

use super::Figure;
use super::canvas::Point;
use super::error::Error;
use super::layer::{Layer, Role, Series};
use super::style::{self, LEGEND_SIZE, Look};
use super::text::{no_room, width};

pub(super) const KEY_WIDTH: f64 = 30.0;
pub(super) const KEY_GAP: f64 = 7.0;
const ENTRY_GAP: f64 = 20.0;
const ROW_HEIGHT: f64 = LEGEND_SIZE * 1.55;

/// One entry of the legend.
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

impl Key {
    fn new(series: &Series, look: Look) -> Self {
        Self {
            name: series.name().to_owned(),
            role: series.get_role(),
            look,
            has_line: false,
            has_marker: false,
            has_fill: false,
            at: (0.0, 0.0),
        }
    }

    /// Only series without a name share a name across roles.
    pub fn is_of(&self, series: &Series) -> bool {
        self.name == series.name() && self.role == series.get_role()
    }

    fn show(&mut self, layer: &Layer) {
        match layer {
            Layer::Line { .. } | Layer::Steps { .. } => {
                self.has_line = true;
                self.has_marker = self.role != Role::Expected;
            }
            Layer::Dots { .. } => self.has_marker = true,
            Layer::Bars { .. } | Layer::Band { .. } => self.has_fill = true,
            Layer::Intervals { .. } | Layer::Level { .. } | Layer::Upright { .. } => {
                self.has_line = true;
            }
            Layer::Repeats { .. } | Layer::Note { .. } | Layer::Heat { .. } => {}
        }
    }

    fn says_something(&self) -> bool {
        !self.name.is_empty() && (self.has_line || self.has_marker || self.has_fill)
    }
}

/// A key per series: fixed slots first, the others take what is free, by first appearance.
pub(super) fn keys(figure: &Figure) -> Result<Vec<Key>, Error> {
    let layers = || figure.panels.iter().flat_map(|panel| &panel.layers);
    let fixed: Vec<usize> = layers().filter_map(|layer| layer.series()?.get_slot()).collect();
    let mut free = (0..).filter(|slot| !fixed.contains(slot));

    let mut keys: Vec<Key> = vec![];
    for layer in layers() {
        let Some(series) = layer.series() else { continue };
        let name = series.name();
        let role = series.get_role();
        if keys.iter().any(|key| key.name == name && key.role != role && !name.is_empty()) {
            return Err(Error::RoleClash { series: name.to_owned() });
        }
        let known = keys.iter().position(|key| key.is_of(series));
        let at = known.unwrap_or_else(|| {
            let look = match (role, series.get_slot()) {
                (Role::Control, _) => style::control(),
                (Role::Expected, _) => {
                    let before = keys.iter().filter(|key| key.role == Role::Expected).count();
                    style::expected(before)
                }
                (Role::Series, Some(slot)) => style::series(slot),
                (Role::Series, None) => style::series(free.next().unwrap_or(0)),
            };
            keys.push(Key::new(series, look));
            keys.len() - 1
        });
        keys[at].show(layer);
    }
    Ok(keys)
}

/// The keys that the legend shows, in rows of at most `room` from a corner, and where it ends.
pub(super) fn place(keys: &[Key], (left, top): Point, room: f64) -> Result<(Vec<Key>, f64), Error> {
    let mut shown: Vec<Key> = keys.iter().filter(|key| key.says_something()).cloned().collect();
    // One series that is neither control nor expected is explained by the axes.
    if let [] | [Key { role: Role::Series, .. }] = shown.as_slice() {
        return Ok((vec![], top));
    }
    let mut at = (left, top + ROW_HEIGHT / 2.0);
    for key in &mut shown {
        let need = KEY_WIDTH + KEY_GAP + width(&key.name, LEGEND_SIZE);
        if need > room {
            return Err(no_room(&key.name, need, room));
        }
        if at.0 + need > left + room {
            at = (left, at.1 + ROW_HEIGHT);
        }
        key.at = at;
        at.0 += need + ENTRY_GAP;
    }
    Ok((shown, at.1 + ROW_HEIGHT / 2.0))
}
