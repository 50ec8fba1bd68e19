//! Drawing shapes in either format through plotters' backends.
//!
//! [`Pen`] speaks in logical pixels. plotters takes whole numbers, so coordinates are passed in
//! tenths of a pixel, and the SVG's `viewBox` or [`Raster`] scales them back.

mod raster;

use std::convert::Infallible;

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, FontFamily, FontTransform,
};

use super::error::Error;
use super::style::{Dash, Rgb};
use super::text::{self, HALF_CAPITAL, HALF_EX};
use crate::stop;
use raster::Raster;

/// A place in logical pixels, from the upper left corner.
pub(super) type Point = (f64, f64);

/// Drawing units per logical pixel.
const UNITS: u32 = 10;
/// plotters writes a font size divided by this into an SVG.
const PLOTTERS_FONT_FACTOR: f64 = 1.24;

#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub color: Rgb,
    pub alpha: f64,
    pub width: f64,
    pub dash: Dash,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub color: Rgb,
    pub alpha: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lettering {
    pub size: f64,
    pub color: Rgb,
    pub anchor: Anchor,
    /// Reads from bottom to top.
    pub upright: bool,
}

/// Draws an SVG document.
pub(super) fn svg(
    (width, height): (u32, u32),
    title: &str,
    draw: impl FnOnce(&mut Pen<SVGBackend<'_>>) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut body = String::new();
    let size = (width * UNITS, height * UNITS);
    let mut pen = Pen { backend: SVGBackend::with_string(&mut body, size) };
    draw(&mut pen)?;
    pen.backend.present().map_err(failed)?;
    drop(pen);

    // The header of our own scales the tenths back and rounds the joins of all strokes.
    let (_, shapes) = body.split_once('\n').unwrap_or_default();
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\" stroke-linejoin=\"round\" role=\"img\">\n<title>{title}</title>\n\
         {shapes}",
        size.0, size.1
    ))
}

/// Draws a PNG image.
pub(super) fn png(
    size: (u32, u32),
    draw: impl FnOnce(&mut Pen<Raster>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut pen = Pen { backend: Raster::new(size)? };
    draw(&mut pen)?;
    pen.backend.encode().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Backend { reason: error.to_string() }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped far inside the range of i32")]
fn units(pixels: f64) -> i32 {
    (pixels * f64::from(UNITS)).round().clamp(-1e8, 1e8) as i32
}

fn units_at((x, y): Point) -> BackendCoord {
    (units(x), units(y))
}

/// Draws shapes in logical pixels on one of plotters' backends.
#[derive(Debug)]
pub(super) struct Pen<B> {
    backend: B,
}

impl<B: DrawingBackend> Pen<B> {
    pub fn line(&mut self, points: &[Point], stroke: &Stroke) -> Result<(), Error> {
        stop::check();
        let style = ShapeStyle::new(stroke.color, stroke.alpha, stroke.width);
        let pieces = match stroke.dash {
            None => vec![points.to_vec()],
            Some(dash) => dashes(points, dash),
        };
        for piece in pieces {
            let mut path: Vec<BackendCoord> = piece.into_iter().map(units_at).collect();
            path.dedup();
            if path.len() > 1 {
                self.backend.draw_path(path, &style).map_err(failed)?;
            }
        }
        Ok(())
    }

    pub fn polygon(&mut self, points: &[Point], fill: &Fill) -> Result<(), Error> {
        stop::check();
        let mut path: Vec<BackendCoord> = points.iter().copied().map(units_at).collect();
        path.dedup();
        if path.len() < 3 {
            return Ok(());
        }
        let style = ShapeStyle::new(fill.color, fill.alpha, 0.0);
        self.backend.fill_polygon(path, &style).map_err(failed)
    }

    pub fn rectangle(&mut self, from: Point, to: Point, fill: &Fill) -> Result<(), Error> {
        stop::check();
        let (a, b) = (units_at(from), units_at(to));
        let style = ShapeStyle::new(fill.color, fill.alpha, 0.0);
        let upper_left = (a.0.min(b.0), a.1.min(b.1));
        let lower_right = (a.0.max(b.0), a.1.max(b.1));
        self.backend.draw_rect(upper_left, lower_right, &style, true).map_err(failed)
    }

    pub fn circle(&mut self, center: Point, radius: f64, fill: &Fill) -> Result<(), Error> {
        stop::check();
        let style = ShapeStyle::new(fill.color, fill.alpha, 0.0);
        let radius = units(radius).unsigned_abs();
        self.backend.draw_circle(units_at(center), radius, &style, true).map_err(failed)
    }

    /// Letters are centred on `at` by the height of their capitals.
    pub fn text(&mut self, text: &str, at: Point, lettering: &Lettering) -> Result<(), Error> {
        // Backends centre by the height of an `x`.
        let drop = (HALF_CAPITAL - HALF_EX) * lettering.size;
        let at = if lettering.upright { (at.0 + drop, at.1) } else { (at.0, at.1 + drop) };
        self.backend.draw_text(text, lettering, units_at(at)).map_err(failed)
    }
}

/// Cuts a path into its dashes.
fn dashes(points: &[Point], (dash, gap): (f64, f64)) -> Vec<Vec<Point>> {
    let mut pieces = vec![];
    let Some(&first) = points.first() else { return pieces };
    let mut piece = vec![first];
    let mut is_dash = true;
    let mut left = dash;
    for pair in points.windows(2) {
        let mut from = pair[0];
        let to = pair[1];
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if is_dash {
                    piece.push(to);
                }
                break;
            }
            let part = left / length;
            from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            // Either the end of a dash or the start of the next one.
            piece.push(from);
            if is_dash {
                pieces.push(std::mem::take(&mut piece));
            }
            is_dash = !is_dash;
            left = if is_dash { dash } else { gap };
        }
    }
    if is_dash {
        pieces.push(piece);
    }
    pieces
}

