//! The stable binary interface between the host and a plugin built on its own.
//!
//! Three layers, checked in this order when a file is loaded:
//!
//! 1. [`Handshake`]: a C struct behind one symbol, frozen for ever. Read before anything of the plugin runs; it says
//!    whether the rest may be looked at.
//! 2. The root module of [`v1`]: `manifest`, `create` and a reserved `extension`, checked by layout.
//! 3. One small object-safe trait per kind in [`v1`], wrapped on both sides: `Exported` around the author's object
//!    (catches panics, turns errors into values), `Imported` around the received one (implements the author's trait
//!    for the host, checks what comes back, restores libtorch's modes).
//!
//! A plugin that is not Rust has a table of C functions instead of 2 and 3: see [`c`].
//!
//! Structured data crosses as JSON text, which lets both sides grow; arrays as slices; tensors as owned handles.
//! This is the only folder of the crate with unsafe code; abi_stable appears nowhere else but in the host's loader.
#![allow(unsafe_code)]

pub mod c;
mod crash;
pub mod dlpack;
mod handshake;
mod running;
pub mod shim;
pub mod v1;

pub use abi_stable;
pub use crash::name_culprits;
pub use handshake::{
    ABI_MAJOR, ABI_MINOR, C_SYMBOL, FLAGS_OF_C, Flags, HANDSHAKE_SYMBOL, Handshake, HandshakeError,
    LIBTORCH_CXX_ABI, LIBTORCH_OF_SHIM, LIBTORCH_VERSION, MAGIC, ROOT_SYMBOL, StaticText, TARGET,
};

/// Makes a crate a plugin: exports the handshake and the root module. Write it once, at the crate's root.
///
/// Everything the crate registered with [`inventory::submit!`](crate::inventory::submit) becomes visible to the host.
/// When the crate is also linked into another program, put the call behind a feature: it defines fixed symbols.
///
/// ```no_run
/// use nnunet_plugin_api::{Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result};
/// use nnunet_plugin_api::inventory;
///
/// struct Keep;
/// impl Postprocessor for Keep {
///     fn apply(&self, _labels: &mut LabelVolume) -> Result<()> { Ok(()) }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Postprocessor, "Keep", "Leaves the labels as they are.");
///     Component::postprocessor(info, |_config| Ok(Box::new(Keep)))
/// }));
///
/// # mod plugin {
/// nnunet_plugin_api::export_plugin!();
/// # }
/// ```
#[macro_export]
macro_rules! export_plugin {
    () => {
        $crate::__export_plugin!($crate::abi::Handshake::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_LICENSE"),
            cfg!(panic = "unwind"),
        ));
    };
}

/// As [`export_plugin!`](crate::export_plugin), for a plugin that uses PyTorch's stable C shim alone: it fits any libtorch
/// from 2.10 on.
#[macro_export]
macro_rules! export_plugin_with_shim {
    () => {
        $crate::__export_plugin!(
            $crate::abi::Handshake::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
                env!("CARGO_PKG_LICENSE"),
                cfg!(panic = "unwind"),
            )
            .with_shim()
        );
    };
}

/// The symbols of a plugin with this handshake; `export_plugin!` of this crate and of nnunet-plugin-torch call it.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    ($handshake:expr) => {
        #[doc(hidden)]
        #[allow(unsafe_code, missing_docs, non_upper_case_globals)]
        pub mod __nnunet_plugin {
            #[unsafe(no_mangle)]
            pub static NNUNET_PLUGIN_HANDSHAKE: $crate::abi::Handshake = $handshake;

            extern "C" fn root() -> $crate::abi::abi_stable::library::RootModuleResult {
                $crate::abi::abi_stable::library::__call_root_module_loader($crate::abi::v1::root_module)
            }

            #[unsafe(no_mangle)]
            // SAFETY: `root` returns exactly the root module type named here.
            pub static NNUNET_PLUGIN_ROOT_V1: $crate::abi::abi_stable::library::LibHeader = unsafe {
                $crate::abi::abi_stable::library::LibHeader::from_constructor::<$crate::abi::v1::PluginRootRef>(
                    root,
                    $crate::abi::abi_stable::library::CheckTypeLayout::Yes,
                )
            };
        }
    };
}
