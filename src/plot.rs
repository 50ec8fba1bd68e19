//! Figures: a declarative description, drawn by plotters as SVG or PNG.
//!
//! A [`Figure`] is one [`Panel`] or a grid of them; a panel has two [`Axis`] and a list of
//! [`Layer`]s. There is one style for all: the control is grey and dashed, what is expected is
//! black and dotted, every other series has a colour and a marker of its own. Everything is
//! checked when it is added, so that drawing cannot fail on the data. Equal figures give equal bytes.
//!
//! # Sources
//!
//! * The rules of the style (axes say their unit, all repeats are shown, the control is always
//!   there): Hoefler and Belli, *Scientific Benchmarking of Parallel Computing Systems*, SC 2015,
//!   rules 5 and 12, [doi:10.1145/2807591.2807644].
//!
//! [doi:10.1145/2807591.2807644]: https://doi.org/10.1145/2807591.2807644

mod axis;
mod canvas;
mod draw;
mod error;
mod layer;
mod layout;
mod legend;
mod scale;
mod style;
mod text;
mod ticks;

pub use axis::Axis;
pub use error::Error;
pub use layer::{Layer, Role, Series};
pub use scale::Scale;
#[cfg(feature = "python")]
pub(crate) use text::prepare;

use axis::Reach;

/// Smallest and largest side of a figure, in logical pixels.
const SIDES: std::ops::RangeInclusive<u32> = 120..=2400;

/// One pair of axes and what is drawn between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    title: String,
    x: Axis,
    y: Axis,
    layers: Vec<Layer>,
}

impl Panel {
    /// Returns a panel with nothing in it.
    ///
    /// # Errors
    ///
    /// [`Error::Range`] if the bounds of an axis are not in order, or not positive on a
    /// logarithmic one; [`Error::Text`] if a text cannot be shown.
    pub fn new(x: Axis, y: Axis) -> Result<Self, Error> {
        x.check()?;
        y.check()?;
        Ok(Self { title: String::new(), x, y, layers: vec![] })
    }

    /// Sets the line above the panel.
    ///
    /// # Errors
    ///
    /// [`Error::Text`] if it cannot be shown.
    pub fn set_title(&mut self, title: &str) -> Result<(), Error> {
        text::check("the title of a panel", title)?;
        title.clone_into(&mut self.title);
        Ok(())
    }

    /// Adds a layer on top of the others.
    ///
    /// # Errors
    ///
    /// An error that names the series, the column and the position if lengths differ, if a number
    /// is not finite, or not positive on a logarithmic axis. The panel is then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use mopse::plot::{Axis, Figure, Layer, Panel, Series};
    ///
    /// let mut panel = Panel::new(Axis::new("entries"), Axis::new("time [ms]"))?;
    /// panel.add(Layer::Line {
    ///     series: Series::new("merge"),
    ///     x: vec![1.0, 2.0],
    ///     y: vec![3.0, 5.0],
    /// })?;
    /// assert!(Figure::new(vec![panel]).svg()?.contains("time [ms]"));
    /// # Ok::<(), mopse::plot::Error>(())
    /// ```
    pub fn add(&mut self, layer: Layer) -> Result<(), Error> {
        layer.check(&self.x, &self.y)?;
        self.layers.push(layer);
        Ok(())
    }

    fn reach(&self) -> (Reach, Reach) {
        let mut x = Reach::NONE;
        let mut y = Reach::NONE;
        for layer in &self.layers {
            layer.reach(&mut x, &mut y);
        }
        if y.has_base && !self.y.is_log() {
            y.add(0.0);
        }
        (x, y)
    }
}

/// A figure, ready to be drawn in either format.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
    title: String,
    width: u32,
    height: u32,
}

impl Figure {
    /// Returns a figure of 700 × 420 logical pixels with its panels side by side.
    #[must_use]
    pub fn new(panels: Vec<Panel>) -> Self {
        let columns = panels.len().max(1);
        Self { panels, columns, title: String::new(), width: 700, height: 420 }
    }