struct ShapeStyle {
    color: BackendColor,
    width: u32,
}

impl ShapeStyle {
    fn new(rgb: Rgb, alpha: f64, width: f64) -> Self {
        Self { color: BackendColor { alpha, rgb }, width: units(width).unsigned_abs() }
    }
}

impl BackendStyle for ShapeStyle {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// Both backends draw text themselves, from the size, the anchor and the turn.
impl BackendTextStyle for Lettering {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        BackendColor { alpha: 1.0, rgb: self.color }
    }

    fn size(&self) -> f64 {
        self.size * f64::from(UNITS) * PLOTTERS_FONT_FACTOR
    }

    fn transform(&self) -> FontTransform {
        if self.upright { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn anchor(&self) -> Pos {
        let h_pos = match self.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        Pos { h_pos, v_pos: VPos::Center }
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(text::FAMILY)
    }

    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (0, 0)))
    }

    fn draw<E, F>(&self, _: &str, _: BackendCoord, _: F) -> Result<Result<(), E>, Infallible>
    where
        F: FnMut(i32, i32, BackendColor) -> Result<(), E>,
    {
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_are_counted_along_the_whole_path() {
        let path = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)];
        assert_eq!(
            dashes(&path, (3.0, 3.0)),
            [vec![(0.0, 0.0), (3.0, 0.0)], vec![(5.0, 1.0), (5.0, 4.0)]],
        );
        assert_eq!(dashes(&path, (20.0, 3.0)), [path.to_vec()]);
    }

    #[test]
    fn a_translucent_stroke_is_even_where_it_crosses_itself() {
        let bytes = |crossing: bool| {
            png((40, 40), |pen| {
                let mut path = vec![(5.0, 20.0), (35.0, 20.0)];
                if crossing {
                    path.extend([(20.0, 35.0), (20.0, 5.0)]);
                }
                let stroke = Stroke { color: (0, 0, 0), alpha: 0.5, width: 4.0, dash: None };
                pen.line(&path, &stroke)
            })
        };
        let center = |bytes: &[u8]| {
            let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            pixels[(40 * 80 + 40) * 3]
        };
        assert_eq!(center(&bytes(false).unwrap()), center(&bytes(true).unwrap()));
    }
}
