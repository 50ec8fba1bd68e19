use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::released;
use crate::plot::{self, Axis, Error, Layer, Series};

type Column<'py> = PyReadonlyArray1<'py, f64>;
/// Label, scale, lower bound, upper bound, categories.
type AxisSpec = (String, String, Option<f64>, Option<f64>, Option<Vec<String>>);
/// Name, role, slot.
type SeriesSpec = (String, String, Option<usize>);

fn axis((label, scale, low, high, categories): AxisSpec) -> Result<Axis, Error> {
    let axis = Axis::new(label).scale(scale.parse()?).range(low, high);
    Ok(match categories {
        Some(names) => axis.categories(names),
        None => axis,
    })
}

fn series((name, role, slot): SeriesSpec) -> Result<Series, Error> {
    let series = Series::new(name).role(role.parse()?);
    Ok(match slot {
        Some(slot) => series.slot(slot),
        None => series,
    })
}

fn column(values: &Column<'_>) -> Vec<f64> {
    values.as_array().to_vec()
}

/// Behind `mopse.plot.Figure`.
#[pyclass(module = "mopse._mopse.plot")]
pub(super) struct Panel(plot::Panel);

#[pymethods]
impl Panel {
    #[new]
    fn new(x: AxisSpec, y: AxisSpec) -> PyResult<Self> {
        Ok(Self(plot::Panel::new(axis(x)?, axis(y)?)?))
    }

    /// Behind `mopse.plot.Figure.line`.
    fn line(&mut self, who: SeriesSpec, x: Column<'_>, y: Column<'_>) -> PyResult<()> {
        Ok(self.0.add(Layer::Line { series: series(who)?, x: column(&x), y: column(&y) })?)
    }

    /// Behind `mopse.plot.Figure.dots`.
    fn dots(&mut self, who: SeriesSpec, x: Column<'_>, y: Column<'_>) -> PyResult<()> {
        Ok(self.0.add(Layer::Dots { series: series(who)?, x: column(&x), y: column(&y) })?)
    }

    /// Behind `mopse.plot.Figure.repeats`.
    fn repeats(&mut self, who: SeriesSpec, x: Column<'_>, y: Column<'_>) -> PyResult<()> {
        Ok(self.0.add(Layer::Repeats { series: series(who)?, x: column(&x), y: column(&y) })?)
    }

    /// Behind `mopse.plot.Figure.steps`.
    fn steps(&mut self, who: SeriesSpec, x: Column<'_>, y: Column<'_>) -> PyResult<()> {
        Ok(self.0.add(Layer::Steps { series: series(who)?, x: column(&x), y: column(&y) })?)
    }

    /// Behind `mopse.plot.Figure.bars`.
    fn bars(
        &mut self,
        who: SeriesSpec,
        left: Column<'_>,
        right: Column<'_>,
        height: Column<'_>,
    ) -> PyResult<()> {
        Ok(self.0.add(Layer::Bars {
            series: series(who)?,
            left: column(&left),
            right: column(&right),
            height: column(&height),
        })?)
    }

    /// Behind `mopse.plot.Figure.band`.
    fn band(
        &mut self,
        who: SeriesSpec,
        x: Column<'_>,
        low: Column<'_>,
        high: Column<'_>,
    ) -> PyResult<()> {
        Ok(self.0.add(Layer::Band {
            series: series(who)?,
            x: column(&x),
            low: column(&low),
            high: column(&high),
        })?)
    }

    /// Behind `mopse.plot.Figure.intervals`.
    fn intervals(
        &mut self,
        who: SeriesSpec,
        x: Column<'_>,
        low: Column<'_>,
        high: Column<'_>,
    ) -> PyResult<()> {
        Ok(self.0.add(Layer::Intervals {
            series: series(who)?,
            x: column(&x),
            low: column(&low),
            high: column(&high),
        })?)
    }

    /// Behind `mopse.plot.Figure.level`.
    fn level(&mut self, who: SeriesSpec, y: f64) -> PyResult<()> {
        Ok(self.0.add(Layer::Level { series: series(who)?, y })?)
    }

    /// Behind `mopse.plot.Figure.upright`.
    fn upright(&mut self, who: SeriesSpec, x: f64) -> PyResult<()> {
        Ok(self.0.add(Layer::Upright { series: series(who)?, x })?)
    }

    /// Behind `mopse.plot.Figure.note`.
    fn note(&mut self, x: f64, y: f64, text: String) -> PyResult<()> {
        Ok(self.0.add(Layer::Note { x, y, text })?)
    }

    /// Behind `mopse.plot.Figure.heat`.
    fn heat(
        &mut self,
        x_edges: Column<'_>,
        y_edges: Column<'_>,
        values: Column<'_>,
        label: String,
    ) -> PyResult<()> {
        Ok(self.0.add(Layer::Heat {
            x_edges: column(&x_edges),
            y_edges: column(&y_edges),
            values: column(&values),
            label,
        })?)
    }
}

/// A panel and the line above it.
type Titled<'py> = (String, PyRef<'py, Panel>);

fn figure(
    panels: &[Titled<'_>],
    columns: usize,
    title: String,
    (width, height): (u32, u32),
) -> Result<plot::Figure, Error> {
    let titled = |(title, panel): &Titled<'_>| {
        let mut panel = panel.0.clone();
        panel.set_title(title)?;
        Ok(panel)
    };
    let panels = panels.iter().map(titled).collect::<Result<_, Error>>()?;
    Ok(plot::Figure::new(panels).columns(columns).title(title).size(width, height))
}

/// Behind `mopse.plot.Figure.svg`.
#[pyfunction]
pub(super) fn draw_svg(
    py: Python<'_>,
    panels: Vec<Titled<'_>>,
    columns: usize,
    title: String,
    size: (u32, u32),
) -> PyResult<String> {
    let figure = figure(&panels, columns, title, size)?;
    released(py, || figure.svg())
}

/// Behind `mopse.plot.Figure.png`.
#[pyfunction]
pub(super) fn draw_png<'py>(
    py: Python<'py>,
    panels: Vec<Titled<'py>>,
    columns: usize,
    title: String,
    size: (u32, u32),
) -> PyResult<Bound<'py, PyBytes>> {
    let figure = figure(&panels, columns, title, size)?;
    let bytes = released(py, || figure.png())?;
    Ok(PyBytes::new(py, &bytes))
}
