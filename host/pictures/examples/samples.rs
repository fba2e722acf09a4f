//! Draws every kind of picture with made-up values: `cargo run -p nnunet-pictures --example samples -- FOLDER`.

use std::path::PathBuf;

use ndarray::Array3;
use nnunet_pictures::{
    Curves, Diagram, Level, MontageRow, NetworkShape, architecture, learning_rates, montage, progress,
};

fn main() -> nnunet_formats::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    for epochs in [3, 300] {
        let curve = |start: f64, end: f64, noise: f64| -> Vec<f64> {
            let value = |i: usize| end + (start - end) * (-4.0 * i as f64 / epochs as f64).exp();
            (0..epochs).map(|i| value(i) + noise * (i as f64 * 12.9898).sin()).collect()
        };
        let (train, validation) = (curve(0.1, -0.9, 0.01), curve(0.15, -0.8, 0.04));
        let dice = curve(0.2, 0.88, 0.02);
        let (organ, lesion) = (curve(0.4, 0.95, 0.01), curve(0.0, 0.7, 0.05));
        let by_label = [("1 (organ)", organ.as_slice()), ("2 (lesion)", lesion.as_slice())];
        let curves =
            Curves { train_loss: &train, validation_loss: &validation, metric: &dice, by_label: &by_label };
        progress(&folder.join(format!("progress_{epochs}.png")), &curves)?;
    }
    let rates: Vec<f64> = (0..200).map(|i| 10.0_f64.powf(-6.0 + i as f64 * 0.03)).collect();
    let losses: Vec<f64> = rates.iter().map(|rate| 0.3 - 0.2 / (1.0 + 1e-3 / rate) + 0.4 * rate).collect();
    learning_rates(&folder.join("lr_finder.png"), &rates, &losses)?;
    montage(&folder.join("montage.png"), &[case("phantom_001"), case("phantom_002")])?;
    architecture(&folder.join("network_architecture.pdf"), &network())
}

fn case(name: &str) -> MontageRow {
    let inside = |z: usize, y: usize, x: usize| {
        (z as f64 - 5.0).powi(2) * 4.0 + (y as f64 - 30.0).powi(2) + (x as f64 - 25.0).powi(2)
    };
    let labels = |radius: f64| {
        Array3::from_shape_fn((10, 60, 50), move |(z, y, x)| {
            u8::from(inside(z, y, x) < radius) + u8::from(inside(z, y, x) < radius / 4.0)
        })
    };
    MontageRow {
        caption: format!("{name}: Dice 0.91 (label 1), 0.87 (label 2)"),
        image: Array3::from_shape_fn((10, 60, 50), |(z, y, x)| (900.0 - inside(z, y, x)) as f32),
        reference: labels(300.0),
        prediction: labels(260.0),
        spacing: [2.0, 1.0, 1.0],
    }
}

fn network() -> Diagram {
    let level = |features, size: usize, last: bool| Level {
        features: Some(features),
        size: vec![size; 3],
        kernel: vec![3; 3],
        pool: (!last).then(|| vec![2; 3]),
    };
    Diagram {
        title: "Generic_UNet".to_owned(),
        input_channels: 1,
        output_channels: 3,
        parameters: 16_456_480,
        shape: NetworkShape::Unet(vec![
            level(32, 128, false),
            level(64, 64, false),
            level(128, 32, false),
            level(256, 16, true),
        ]),
    }
}
