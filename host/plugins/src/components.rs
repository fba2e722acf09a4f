//! The registered components, for plugins and built-in components that use them as parts of their own.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use nnunet_plugin_core::abi::abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::adapter::{contain, create as create_from, decode, offer_components};
use nnunet_plugin_core::abi::v1::{AbiResult, Created};
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Error, Kind, Result};

use crate::lock::lock;
use crate::registry::Registry;

/// How deep components may be made of components.
const DEEPEST: usize = 16;

static REGISTRY: Mutex<Option<Arc<Registry>>> = Mutex::new(None);

/// Components that became parts of others since [`forget_parts`].
static PARTS: Mutex<BTreeSet<(Kind, String)>> = Mutex::new(BTreeSet::new());

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// From now on plugins, and built-in components that are made of others, are given the components of this registry.
pub fn offer(registry: &Arc<Registry>) {
    offer_components(create);
    *lock(&REGISTRY) = Some(Arc::clone(registry));
}

/// Records that a component is part of another one.
pub fn note_part(kind: Kind, name: &str) {
    lock(&PARTS).insert((kind, name.to_owned()));
}

/// Forgets the parts that were recorded: what is made from here on belongs to another model.
pub fn forget_parts() {
    lock(&PARTS).clear();
}

/// The components that became parts of others since [`forget_parts`]. A model that is made of them needs their plugins,
/// although nothing else names them.
#[must_use]
pub fn parts() -> Vec<(Kind, String)> {
    lock(&PARTS).iter().cloned().collect()
}

/// Makes a component for a plugin.
pub(crate) extern "C" fn create(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created> {
    contain(|| {
        let kind = Kind::from_word(kind.as_str())
            .ok_or_else(|| Error::message(format!("this version of nnunet has no kind `{kind}`")))?;
        let choice = ComponentChoice { name: name.to_string(), parameters: decode(config.as_str())? };
        let registry = lock(&REGISTRY).clone();
        let registry =
            registry.ok_or_else(|| Error::message("components cannot be made while plugins are loaded"))?;
        let _deeper = Deeper::enter(&choice.name)?;
        let (entry, choice) =
            registry.expand(kind, &choice).map_err(|error| Error::message(format!("{error:#}")))?;
        let created = create_from(&entry.component.factory, &choice.parameters)?;
        note_part(kind, &choice.name);
        Ok(created)
    })
}

/// One component inside of another, on this thread.
struct Deeper;

impl Deeper {
    fn enter(name: &str) -> Result<Self> {
        if DEPTH.get() >= DEEPEST {
            return Err(Error::message(format!(
                "components are made of each other without end; one of them is {name}"
            )));
        }
        DEPTH.set(DEPTH.get() + 1);
        Ok(Self)
    }
}

impl Drop for Deeper {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