    /// Sets the headline.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Sets the size in logical pixels; a PNG has twice as many each way.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { width, height, ..self }
    }

    /// Sets how many panels stand in a row.
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: columns.max(1), ..self }
    }

    /// Returns the figure as an SVG document.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if a panel has nothing to draw, [`Error::Range`] if the data leave
    /// no room between the bounds of an axis, [`Error::RoleClash`] if a series has two roles,
    /// [`Error::Size`] and [`Error::Room`] if the figure is too small for what is in it.
    pub fn svg(&self) -> Result<String, Error> {
        let plan = self.plan()?;
        canvas::svg((self.width, self.height), &self.title, |pen| draw::figure(self, &plan, pen))
    }

    /// Returns the figure as a PNG image with two pixels per logical pixel.
    ///
    /// # Errors
    ///
    /// The same as [`svg`](Self::svg).
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let plan = self.plan()?;
        canvas::png((self.width, self.height), |pen| draw::figure(self, &plan, pen))
    }

    fn plan(&self) -> Result<layout::Plan, Error> {
        let Self { width, height, .. } = *self;
        if !SIDES.contains(&width) || !SIDES.contains(&height) {
            return Err(Error::Size { width, height, min: *SIDES.start(), max: *SIDES.end() });
        }
        text::check("the title", &self.title)?;
        let is_blank = |panel: &Panel| panel.layers.iter().all(Layer::is_empty);
        if let Some(panel) = self.panels.iter().position(is_blank) {
            return Err(Error::Empty { panel });
        }
        if self.panels.is_empty() {
            return Err(Error::Empty { panel: 0 });
        }
        layout::plan(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn series(name: &str) -> Series {
        Series::new(name)
    }

    fn line(name: &str, role: Role) -> Layer {
        Layer::Line {
            series: series(name).role(role),
            x: vec![1.0, 2.0, 3.0],
            y: vec![4.0, 1.0, 5.0],
        }
    }

    fn panel() -> Panel {
        Panel::new(Axis::new("entries"), Axis::new("time per entry [ns]")).unwrap()
    }

    fn figure(layers: Vec<Layer>) -> Figure {
        let mut panel = panel();
        for layer in layers {
            panel.add(layer).unwrap();
        }
        Figure::new(vec![panel])
    }

    #[test]
    fn the_control_is_grey_and_dashed_in_the_svg() {
        let svg =
            figure(vec![line("MOPSE", Role::Series), line("Plain", Role::Control)]).svg().unwrap();
        let strokes = |color: &str| svg.matches(&format!("stroke=\"{color}\"")).count();
        assert!(strokes("#777777") > 20, "the dashes of the control");
        assert_eq!(strokes("#0072B2"), 2, "the line and its key");
    }

    #[test]
    fn texts_are_in_the_svg_and_escaped() {
        let svg = figure(vec![line("a < b & c", Role::Series), line("Plain", Role::Control)])
            .title("x > y & \"z\"")
            .svg()
            .unwrap();
        for text in ["time per entry [ns]", "entries", "a &lt; b &amp; c", "x &gt; y &amp; "] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.contains("width=\"700\" height=\"420\" viewBox=\"0 0 7000 4200\""));
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_png_has_two_pixels_per_logical_pixel() {
        let png = figure(vec![line("MOPSE", Role::Series)]).size(300, 200).png().unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&png[16..24], [0, 0, 2, 88, 0, 0, 1, 144]);
    }

    #[test]
    fn equal_figures_give_equal_bytes() {
        let layers = || vec![line("MOPSE", Role::Series), line("Plain", Role::Control)];
        assert_eq!(figure(layers()).png(), figure(layers()).png());
        assert_eq!(figure(layers()).svg(), figure(layers()).svg());
    }

    #[test]
    fn a_fixed_slot_is_not_given_to_another_series() {
        let mut fixed = line("MOPSE", Role::Series);
        if let Layer::Line { series, .. } = &mut fixed {
            *series = series.clone().slot(0);
        }
        let plan = figure(vec![line("other", Role::Series), fixed]).plan().unwrap();
        assert_eq!(plan.look(&series("MOPSE")), style::series(0));
        assert_eq!(plan.look(&series("other")), style::series(1));
    }

    #[test]
    fn wrong_data_are_named_with_series_and_position() {
        let bad = |layer| panel().add(layer).unwrap_err().to_string();
        let who = || series("MOPSE");
        let x = || vec![1.0, 2.0];
        let nan = Layer::Line { series: who(), x: x(), y: vec![1.0, f64::NAN] };
        assert_eq!(bad(nan), "MOPSE: value 1 of y is not a finite number within ±1e300");
        let short = Layer::Dots { series: who(), x: x(), y: vec![1.0] };
        assert_eq!(bad(short), "MOPSE: y has 1 values, expected 2");
        let down = Layer::Steps { series: who(), x: vec![2.0, 1.0], y: x() };
        assert_eq!(bad(down), "MOPSE: value 1 of x is not above the one before it");
        let cells = Layer::Heat { x_edges: x(), y_edges: x(), values: x(), label: "n".into() };
        assert_eq!(bad(cells), "the heat map \"n\": values has 2 values, expected 1");
        let name = Layer::Level { series: series("a\u{7}"), y: 1.0 };
        assert!(bad(name).contains("control character"));

        let mut log = Panel::new(Axis::new("n").scale(Scale::Log10), Axis::new("t [s]")).unwrap();
        let zero = Layer::Line { series: who(), x: vec![1.0, 0.0], y: x() };
        assert_eq!(
            log.add(zero),
            Err(Error::NotPositive { series: "MOPSE".into(), column: "x", index: 1 }),
        );
    }

    #[test]
    fn figures_that_cannot_be_drawn_are_refused() {
        let level = Layer::Level { series: series("guessing"), y: 1.0 };
        assert_eq!(Figure::new(vec![]).svg(), Err(Error::Empty { panel: 0 }));
        assert_eq!(figure(vec![level]).svg(), Err(Error::Empty { panel: 0 }));
        let clash = figure(vec![line("Plain", Role::Series), line("Plain", Role::Control)]);
        assert_eq!(clash.svg(), Err(Error::RoleClash { series: "Plain".into() }));
        let tiny = figure(vec![line("MOPSE", Role::Series)]).size(10, 10);
        assert!(matches!(tiny.svg(), Err(Error::Size { .. })));
        let narrow = figure(vec![line("MOPSE", Role::Series)]).size(120, 120);
        assert!(matches!(narrow.svg(), Err(Error::Room { .. })));
        assert!(matches!("log3".parse::<Scale>(), Err(Error::Scale { .. })));
        assert!(matches!("guess".parse::<Role>(), Err(Error::Role { .. })));
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            40 => 0.1..100.0,
            10 => -100.0..100.0,
            5 => -1e300..1e300,
            4 => prop_oneof![Just(0.0), Just(1e-300), Just(1.0), Just(1e300)],
            1 => prop_oneof![Just(f64::INFINITY), Just(f64::NAN)],
        ]
    }

    fn scale() -> impl Strategy<Value = Scale> {
        prop_oneof![3 => Just(Scale::Linear), 1 => Just(Scale::Log2), 1 => Just(Scale::Log10)]
    }

    fn bound() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![3 => Just(None), 1 => number().prop_map(Some)]
    }

    fn any_layer() -> impl Strategy<Value = Layer> {
        let column = || vec(number(), 0..6);
        (0..11_u8, "[a-zA-Z µ<&]{0,12}", column(), column(), column(), number(), number()).prop_map(
            |(kind, text, mut x, mut low, mut high, a, b)| {
                // Mostly equal lengths, so that most figures get as far as being drawn.
                let length = x.len().min(low.len()).min(high.len());
                if a < 90.0 {
                    for column in [&mut x, &mut low, &mut high] {
                        column.truncate(length);
                    }
                }
                let series = Series::new(text.clone());
                match kind {
                    0 => Layer::Line { series, x, y: low },
                    1 => Layer::Dots { series, x, y: low },
                    2 => Layer::Repeats { series, x, y: low },
                    3 => Layer::Steps { series, x, y: low },
                    4 => Layer::Bars { series, left: x, right: low, height: high },
                    5 => Layer::Band { series, x, low, high },
                    6 => Layer::Intervals { series, x, low, high },
                    7 => Layer::Level { series, y: a },
                    8 => Layer::Upright { series, x: a },
                    9 => Layer::Note { x: a, y: b, text },
                    _ => {
                        x.sort_by(f64::total_cmp);
                        low.sort_by(f64::total_cmp);
                        let cells = x.len().saturating_sub(1) * low.len().saturating_sub(1);
                        Layer::Heat {
                            x_edges: x,
                            y_edges: low,
                            values: vec![a; cells],
                            label: text,
                        }
                    }
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Law: whatever is described, it is drawn or refused; nothing panics.
        #[test]
        fn no_figure_panics(
            layers in vec(any_layer(), 1..8),
            (x_scale, y_scale) in (scale(), scale()),
            (x_low, x_high, y_low, y_high) in (bound(), bound(), bound(), bound()),
            names in prop_oneof![3 => Just(None), 1 => vec("[a-z ]{0,30}", 0..12).prop_map(Some)],
            (width, height) in (100_u32..700, 100_u32..600),
            copies in 1_usize..4,
        ) {
            let mut x = Axis::new("some quantity [ns]").scale(x_scale).range(x_low, x_high);
            if let Some(names) = names {
                x = x.categories(names);
            }
            let y = Axis::new("another quantity [MB]").scale(y_scale).range(y_low, y_high);
            if let Ok(mut panel) = Panel::new(x, y) {
                for layer in layers {
                    // A refused layer is left out; the others must still draw.
                    let _ = panel.add(layer);
                }
                let figure = Figure::new(vec![panel; copies]).columns(2).size(width, height);
                prop_assert_eq!(figure.svg().is_ok(), figure.png().is_ok());
            }
        }
    }
}
