//! The layout of everything that crosses the stable ABI, as text. A change of it is a change of the ABI: see
//! docs/plugin-abi.md before `NNUNET_BLESS=1` is set.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nnunet_plugin_api::abi::abi_stable::StableAbi;
use nnunet_plugin_api::abi::abi_stable::type_layout::{TLData, TLField, TypeLayout};
use nnunet_plugin_api::abi::v1::adapter::{
    BlockObject, HeadObject, MetricObject, OptimizerObject, ResamplerObject, SamplerObject, ScheduleObject,
    SplitterObject, TransformObject,
};
use nnunet_plugin_api::abi::v1::{HostServicesRef, PluginRootRef};

/// Types by name, each with its size, alignment and fields.
#[derive(Default)]
struct Layouts {
    types: BTreeMap<String, String>,
    seen: BTreeSet<String>,
}

impl Layouts {
    fn add(&mut self, layout: &'static TypeLayout) {
        let name = layout.full_type().to_string();
        if !self.seen.insert(name.clone()) {
            return;
        }
        let mut text = format!("{name}: {} bytes, alignment {}\n", layout.size(), layout.alignment());
        if let TLData::PrefixType(prefix) = layout.data() {
            text += &format!("  {} fields of the first minor\n", prefix.first_suffix_field);
        }
        for field in layout.get_fields().into_iter().flatten() {
            text += &format!("  {}: {}\n", field.name(), self.field(&field));
        }
        for field in layout.phantom_fields() {
            self.add(field.layout());
        }
        // The types of abi_stable and of std are versioned by themselves.
        if layout.package() == "nnunet-plugin-core" {
            self.types.insert(name, text);
        }
    }

    /// The field's type; of functions every parameter's and the result's.
    fn field(&mut self, field: &TLField) -> String {
        self.add(field.layout());
        if !field.is_function() {
            return field.layout().full_type().to_string();
        }
        let mut signatures = Vec::new();
        for function in field.function_range().iter() {
            let parts = function.param_type_layouts.iter().chain(function.return_type_layout());
            parts.for_each(|layout| self.add(layout()));
            signatures.push(function.to_string().replace('\n', " ").trim_end().to_owned());
        }
        signatures.join("; ")
    }
}

#[test]
fn nothing_that_crosses_has_changed() {
    let mut layouts = Layouts::default();
    layouts.add(PluginRootRef::LAYOUT);
    layouts.add(HostServicesRef::LAYOUT);
    // Kinds of later minors, which the root module does not lead to.
    layouts.add(ResamplerObject::LAYOUT);
    layouts.add(SamplerObject::LAYOUT);
    layouts.add(SplitterObject::LAYOUT);
    layouts.add(TransformObject::LAYOUT);
    layouts.add(OptimizerObject::LAYOUT);
    layouts.add(BlockObject::LAYOUT);
    layouts.add(ScheduleObject::LAYOUT);
    layouts.add(MetricObject::LAYOUT);
    layouts.add(HeadObject::LAYOUT);
    let text: String = layouts.types.into_values().collect::<Vec<_>>().join("\n");
    compare("layout.txt", &text);
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("NNUNET_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(kept == text, "{} differs, first here: {differs:?}", path.display());
}
