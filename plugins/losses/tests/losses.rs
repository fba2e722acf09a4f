//! Values and gradients of nnunet 1.7.1 (torch 2.1.2, CPU, fp32): every entry of the reference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::{Path, PathBuf};

use nnunet_formats::json::{self, Json};
use nnunet_formats::npz;
use nnunet_losses::{
    Counts, DiceCe, DiceCeConfig, DiceConfig, GdlConfig, GeneralizedDice, MatthewsCorrelation, MccConfig,
    SoftDice, deep_supervision_loss,
};
use nnunet_plugin_api::serde_json::{Value, json};
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Loss, Registration, TensorFactories, inventory};
use nnunet_test_support::golden;

/// Relative difference of a value. v1 differs from itself by 1.2e-7 on other processors (`tests/golden/recompute.py`); the
/// formulas here add single-precision numbers in another order.
const VALUE: f64 = 1e-5;
/// Absolute difference of a gradient, or relative to the largest one above 1; gradients are of the order of 1e-3. v1
/// differs from itself by 4e-9, but here the derivatives are those of other formulas, summed in another order.
const GRADIENT: f64 = 1e-6;

struct Reference {
    folder: PathBuf,
    all: Json,
}

impl Reference {
    fn open() -> Self {
        let folder = golden("losses");
        let all = json::load(&folder.join("losses.json")).unwrap();
        Self { folder, all }
    }

    fn entries(&self) -> Vec<(String, Json)> {
        match self.all.get("entries") {
            Some(Json::Object(entries)) => entries.clone(),
            _ => panic!("the reference has no entries"),
        }
    }

    fn input(&self, key: &str) -> Tensor {
        tensor(&self.folder.join("inputs.npz"), key)
    }
}

fn tensor(file: &Path, key: &str) -> Tensor {
    let member = npz::load(file, key).unwrap();
    let shape: Vec<i64> = member.header.shape.iter().map(|len| *len as i64).collect();
    let values = member.to_f32().unwrap();
    Tensor::from_slice(&values).reshape(&shape)
}

