//! The registered components, for plugins that use them as parts of their own.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use nnunet_plugin_core::abi::abi_stable::std_types::RStr;
use nnunet_plugin_core::abi::v1::adapter::{contain, create as create_from, decode};
use nnunet_plugin_core::abi::v1::{AbiResult, Created};
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Error, Kind, Result};

use crate::lock::lock;
use crate::registry::Registry;

/// How deep components may be made of components.
const DEEPEST: usize = 16;

static REGISTRY: Mutex<Option<Arc<Registry>>> = Mutex::new(None);

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// From now on plugins are given the components of this registry.
pub fn offer(registry: &Arc<Registry>) {
    *lock(&REGISTRY) = Some(Arc::clone(registry));
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
        create_from(&entry.component.factory, &choice.parameters)
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
