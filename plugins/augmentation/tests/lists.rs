//! Lists of transforms as data: registered transforms stand beside the built-in ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use ndarray::Array4;
use nnunet_augmentation::Pipeline;
use nnunet_plugin_core::abi::abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::adapter::{contain, create as create_from, decode, offer_components};
use nnunet_plugin_core::abi::v1::{AbiResult, Created};
use nnunet_plugin_core::{
    Augmentation, AugmentationContext, Component, Config, Error, Info, Kind, RandomStream, Registration,
    Result, Sample, Transform, host, inventory,
};
use serde_json::{Value, json};

/// Adds one to all intensities.
struct PlusOne;

impl Transform for PlusOne {
    fn apply(&self, mut sample: Sample, _: &AugmentationContext, _: &mut RandomStream) -> Result<Sample> {
        sample.data.mapv_inplace(|value| value + 1.0);
        Ok(sample)
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Transform, "PlusOne", "Adds one.");
    Component::transform(info, |_| Ok(Box::new(PlusOne)))
}));

/// Stands for the program's registry.
extern "C" fn create(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created> {
    contain(|| {
        let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
        let found = all.into_iter().find(|c| c.info.kind.as_str() == kind && name == *c.info.name);
        let component = found.ok_or_else(|| Error::message(format!("there is no {kind} `{name}`")))?;
        create_from(&component.factory, &decode(config.as_str())?)
    })
}

fn named(name: &str, table: &Value) -> Result<Pipeline> {
    offer_components(create);
    Pipeline::named(name, table.as_object().unwrap())
}

fn context(axes: usize) -> AugmentationContext {
    AugmentationContext { patch: vec![12; axes], num_labels: 1, ..AugmentationContext::default() }
}

/// What an augmentation reads of a case.
fn sample(augmentation: &dyn Augmentation, context: &AugmentationContext, random: &RandomStream) -> Sample {
    let crop = augmentation.crop(context, random).unwrap();
    let mut size = [1; 3];
    size[3 - crop.len()..].copy_from_slice(&crop);
    let value = |(_, z, y, x): (usize, usize, usize, usize)| (z * 7 + y * 3 + x) as f32 % 11.0;
    let data = Array4::from_shape_fn((1, size[0], size[1], size[2]), value);
    Sample { seg: data.mapv(|value| f32::from(u8::from(value > 5.0))), data }
}

#[test]
fn a_list_may_have_registered_transforms_and_be_added_to() {
    let once = json!({ "transform": "PlusOne" });
    let tables = [
        (json!({ "transforms": [once, { "name": "PlusOne" }, { "transform": "mirror" }] }), 3.0),
        (json!({ "then": [once] }), 2.0),
        (json!({ "transforms": [{ "transform": "one_of", "choices": [once, once] }], "then": [once] }), 3.0),
    ];
    for (table, expected) in tables {
        let pipeline = named("noDA", &table).unwrap();
        let array = Array4::ones((1, 12, 12, 12));
        let ones = Sample { data: array.clone(), seg: array };
        let made = pipeline.augment(ones, &context(3), &mut RandomStream::from_seed(1)).unwrap();
        assert!(made.data.iter().all(|value| *value == expected), "{table}");
    }
}

#[test]
fn what_a_list_does_not_know_is_an_error() {
    let error = |table| named("moreDA", &table).unwrap_err().to_string();
    let nameless = "then: a transform without a name: write transform = \"...\"";
    assert_eq!(error(json!({ "then": [{ "p": 1.0 }] })), nameless);
    let unknown = error(json!({ "then": [{ "transform": "noise", "p_nois": 1.0 }] }));
    assert_eq!(unknown, "then: transform `noise`: unknown key `p_nois`; did you mean `p_noise`?");
    let nobody = error(json!({ "transforms": [{ "transform": "smoke" }] }));
    assert!(
        nobody.starts_with("transforms: ") && nobody.contains("there is no transform `smoke`"),
        "{nobody}"
    );
}

/// Every built-in augmentation, the same written as a list, and its transforms one after the other through both adapters
/// make the same samples to the bit.
#[test]
fn built_in_lists_are_made_of_registered_transforms() {
    for name in [
        "moreDA",
        "noDA",
        "defaultDA",
        "independentScalePerAxis",
        "DA2",
        "insaneDA",
        "MMS",
        "DA3",
        "DA4",
        "DA5",
        "v2DA",
        "v2DA5",
        "v2NoDA",
    ] {
        let fixed = named(name, &json!({})).unwrap();
        let list = serde_json::to_value(fixed.transforms()).unwrap();
        let written = named(name, &json!({ "transforms": list })).unwrap();
        for (seed, axes) in [(5, 3), (6, 2), (7, 3)] {
            let context = context(axes);
            let [mut one, mut other, mut third] = [(); 3].map(|()| RandomStream::from_seed(seed));
            let given = sample(&fixed, &context, &one);
            let expected = fixed.augment(given.clone(), &context, &mut one).unwrap();
            let made = written.augment(given.clone(), &context, &mut other).unwrap();
            assert!(made == expected, "{name}, {axes} axes");
            let step = |sample, transform: &Value| {
                let mut table: Config = transform.as_object().cloned().unwrap();
                let kind = table.remove("transform").unwrap();
                let registered = host::transform(kind.as_str().unwrap(), &table).unwrap();
                registered.apply(sample, &context, &mut third).unwrap()
            };
            let made = list.as_array().unwrap().iter().fold(given, step);
            assert!(made == expected, "{name}, {axes} axes, one by one");
            let next = [one.bits(), other.bits(), third.bits()];
            assert_eq!(next, [next[0]; 3], "{name}: as many random numbers");
        }
    }
}
