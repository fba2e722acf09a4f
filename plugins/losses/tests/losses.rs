//! Values and gradients of nnunet 1.7.1 (torch 2.1.2, CPU, fp32).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_formats::npz;
use nnunet_losses as _;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Config, Factory, Loss, Registration, inventory};
use nnunet_test_support::reference;

/// Relative difference of a value.
const VALUE: f64 = 1e-5;
/// Absolute difference of a gradient; gradients are of the order of 1e-3.
const GRADIENT: f64 = 1e-6;

fn loss(name: &str, config: &str) -> Box<dyn Loss> {
    let config: Config = nnunet_plugin_api::serde_json::from_str(config).unwrap();
    let component = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name).unwrap();
    let Factory::Loss(make) = component.factory else { panic!("{name} is no loss") };
    make(&config).unwrap()
}

fn tensor(file: &Path, key: &str) -> Tensor {
    let member = npz::load(file, key).unwrap();
    let shape: Vec<i64> = member.header.shape.iter().map(|len| *len as i64).collect();
    let values = member.to_f32().unwrap();
    Tensor::from_slice(&values).reshape(&shape)
}

#[test]
fn values_and_gradients_equal_those_of_v1() {
    let Some(folder) = reference("losses", "losses::values_and_gradients_equal_those_of_v1") else { return };
    let entries = json::load(&folder.join("losses.json")).unwrap();
    let mut cases = Vec::new();
    for dimensions in ["2d", "3d"] {
        for batch in [0, 1] {
            let batch_dice = batch == 1;
            for (background, do_bg) in [(0, false), (1, true)] {
                for (shown, smooth) in [("1", "1.0"), ("1e-05", "1e-5"), ("0", "0.0")] {
                    let key =
                        format!("{dimensions}/SoftDiceLoss/softmax_bd{batch}_bg{background}_smooth{shown}");
                    let config =
                        format!(r#"{{"batch_dice": {batch_dice}, "do_bg": {do_bg}, "smooth": {smooth}}}"#);
                    cases.push((key.clone(), "SoftDiceLoss", config.clone()));
                    if smooth != "0.0" {
                        cases.push((
                            key.replace("Loss", "LossSquared"),
                            "SoftDiceLossSquared",
                            config.clone(),
                        ));
                        for square in [0, 1] {
                            let key = format!("{}_sq0_sqvol{square}", key.replace("SoftDiceLoss", "GDL"));
                            let config =
                                config.replace('}', &format!(r#", "square_volumes": {}}}"#, square == 1));
                            cases.push((key, "GDL", config));
                        }
                    }
                    // Where v1 itself ends in NaN there is nothing to compare.
                    if smooth == "1e-5" {
                        let config = config.replace("batch_dice", "batch_mcc");
                        cases.push((key.replace("SoftDiceLoss", "MCCLoss"), "MCCLoss", config));
                    }
                }
            }
            let config = format!(r#"{{"batch_dice": {batch_dice}}}"#);
            cases.push((
                format!("{dimensions}/GDL_and_CE_loss/bd{batch}"),
                "GDL_and_CE_loss",
                config.clone(),
            ));
            cases.push((
                format!("{dimensions}/DC_and_CE_loss/default_bd{batch}"),
                "DC_and_CE_loss",
                config.clone(),
            ));
            cases.push((format!("{dimensions}/DC_and_topk_loss/k10_bd{batch}"), "DC_and_topk_loss", config));
            let weighted = format!(r#"{{"batch_dice": {batch_dice}, "weight_ce": 2.0, "weight_dice": 0.5}}"#);
            cases.push((
                format!("{dimensions}/DC_and_CE_loss/w_ce2_w_dice0.5_bd{batch}"),
                "DC_and_CE_loss",
                weighted,
            ));
        }
    }
    for dimensions in ["2d", "3d"] {
        for k in ["5", "10", "33.3", "100"] {
            cases.push((format!("{dimensions}/TopKLoss/k{k}"), "TopKLoss", format!(r#"{{"k": {k}}}"#)));
        }
    }
    for (key, name, config) in cases {
        let entry =
            entries.get("entries").and_then(|all| all.get(&key)).unwrap_or_else(|| panic!("no entry {key}"));
        if entry.get("all_finite") == Some(&Json::Bool(false)) {
            continue;
        }
        let input = |which: &str| {
            tensor(&folder.join("inputs.npz"), entry.get(which).and_then(Json::as_str).unwrap())
        };
        let logits = input("logits").set_requires_grad(true);
        let value = loss(name, &config).forward(&logits, &input("target").to_kind(Kind::Int64)).unwrap();
        value.backward();
        let (ours, wanted) =
            (f64::try_from(&value).unwrap(), entry.get("value").and_then(Json::as_f64).unwrap());
        assert!((ours - wanted).abs() <= VALUE * wanted.abs().max(0.1), "{key}: {ours} instead of {wanted}");
        let gradient = tensor(&folder.join("grads.npz"), &key);
        let error = f64::try_from((logits.grad() - gradient).abs().max()).unwrap();
        assert!(error <= GRADIENT, "{key}: the gradient differs by {error}");
    }
}
