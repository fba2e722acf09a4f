//! A network as a vector drawing, `network_architecture.pdf`: U-Nets by resolution, as in v1, others as a list of layers.

use std::path::Path;

use nnunet_formats::{Result, atomic};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

/// Size of the page in points.
const WIDTH: f32 = 842.0;
const HEIGHT: f32 = 595.0;
const MARGIN: f32 = 40.0;
const BOX: (f32, f32) = (150.0, 40.0);
const FONT: Name<'static> = Name(b"F");
/// The list of layers: columns, rows of a column, and the height of a row in points.
const COLUMNS: usize = 2;
const ROWS: usize = 36;
const ROW: f32 = 13.0;

/// One resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Features, where they are known.
    pub features: Option<usize>,
    /// Voxels by axis.
    pub size: Vec<usize>,
    /// Kernel of the encoder's convolutions.
    pub kernel: Vec<usize>,
    /// How much smaller the next lower resolution is by axis; none at the bottom.
    pub pool: Option<Vec<usize>>,
}

/// A network to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagram {
    /// Name of the network.
    pub title: String,
    /// Channels of the input.
    pub input_channels: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// What is drawn.
    pub shape: NetworkShape,
}

/// How much is known of a network's structure.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkShape {
    /// The resolutions of a U-Net, highest first.
    Unet(Vec<Level>),
    /// Layers in the order in which they were made.
    Layers(Vec<LayerRow>),
}

/// One layer of a network whose structure is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    /// Name of the module.
    pub name: String,
    /// Shape of its weight.
    pub weight: Vec<usize>,
    /// Number of its parameters.
    pub parameters: usize,
}

/// Draws a network.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn architecture(path: &Path, diagram: &Diagram) -> Result<()> {
    let mut page = Page { content: Content::new() };
    page.text(MARGIN, HEIGHT - MARGIN, 16.0, &diagram.title);
    let about = format!(
        "{} input channels, {} output channels, {} parameters",
        diagram.input_channels, diagram.output_channels, diagram.parameters
    );
    page.text(MARGIN, HEIGHT - MARGIN - 18.0, 10.0, &about);
    match &diagram.shape {
        NetworkShape::Unet(levels) => page.unet(levels),
        NetworkShape::Layers(layers) => page.layers(layers),
    }
    atomic::write_bytes(path, &page.document())
}

