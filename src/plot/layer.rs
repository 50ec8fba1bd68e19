//! Layers: what can be drawn in a panel, and the checks that make drawing it safe.

use std::str::FromStr;

use super::axis::{Axis, Reach};
use super::error::Error;
use super::scale::is_drawable;
use super::text;

/// What a series is for, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Something measured; it gets a colour and a marker.
    #[default]
    Series,
    /// The trivial way that everything is compared with: grey and dashed.
    Control,
    /// A closed form, a bound, or the baseline of guessing: black and dotted.
    Expected,
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "series" => Ok(Self::Series),
            "control" => Ok(Self::Control),
            "expected" => Ok(Self::Expected),
            _ => Err(Error::Role { name: name.to_owned() }),
        }
    }
}

/// To whom a layer belongs: layers of one name share a look and a line of the legend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    name: String,
    role: Role,
    slot: Option<usize>,
}

impl Series {
    /// Returns a series that takes the next free colour. Without a name it has no legend.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Gives the series another role.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Fixes its colour and marker, so that it looks the same in every figure.
    #[must_use]
    pub fn slot(self, slot: usize) -> Self {
        Self { slot: Some(slot), ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn get_role(&self) -> Role {
        self.role
    }

    pub(super) fn get_slot(&self) -> Option<usize> {
        self.slot
    }

    fn described(&self) -> String {
        if self.name.is_empty() { "a series without a name".to_owned() } else { self.name.clone() }
    }
}

/// One thing to draw in a panel, in the coordinates of its axes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// A line through points, in the order given, with markers.
    Line {
        /// Whose it is.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
    },
    /// Markers alone.
    Dots {
        /// Whose they are.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
    },
    /// Small faint dots, for all repeats behind a line of their medians.
    Repeats {
        /// Whose they are.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
    },
    /// A line that keeps each value until the next position.
    Steps {
        /// Whose it is.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Values from each position on.
        y: Vec<f64>,
    },
    /// Upright bars from zero, or from the bottom of a logarithmic axis.
    Bars {
        /// Whose they are.
        series: Series,
        /// Left sides.
        left: Vec<f64>,
        /// Right sides.
        right: Vec<f64>,
        /// Heights.
        height: Vec<f64>,
    },
    /// The area between two curves.
    Band {
        /// Whose it is.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Lower curve.
        low: Vec<f64>,
        /// Upper curve.
        high: Vec<f64>,
    },
    /// Upright lines, for confidence intervals.
    Intervals {
        /// Whose they are.
        series: Series,
        /// Positions.
        x: Vec<f64>,
        /// Lower ends.
        low: Vec<f64>,
        /// Upper ends.
        high: Vec<f64>,
    },
    /// A horizontal line across the panel.
    Level {
        /// Whose it is.
        series: Series,
        /// Its value.
        y: f64,
    },
    /// A vertical line across the panel.
    Upright {
        /// Whose it is.
        series: Series,
        /// Its position.
        x: f64,
    },
    /// A few words beside a point.
    Note {
        /// Position.
        x: f64,
        /// Value.
        y: f64,
        /// The words.
        text: String,
    },
    /// Cells coloured by a value, with a bar that explains the colours.
    Heat {
        /// Borders of the columns, one more than columns.
        x_edges: Vec<f64>,
        /// Borders of the rows, one more than rows.
        y_edges: Vec<f64>,
        /// One value per cell, row by row from the first.
        values: Vec<f64>,
        /// What is coloured, with its unit.
        label: String,
    },
}

type Column<'a> = (&'static str, &'a [f64]);

impl Layer {
    pub(super) fn series(&self) -> Option<&Series> {
        match self {
            Self::Line { series, .. }
            | Self::Dots { series, .. }
            | Self::Repeats { series, .. }
            | Self::Steps { series, .. }
            | Self::Bars { series, .. }
            | Self::Band { series, .. }
            | Self::Intervals { series, .. }
            | Self::Level { series, .. }
            | Self::Upright { series, .. } => Some(series),
            Self::Note { .. } | Self::Heat { .. } => None,
        }
    }

