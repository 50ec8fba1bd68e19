//! A PNG behind plotters: fills, strokes and text on an image, antialiased by tiny-skia.

use std::convert::Infallible;

use plotters::backend::DrawingBackend;
use plotters_backend::text_anchor::HPos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform,
};
use tiny_skia::{
    Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform,
};

use super::{PLOTTERS_FONT_FACTOR, UNITS, failed};
use crate::plot::error::Error;
use crate::plot::text::{self, HALF_EX};

/// Image pixels per logical pixel.
const PIXELS: u32 = 2;
/// Image pixels per drawing unit.
const SCALE: f32 = PIXELS as f32 / UNITS as f32;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// An image behind coordinates in tenths of a logical pixel.
pub(in crate::plot) struct Raster {
    size: (u32, u32),
    image: Pixmap,
}

impl Raster {
    pub fn new((width, height): (u32, u32)) -> Result<Self, Error> {
        let mut image = Pixmap::new(width * PIXELS, height * PIXELS)
            .ok_or_else(|| failed("there is no image of this size"))?;
        image.fill(Color::WHITE);
        Ok(Self { size: (width * UNITS, height * UNITS), image })
    }

    pub fn encode(&self) -> Result<Vec<u8>, png::EncodingError> {
        // Opaque from the start, so that no colour is premultiplied.
        let pixels = self.image.pixels().iter();
        let pixels: Vec<u8> =
            pixels.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();

        let mut bytes = vec![];
        let mut encoder = png::Encoder::new(&mut bytes, self.image.width(), self.image.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // Flat colours repeat themselves; differences between neighbours repeat less.
        encoder.set_filter(png::Filter::NoFilter);
        // 96 logical pixels to the inch.
        let per_metre = PIXELS * 3780;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: per_metre,
            yppu: per_metre,
            unit: png::Unit::Meter,
        }));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    fn rectangle(&mut self, from: BackendCoord, to: BackendCoord, color: BackendColor) {
        let side = |units: i32| units as f32 * SCALE;
        // Scaled here and not by a transform, for which tiny-skia takes a slower way.
        if let Some(area) = Rect::from_ltrb(side(from.0), side(from.1), side(to.0), side(to.1)) {
            self.image.fill_rect(area, &paint(color), Transform::identity(), None);
        }
    }

    fn fill(&mut self, path: Option<Path>, color: BackendColor, place: Transform) {
        if let Some(path) = path {
            self.image.fill_path(&path, &paint(color), FillRule::Winding, place, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, style: &impl BackendStyle) {
        let width = style.stroke_width() as f32;
        let stroke = Stroke { width, line_join: LineJoin::Round, ..Stroke::default() };
        if let Some(path) = path {
            self.image.stroke_path(&path, &paint(style.color()), &stroke, to_pixels(), None);
        }
    }
}

fn paint(BackendColor { alpha, rgb: (red, green, blue) }: BackendColor) -> Paint<'static> {
    let mut color = Color::from_rgba8(red, green, blue, u8::MAX);
    color.set_alpha(single(alpha));
    let mut paint = Paint::default();
    paint.set_color(color);
    paint
}

fn to_pixels() -> Transform {
    Transform::from_scale(SCALE, SCALE)
}

fn path(points: impl IntoIterator<Item = BackendCoord>) -> PathBuilder {
    let mut path = PathBuilder::new();
    for (x, y) in points {
        // Without a point to start from, this one is it.
        if path.is_empty() {
            path.move_to(x as f32, y as f32);
        } else {
            path.line_to(x as f32, y as f32);
        }
    }
    path
}

fn closed(points: impl IntoIterator<Item = BackendCoord>) -> Option<Path> {
    let mut path = path(points);
    path.close();
    path.finish()
}

#[expect(clippy::cast_possible_truncation, reason = "positions in an image need few digits")]
fn single(value: f64) -> f32 {
    value as f32
}

impl DrawingBackend for Raster {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.rectangle((x, y), (x + 1, y + 1), color);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if fill {
            self.rectangle(from, to, style.color());
        } else {
            self.stroke(closed([from, (to.0, from.1), to, (from.0, to.1)]), style);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        self.stroke(path(points).finish(), style);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        self.fill(closed(points), style.color(), to_pixels());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let circle = PathBuilder::from_circle(x as f32, y as f32, radius as f32);
        if fill {
            self.fill(circle, style.color(), to_pixels());
        } else {
            self.stroke(circle, style);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let size = style.size() / PLOTTERS_FONT_FACTOR;
        let start = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -0.5 * text::width(text, size),
            HPos::Right => -text::width(text, size),
        };
        let angle = match style.transform() {
            FontTransform::Rotate270 => 270.0,
            _ => 0.0,
        };
        let place = to_pixels()
            .pre_translate(x as f32, y as f32)
            .pre_rotate(angle)
            .pre_translate(single(start), single(HALF_EX * size))
            .pre_scale(single(size), single(size));
        self.fill(text::outline(text), style.color(), place);
        Ok(())
    }
}