/// `3 x 3 x 3`.
fn by(values: &[usize]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

impl LayerRow {
    fn text(&self) -> String {
        format!("{}: {}, {} parameters", self.name, by(&self.weight), self.parameters)
    }
}

struct Page {
    content: Content,
}

impl Page {
    fn text(&mut self, x: f32, y: f32, size: f32, text: &str) {
        self.content.begin_text().set_font(FONT, size).next_line(x, y);
        self.content.show(Str(text.as_bytes())).end_text();
    }

    /// The encoder on the left, the decoder on the right, and what connects them.
    fn unet(&mut self, levels: &[Level]) {
        let step = (HEIGHT - 3.0 * MARGIN - BOX.1) / (levels.len().max(2) - 1) as f32;
        let last = levels.len().saturating_sub(1);
        for (i, level) in levels.iter().enumerate() {
            // The two branches of the U come together at the bottom.
            let inward = i as f32 / last.max(1) as f32 * (WIDTH - 2.0 * MARGIN - BOX.0) / 2.0;
            let y = HEIGHT - 2.0 * MARGIN - BOX.1 - i as f32 * step;
            let (left, right) = (MARGIN + inward, WIDTH - MARGIN - BOX.0 - inward);
            self.level(left, y, level);
            if i < last {
                self.level(right, y, level);
                self.arrow((left + BOX.0, y + BOX.1 / 2.0), (right, y + BOX.1 / 2.0));
                let inner = (WIDTH - 2.0 * MARGIN - BOX.0) / 2.0 / last.max(1) as f32;
                self.arrow((left + BOX.0 / 2.0, y), (left + inner + BOX.0 / 2.0, y - step + BOX.1));
                self.arrow((right - inner + BOX.0 / 2.0, y - step + BOX.1), (right + BOX.0 / 2.0, y));
                let pool = level.pool.as_deref().map(by).unwrap_or_default();
                self.text(left + BOX.0 / 2.0 + 6.0, y - 11.0, 8.0, &format!("/ {pool}"));
            }
        }
    }

    /// A row for every layer, in columns; what does not fit is counted.
    fn layers(&mut self, layers: &[LayerRow]) {
        let room = COLUMNS * ROWS;
        let shown = if layers.len() > room { room - 1 } else { layers.len() };
        let more = layers.len() - shown;
        let rows = layers[..shown].iter().map(LayerRow::text);
        let rest = (more > 0).then(|| format!("and {more} more layers"));
        for (i, text) in rows.chain(rest).enumerate() {
            let x = MARGIN + (i / ROWS) as f32 * (WIDTH - 2.0 * MARGIN) / COLUMNS as f32;
            let y = HEIGHT - 2.0 * MARGIN - 8.0 - (i % ROWS) as f32 * ROW;
            self.text(x, y, 8.0, &text);
        }
    }

    fn level(&mut self, x: f32, y: f32, level: &Level) {
        self.content.set_fill_rgb(0.88, 0.92, 1.0).rect(x, y, BOX.0, BOX.1).fill_nonzero();
        self.content.set_fill_rgb(0.0, 0.0, 0.0).rect(x, y, BOX.0, BOX.1).stroke();
        let features = level.features.map_or_else(String::new, |features| format!("{features} features, "));
        self.text(x + 6.0, y + 25.0, 9.0, &format!("{features}{}", by(&level.size)));
        self.text(x + 6.0, y + 10.0, 9.0, &format!("kernel {}", by(&level.kernel)));
    }

    /// A line with a small head at its end.
    fn arrow(&mut self, from: (f32, f32), to: (f32, f32)) {
        self.content.move_to(from.0, from.1).line_to(to.0, to.1).stroke();
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1.0);
        let (dx, dy) = (dx / length * 6.0, dy / length * 6.0);
        self.content.move_to(to.0, to.1);
        self.content.line_to(to.0 - dx - dy / 2.0, to.1 - dy + dx / 2.0);
        self.content.line_to(to.0 - dx + dy / 2.0, to.1 - dy - dx / 2.0);
        self.content.fill_nonzero();
    }

    fn document(self) -> Vec<u8> {
        let [catalog, pages, page, font, content] = [1, 2, 3, 4, 5].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page]).count(1);
        let mut sheet = pdf.page(page);
        sheet.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(pages).contents(content);
        sheet.resources().fonts().pair(FONT, font);
        sheet.finish();
        pdf.type1_font(font).base_font(Name(b"Helvetica"));
        pdf.stream(content, &self.content.finish());
        pdf.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_a_pdf_with_every_level_twice_but_the_lowest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network_architecture.pdf");
        let level = |features, size: usize, pool: Option<Vec<usize>>| Level {
            features: Some(features),
            size: vec![size; 3],
            kernel: vec![3; 3],
            pool,
        };
        let diagram = Diagram {
            title: "Generic_UNet".to_owned(),
            input_channels: 1,
            output_channels: 3,
            parameters: 1234,
            shape: NetworkShape::Unet(vec![level(8, 40, Some(vec![2; 3])), level(16, 20, None)]),
        };
        architecture(&path, &diagram).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF"));
        assert_eq!(text.matches("8 features, 40 x 40 x 40").count(), 2);
        assert_eq!(text.matches("16 features, 20 x 20 x 20").count(), 1);
    }

    #[test]
    fn layers_that_do_not_fit_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network_architecture.pdf");
        let layer =
            |i: usize| LayerRow { name: format!("blocks.{i}"), weight: vec![8, 1, 7, 7], parameters: 400 };
        let diagram = Diagram {
            title: "Own".to_owned(),
            input_channels: 1,
            output_channels: 3,
            parameters: 40_000,
            shape: NetworkShape::Layers((0..100).map(layer).collect()),
        };
        architecture(&path, &diagram).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("blocks.0: 8 x 1 x 7 x 7, 400 parameters"), "{text}");
        assert!(text.contains("and 29 more layers") && !text.contains("blocks.71:"), "{text}");
    }
}