fn component(name: &str, config: &Value) -> Box<dyn Loss> {
    let component = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name).unwrap();
    let make = component.factory.loss().unwrap_or_else(|| panic!("{name} is not a loss"));
    make(config.as_object().unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A number behind a word of a variant's name: `smooth1e-05` has `smooth` 1e-5.
fn number(variant: &str, word: &str) -> Option<f64> {
    let rest = variant.split('_').find_map(|part| part.strip_prefix(word))?;
    rest.parse().ok()
}

/// Parameters of a variant of the reference.
fn config(class: &str, variant: &str) -> Value {
    let batch = number(variant, "bd") == Some(1.0);
    let background = number(variant, "bg").map(|on| on == 1.0);
    let smooth = number(variant, "smooth").unwrap_or(1e-5);
    match class {
        "SoftDiceLoss" if variant == "nononlin" => {
            json!({ "apply_nonlin": "none", "do_bg": true, "smooth": 1.0 })
        }
        "SoftDiceLoss" if variant.starts_with("sigmoid") => {
            json!({ "apply_nonlin": "sigmoid", "batch_dice": batch, "do_bg": true, "smooth": 0.0 })
        }
        "SoftDiceLoss" | "SoftDiceLossSquared" => {
            json!({ "batch_dice": batch, "do_bg": background.unwrap_or(false), "smooth": smooth })
        }
        "GDL" => json!({
            "batch_dice": batch, "do_bg": background.unwrap_or(false), "smooth": smooth,
            "square": number(variant, "sq") == Some(1.0), "square_volumes": number(variant, "sqvol") == Some(1.0),
        }),
        "MCCLoss" => {
            json!({ "batch_mcc": batch, "do_bg": background.unwrap_or(true), "smooth": smooth })
        }
        "GDL_and_CE_loss" => json!({ "batch_dice": batch }),
        "DC_and_BCE_loss" => json!({ "batch_dice": batch, "smooth": smooth }),
        "DC_and_topk_loss" => {
            json!({ "batch_dice": batch, "k": 10.0, "square_dice": variant.contains("square") })
        }
        "DC_and_CE_loss" => dice_ce(variant, batch),
        "TopKLoss" if variant == "k10_weight" => json!({ "k": 10.0, "weight": [0.2, 1.0, 3.0] }),
        "TopKLoss" => json!({ "k": number(variant, "k").unwrap() }),
        "RobustCrossEntropyLoss" => match variant {
            "weight" => json!({ "weight": [0.2, 1.0, 3.0] }),
            "ignore3" => json!({ "ignore_index": 3 }),
            _ => json!({}),
        },
        "FocalLoss" | "FocalLossV2" => match variant {
            "alpha0.75" => json!({ "alpha": 0.75 }),
            "alpha_list_g1" => json!({ "alpha": [1.0, 2.0, 5.0], "gamma": 1.0 }),
            "alpha_none_sum" => json!({ "size_average": false }),
            "balance2" => json!({ "alpha": 0.25, "balance_index": 2, "smooth": 0.1 }),
            "trainer" | "alpha0.5" => json!({ "alpha": 0.5 }),
            other => panic!("{class}: what is {other}?"),
        },
        other => panic!("what is {other}?"),
    }
}

fn dice_ce(variant: &str, batch: bool) -> Value {
    let mut config = json!({ "batch_dice": batch });
    let change = match variant.rsplit_once('_').unwrap().0 {
        "default" => json!({}),
        "w_ce2_w_dice0.5" => json!({ "weight_ce": 2.0, "weight_dice": 0.5 }),
        "w_ce2_w_dice0" => json!({ "weight_ce": 2.0, "weight_dice": 0.0 }),
        "square_dice" => json!({ "square_dice": true }),
        "log_dice" => json!({ "log_dice": true }),
        "ignore3" => json!({ "ignore_label": 3 }),
        "noSmooth" => json!({ "smooth": 0.0 }),
        other => panic!("DC_and_CE_loss: what is {other}?"),
    };
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    config
}

/// The loss of an entry with a mask, which only the Dice family takes.
fn masked(class: &str, batch: bool, logits: &Tensor, target: &Tensor, mask: &Tensor) -> Tensor {
    let mask = Some(mask);
    match class {
        "SoftDiceLoss" => {
            SoftDice::new(DiceConfig { batch_dice: batch, ..Default::default() }).masked(logits, target, mask)
        }
        "GDL" => GeneralizedDice::new(GdlConfig { batch_dice: batch, ..Default::default() })
            .masked(logits, target, mask),
        _ => MatthewsCorrelation::new(MccConfig { batch_dice: batch, smooth: 1e-5, ..Default::default() })
            .masked(logits, target, mask),
    }
    .unwrap()
}

fn check(reference: &Reference, key: &str, entry: &Json) {
    let mut parts = key.splitn(3, '/').skip(1);
    let (class, variant) = (parts.next().unwrap(), parts.next().unwrap());
    let input = |which: &str| entry.get(which).and_then(Json::as_str).map(|name| reference.input(name));
    let logits = input("logits").unwrap().set_requires_grad(true);
    let target = input("target").unwrap();
    let target = if target.size()[1] == 1 { target.to_kind(Kind::Int64) } else { target };
    let value = match input("mask") {
        Some(mask) => masked(class, variant.ends_with("bd1"), &logits, &target, &mask),
        None => component(class, &config(class, variant)).forward(&logits, &target).unwrap(),
    };
    value.backward();
    let (ours, wanted) = (f64::try_from(&value).unwrap(), entry.get("value").and_then(Json::as_f64));
    let gradient = logits.grad();
    // v1's correlation without a class ends in NaN; ours must stay finite.
    let wanted = wanted.filter(|wanted| wanted.is_finite());
    assert!(ours.is_finite() && bool::try_from(gradient.isfinite().all()).unwrap(), "{key}: not finite");
    if let Some(wanted) = wanted {
        assert!((ours - wanted).abs() <= VALUE * wanted.abs().max(0.1), "{key}: {ours} instead of {wanted}");
    }
    if entry.get("all_finite") == Some(&Json::Bool(true)) {
        let expected = tensor(&reference.folder.join("grads.npz"), key);
        // Sums over voxels (no average) have gradients a thousand times larger.
        let scale = f64::try_from(expected.abs().max()).unwrap().max(1.0);
        let error = f64::try_from((gradient - expected).abs().max()).unwrap();
        assert!(error <= GRADIENT * scale, "{key}: the gradient differs by {error}");
    }
}

#[test]
fn values_and_gradients_equal_those_of_v1() {
    let reference = Reference::open();
    let mut checked = 0;
    for (key, entry) in reference.entries().iter().filter(|(_, entry)| entry.get("logits").is_some()) {
        check(&reference, key, entry);
        checked += 1;
    }
    assert!(checked >= 218, "only {checked} entries");
}

#[test]
fn counts_equal_those_of_v1() {
    let reference = Reference::open();
    let entries = reference.entries();
    let counts = entries.iter().filter(|(key, _)| key.contains("/get_tp_fp_fn_tn/"));
    for (key, entry) in counts {
        let dimensions = &key[..2];
        let input = |name: &str| reference.input(&format!("{dimensions}_{name}"));
        let p = input("logits").softmax(1, Kind::Float);
        let classes = Tensor::arange(p.size()[1], (Kind::Float, p.device()));
        let numbers: Vec<i64> = (0..p.dim()).map(|axis| if axis == 1 { p.size()[1] } else { 1 }).collect();
        let y = input("target").eq_tensor(&classes.reshape(&numbers)).to_kind(Kind::Float);
        let space = 2..p.dim() as i64;
        let axes: Vec<i64> =
            if key.contains("axes_batch") { [0].into_iter().chain(space).collect() } else { space.collect() };
        let mask = key.contains("mask1").then(|| input("mask"));
        let ours = Counts::new(&p, &y, &axes, mask.as_ref(), key.contains("square1")).unwrap();
        let wanted = entry.get("values").unwrap().items().unwrap();
        for (ours, wanted) in [ours.tp, ours.fp, ours.fn_, ours.tn].iter().zip(wanted) {
            let wanted = Tensor::from_slice(&flat(wanted)).reshape(ours.size());
            let error = f64::try_from((ours - wanted).abs().max()).unwrap();
            assert!(error <= 1e-3, "{key}: {error}");
        }
    }
}

fn flat(json: &Json) -> Vec<f64> {
    json.items().map_or_else(|| vec![json.as_f64().unwrap()], |items| items.iter().flat_map(flat).collect())
}

#[test]
fn deep_supervision_equals_that_of_v1() {
    let reference = Reference::open();
    for (variant, weights) in [("trainer_weights", [2.0 / 3.0, 1.0 / 3.0, 0.0]), ("none", [1.0; 3])] {
        let key = format!("ds/MultipleOutputLoss2/{variant}");
        let wanted = reference.all.get("entries").unwrap().get(&key).unwrap();
        let logits: Vec<Tensor> =
            (0..3).map(|i| reference.input(&format!("ds_logits_{i}")).set_requires_grad(true)).collect();
        let targets: Vec<Tensor> =
            (0..3).map(|i| reference.input(&format!("ds_target_{i}")).to_kind(Kind::Int64)).collect();
        let loss = DiceCe::new(DiceCeConfig { batch_dice: true, ..Default::default() });
        let value = deep_supervision_loss(&loss, &logits, &targets, &weights).unwrap();
        value.backward();
        let wanted = wanted.get("value").and_then(Json::as_f64).unwrap();
        assert!((f64::try_from(&value).unwrap() - wanted).abs() <= VALUE * wanted, "{key}");
        for (i, logits) in logits.iter().enumerate().filter(|(i, _)| weights[*i] != 0.0) {
            let expected = tensor(&reference.folder.join("grads.npz"), &format!("ds/{variant}/{i}"));
            let error = f64::try_from((logits.grad() - expected).abs().max()).unwrap();
            assert!(error <= GRADIENT, "{key}, output {i}: the gradient differs by {error}");
        }
        assert_eq!(
            logits[2].grad().defined(),
            weights[2] != 0.0,
            "{key}: an output of weight 0 has a gradient"
        );
    }
}