    /// Its columns along x, then along y.
    fn columns(&self) -> (Vec<Column<'_>>, Vec<Column<'_>>) {
        match self {
            Self::Line { x, y, .. }
            | Self::Dots { x, y, .. }
            | Self::Repeats { x, y, .. }
            | Self::Steps { x, y, .. } => (vec![("x", x)], vec![("y", y)]),
            Self::Bars { left, right, height, .. } => {
                (vec![("left", left), ("right", right)], vec![("height", height)])
            }
            Self::Band { x, low, high, .. } | Self::Intervals { x, low, high, .. } => {
                (vec![("x", x)], vec![("low", low), ("high", high)])
            }
            Self::Level { y, .. } => (vec![], vec![("y", std::slice::from_ref(y))]),
            Self::Upright { x, .. } => (vec![("x", std::slice::from_ref(x))], vec![]),
            Self::Note { x, y, .. } => {
                (vec![("x", std::slice::from_ref(x))], vec![("y", std::slice::from_ref(y))])
            }
            Self::Heat { x_edges, y_edges, .. } => {
                (vec![("x_edges", x_edges)], vec![("y_edges", y_edges)])
            }
        }
    }

    fn described(&self) -> String {
        match self {
            Self::Note { text, .. } => format!("the note \"{text}\""),
            Self::Heat { label, .. } => format!("the heat map \"{label}\""),
            _ => self.series().map(Series::described).unwrap_or_default(),
        }
    }

    /// Refuses whatever could not be drawn on these axes, naming series, column and position.
    pub(super) fn check(&self, x_axis: &Axis, y_axis: &Axis) -> Result<(), Error> {
        match self {
            Self::Note { text, .. } => text::check("a note", text)?,
            Self::Heat { label, .. } => text::check("the label of a heat map", label)?,
            _ => text::check("the name of a series", self.series().map_or("", Series::name))?,
        }
        let (along_x, along_y) = self.columns();
        for (axis, columns) in [(x_axis, along_x), (y_axis, along_y)] {
            for (column, values) in columns {
                self.check_finite(column, values)?;
                if let Some(index) = values.iter().position(|&at| at <= 0.0 && axis.is_log()) {
                    let series = self.described();
                    return Err(Error::NotPositive { series, column, index });
                }
            }
        }
        self.check_lengths()?;
        match self {
            Self::Steps { x, .. } => self.check_ascending("x", x, |a, b| a <= b),
            Self::Heat { x_edges, y_edges, values, .. } => {
                self.check_finite("values", values)?;
                self.check_ascending("x_edges", x_edges, |a, b| a < b)?;
                self.check_ascending("y_edges", y_edges, |a, b| a < b)
            }
            _ => Ok(()),
        }
    }

    fn check_finite(&self, column: &'static str, values: &[f64]) -> Result<(), Error> {
        match values.iter().position(|&value| !is_drawable(value)) {
            None => Ok(()),
            Some(index) => Err(Error::NotFinite { series: self.described(), column, index }),
        }
    }

    fn check_ascending(
        &self,
        column: &'static str,
        values: &[f64],
        is_order: impl Fn(f64, f64) -> bool,
    ) -> Result<(), Error> {
        match values.windows(2).position(|pair| !is_order(pair[0], pair[1])) {
            None => Ok(()),
            Some(before) => {
                Err(Error::Order { series: self.described(), column, index: before + 1 })
            }
        }
    }

    fn check_lengths(&self) -> Result<(), Error> {
        let wrong = |column, expected, got| {
            Err(Error::Length { series: self.described(), column, expected, got })
        };
        if let Self::Heat { x_edges, y_edges, values, .. } = self {
            for (column, edges) in [("x_edges", x_edges), ("y_edges", y_edges)] {
                if edges.len() < 2 {
                    return wrong(column, 2, edges.len());
                }
            }
            let cells = (x_edges.len() - 1).saturating_mul(y_edges.len() - 1);
            return if values.len() == cells {
                Ok(())
            } else {
                wrong("values", cells, values.len())
            };
        }
        if matches!(self, Self::Level { .. } | Self::Upright { .. }) {
            return Ok(());
        }
        let (along_x, along_y) = self.columns();
        let expected = along_x.first().map_or(0, |(_, values)| values.len());
        for (column, values) in along_x.into_iter().chain(along_y) {
            if values.len() != expected {
                return wrong(column, expected, values.len());
            }
        }
        Ok(())
    }

    /// Whether there is nothing in it; lines across the panel and notes do not count as data.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Level { .. } | Self::Upright { .. } | Self::Note { .. } => true,
            _ => self.columns().0.iter().all(|(_, values)| values.is_empty()),
        }
    }

    pub(super) fn reach(&self, x: &mut Reach, y: &mut Reach) {
        let (along_x, along_y) = self.columns();
        for (reach, columns) in [(&mut *x, along_x), (&mut *y, along_y)] {
            columns.iter().flat_map(|(_, values)| *values).for_each(|&value| reach.add(value));
        }
        match self {
            Self::Bars { height, .. } if !height.is_empty() => y.has_base = true,
            Self::Heat { .. } => (x.is_tight, y.is_tight) = (true, true),
            _ => {}
        }
    }
}
