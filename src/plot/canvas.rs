//! Drawing shapes on either format through plotters' backends.
//!
//! [`Pen`] speaks in logical pixels. plotters takes whole numbers, so coordinates are passed in
//! tenths of a pixel, and the SVG's `viewBox` or [`Raster`] scales them back. [`Raster`] stands
//! before plotters' bitmap and gives it exactly antialiased strokes, fills and text.

use std::convert::Infallible;

use ab_glyph::OutlineCurve;
use ab_glyph_rasterizer::{Point as Spot, Rasterizer, point as spot};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontFamily,
    FontTransform,
};

use super::error::Error;
use super::style::{Dash, Rgb, WHITE};
use super::text::{self, HALF_CAPITAL, HALF_EX};

/// A place in logical pixels, from the upper left corner.
pub(super) type Point = (f64, f64);

/// Drawing units per logical pixel.
const UNITS: u32 = 10;
/// Image pixels per logical pixel of a PNG.
pub(super) const PIXELS: u32 = 2;
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
    (width, height): (u32, u32),
    draw: impl FnOnce(&mut Pen<Raster<'_>>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let (columns, rows) = (width * PIXELS, height * PIXELS);
    let mut pixels = vec![WHITE.0; index(columns) * index(rows) * 3];
    let mut pen = Pen {
        backend: Raster {
            size: (width * UNITS, height * UNITS),
            pixels: BitMapBackend::with_buffer(&mut pixels, (columns, rows)),
        },
    };
    draw(&mut pen)?;
    drop(pen);

    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // 96 logical pixels to the inch.
    let per_metre = PIXELS * 3780;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Backend { reason: error.to_string() }
}

fn index(value: u32) -> usize {
    value as usize
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
        let mut path: Vec<BackendCoord> = points.iter().copied().map(units_at).collect();
        path.dedup();
        if path.len() < 3 {
            return Ok(());
        }
        let style = ShapeStyle::new(fill.color, fill.alpha, 0.0);
        self.backend.fill_polygon(path, &style).map_err(failed)
    }

    pub fn rectangle(&mut self, from: Point, to: Point, fill: &Fill) -> Result<(), Error> {
        let (a, b) = (units_at(from), units_at(to));
        let style = ShapeStyle::new(fill.color, fill.alpha, 0.0);
        let upper_left = (a.0.min(b.0), a.1.min(b.1));
        let lower_right = (a.0.max(b.0), a.1.max(b.1));
        self.backend.draw_rect(upper_left, lower_right, &style, true).map_err(failed)
    }

    pub fn circle(&mut self, center: Point, radius: f64, fill: &Fill) -> Result<(), Error> {
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
    let (mut is_dash, mut left) = (true, dash);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
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
            if is_dash {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece.push(from);
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

/// plotters' bitmap behind coordinates in tenths of a logical pixel.
pub(super) struct Raster<'a> {
    size: (u32, u32),
    pixels: BitMapBackend<'a>,
}

type Drawn<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

impl Raster<'_> {
    /// Blends a colour into the pixels that the outline covers, by how much it covers them.
    fn cover(&mut self, outline: &[OutlineCurve], color: BackendColor) -> Drawn<'_> {
        let corners = outline.iter().flat_map(|curve| match *curve {
            OutlineCurve::Line(a, b) => vec![a, b],
            OutlineCurve::Quad(a, b, c) => vec![a, b, c],
            OutlineCurve::Cubic(a, b, c, d) => vec![a, b, c, d],
        });
        let (columns, rows) = self.pixels.get_size();
        let mut low = (f32::INFINITY, f32::INFINITY);
        let mut high = (f32::NEG_INFINITY, f32::NEG_INFINITY);
        for corner in corners {
            low = (low.0.min(corner.x), low.1.min(corner.y));
            high = (high.0.max(corner.x), high.1.max(corner.y));
        }
        let (left, right) = mask_side(low.0, high.0, columns);
        let (top, bottom) = mask_side(low.1, high.1, rows);
        if right <= left || bottom <= top {
            return Ok(());
        }

        let mut mask = Rasterizer::new(index(right - left), index(bottom - top));
        let end = single(f64::from(right - left));
        let origin = (single(f64::from(left)), single(f64::from(top)));
        // What lies beside the mask still winds around its rows, so it is moved to its edge.
        let place = |at: Spot| spot((at.x - origin.0).clamp(0.0, end), at.y - origin.1);
        for curve in outline {
            match *curve {
                OutlineCurve::Line(a, b) => mask.draw_line(place(a), place(b)),
                OutlineCurve::Quad(a, b, c) => mask.draw_quad(place(a), place(b), place(c)),
                OutlineCurve::Cubic(a, b, c, d) => {
                    mask.draw_cubic(place(a), place(b), place(c), place(d));
                }
            }
        }

        let mut drawn = Ok(());
        mask.for_each_pixel_2d(|x, y, coverage| {
            // Below this, no channel changes; rounding of the running sum stays below it too.
            if coverage < 0.004 || drawn.is_err() {
                return;
            }
            let (Ok(x), Ok(y)) = (i32::try_from(left + x), i32::try_from(top + y)) else { return };
            let alpha = color.alpha * f64::from(coverage.min(1.0));
            drawn = self.pixels.draw_pixel((x, y), BackendColor { alpha, rgb: color.rgb });
        });
        drawn
    }
}

/// The pixels that an interval touches, one more at its end for the rasterizer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and the numbers are cut to the image first"
)]
fn mask_side(low: f32, high: f32, pixels: u32) -> (u32, u32) {
    let low = low.floor().max(0.0) as u32;
    let high = (high.ceil().max(0.0) as u32).saturating_add(1).min(pixels);
    (low.min(pixels), high)
}

#[expect(clippy::cast_possible_truncation, reason = "positions in an image need few digits")]
fn single(value: f64) -> f32 {
    value as f32
}

/// From drawing units to image pixels.
fn spot_at((x, y): (f64, f64)) -> Spot {
    let scale = f64::from(PIXELS) / f64::from(UNITS);
    spot(single(x * scale), single(y * scale))
}

fn closed(corners: &[(f64, f64)], outline: &mut Vec<OutlineCurve>) {
    let Some(&last) = corners.last() else { return };
    let mut before = spot_at(last);
    for &corner in corners {
        let next = spot_at(corner);
        outline.push(OutlineCurve::Line(before, next));
        before = next;
    }
}

/// A circle as a polygon too fine to see; it winds as the sides of a stroke do.
fn disc((x, y): (f64, f64), radius: f64, outline: &mut Vec<OutlineCurve>) {
    let corners: Vec<_> = (0..32)
        .map(|corner| {
            let angle = std::f64::consts::TAU * f64::from(corner) / 32.0;
            (x + radius * angle.cos(), y + radius * angle.sin())
        })
        .collect();
    closed(&corners, outline);
}

/// The outline of a stroke: a rectangle per segment and a disc per joint. All wind the same way,
/// so that their overlaps count once.
fn stroked(path: &[BackendCoord], width: u32) -> Vec<OutlineCurve> {
    let half = f64::from(width) / 2.0;
    let mut outline = vec![];
    let path: Vec<(f64, f64)> = path.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).collect();
    for pair in path.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        if length > 0.0 {
            let side = (-(b.1 - a.1) / length * half, (b.0 - a.0) / length * half);
            let corners = [
                (a.0 - side.0, a.1 - side.1),
                (b.0 - side.0, b.1 - side.1),
                (b.0 + side.0, b.1 + side.1),
                (a.0 + side.0, a.1 + side.1),
            ];
            closed(&corners, &mut outline);
        }
    }
    for &joint in path.iter().skip(1).take(path.len().saturating_sub(2)) {
        disc(joint, half, &mut outline);
    }
    outline
}

impl<'a> DrawingBackend for Raster<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.pixels.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.pixels.present()
    }

    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let style = ShapeStyle { color, width: 0 };
        self.draw_rect((x, y), (x + 1, y + 1), &style, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.cover(&stroked(&[from, to], style.stroke_width()), style.color())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        if fill {
            self.fill_polygon(corners, style)
        } else {
            self.draw_path(corners.into_iter().chain([(left, top)]), style)
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let path: Vec<_> = path.into_iter().collect();
        self.cover(&stroked(&path, style.stroke_width()), style.color())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let path: Vec<_> = path.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
        let mut outline = vec![];
        closed(&path, &mut outline);
        self.cover(&outline, style.color())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let mut outline = vec![];
        disc((f64::from(x), f64::from(y)), f64::from(radius), &mut outline);
        if fill {
            return self.cover(&outline, style.color());
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let size = style.size() / PLOTTERS_FONT_FACTOR;
        let start = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -text::width(text, size) / 2.0,
            HPos::Right => -text::width(text, size),
        };
        let upright = matches!(style.transform(), FontTransform::Rotate270);
        let place = |at: Spot| {
            let along = start + f64::from(at.x) * size;
            let down = (f64::from(at.y) + HALF_EX) * size;
            let (dx, dy) = if upright { (down, -along) } else { (along, down) };
            spot_at((f64::from(x) + dx, f64::from(y) + dy))
        };
        let outline: Vec<_> = text::outlines(text)
            .into_iter()
            .map(|curve| match curve {
                OutlineCurve::Line(a, b) => OutlineCurve::Line(place(a), place(b)),
                OutlineCurve::Quad(a, b, c) => OutlineCurve::Quad(place(a), place(b), place(c)),
                OutlineCurve::Cubic(a, b, c, d) => {
                    OutlineCurve::Cubic(place(a), place(b), place(c), place(d))
                }
            })
            .collect();
        self.cover(&outline, style.color())
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
