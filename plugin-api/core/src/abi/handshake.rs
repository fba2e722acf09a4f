//! The handshake: plain C data that is read before anything else of a plugin is used.

use std::fmt;

/// First eight bytes of every handshake.
pub const MAGIC: [u8; 8] = *b"NNUNETPL";
/// Plugins of another major cannot be used.
pub const ABI_MAJOR: u32 = 1;
/// Plugins of a higher minor than the host's cannot be used.
pub const ABI_MINOR: u32 = 4;
/// The libtorch this crate's tensors belong to.
pub const LIBTORCH_VERSION: &str = "2.11.0";
/// The C++ standard library's ABI that this libtorch is built with.
pub const LIBTORCH_CXX_ABI: &str = "cxx11";
/// The machines this program and its plugins are for, as a target triple.
pub const TARGET: &str = env!("NNUNET_TARGET");
/// Exported symbol of the [`Handshake`] static.
pub const HANDSHAKE_SYMBOL: &str = "NNUNET_PLUGIN_HANDSHAKE";
/// Exported symbol of the root module's header.
pub const ROOT_SYMBOL: &str = "NNUNET_PLUGIN_ROOT_V1";

/// Exported symbol of the table of components of a plugin that is not Rust.
pub const C_SYMBOL: &str = "NNUNET_PLUGIN_C_V1";
/// Flags of a plugin in C: nothing unwinds out of it, and it has a table instead of a root module.
pub const FLAGS_OF_C: u32 = 9;

/// Text in the plugin's image: pointer and length of UTF-8 that lives as long as the image.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StaticText {
    data: *const u8,
    len: usize,
}

// SAFETY: points to immutable static data.
unsafe impl Sync for StaticText {}
// SAFETY: as above.
unsafe impl Send for StaticText {}

impl StaticText {
    /// Wraps static text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { data: text.as_ptr(), len: text.len() }
    }

    /// The text; empty when the plugin's pointer, length or encoding is not usable.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        const LONGEST: usize = 4096;
        if self.data.is_null() || self.len > LONGEST {
            return "";
        }
        // SAFETY: a handshake with the right magic was made by `Handshake::new`, so the pair describes static text.
        let bytes = unsafe { std::slice::from_raw_parts(self.data, self.len) };
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for StaticText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Properties of a plugin's build, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    const UNWINDS: u32 = 1;
    const NEEDS_TORCH: u32 = 2;
    const DEBUG: u32 = 4;
    const C_TABLE: u32 = 8;

    /// Panics unwind, so they can be contained.
    #[must_use]
    pub fn unwinds(self) -> bool {
        self.0 & Self::UNWINDS != 0
    }

    /// Uses tensors.
    #[must_use]
    pub fn needs_torch(self) -> bool {
        self.0 & Self::NEEDS_TORCH != 0
    }

    /// Has a table of C functions instead of a root module.
    #[must_use]
    pub fn is_c(self) -> bool {
        self.0 & Self::C_TABLE != 0
    }

    /// Built without optimization.
    #[must_use]
    pub fn debug(self) -> bool {
        self.0 & Self::DEBUG != 0
    }
}

/// What a plugin says of itself before it is used. Frozen: fields are only ever added at the end.
#[repr(C)]
#[derive(Debug)]
pub struct Handshake {
    magic: [u8; 8],
    size: u32,
    abi_major: u32,
    abi_minor: u32,
    flags: u32,
    name: StaticText,
    version: StaticText,
    licence: StaticText,
    api_version: StaticText,
    rustc: StaticText,
    target: StaticText,
    libtorch: StaticText,
    libtorch_cxx_abi: StaticText,
}

/// Why a handshake is refused. Every message names the field, what was found, what is wanted and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The symbol holds something else.
    #[error("handshake magic: found {found:?}, wanted {MAGIC:?}; the file is not a plugin of nnunet")]
    Magic {
        /// The first bytes.
        found: [u8; 8],
    },
    /// The struct is shorter than the first version's.
    #[error("handshake size: found {found} bytes, wanted at least {wanted}; rebuild the plugin")]
    Size {
        /// Bytes in the plugin.
        found: u32,
        /// Bytes of the first version.
        wanted: u32,
    },
    /// Another major of the ABI.
    #[error("ABI major: found {found}, wanted {ABI_MAJOR}; rebuild the plugin with nnunet-plugin-api {}", env!("CARGO_PKG_VERSION"))]
    Major {
        /// The plugin's major.
        found: u32,
    },
    /// A newer minor of the ABI.
    #[error(
        "ABI minor: found {ABI_MAJOR}.{found}, wanted at most {ABI_MAJOR}.{ABI_MINOR}; update nnunet or rebuild the plugin"
    )]
    Minor {
        /// The plugin's minor.
        found: u32,
    },
    /// A build whose panics end the process.
    #[error(
        "panic strategy: found abort, wanted unwind; remove `panic = \"abort\"` from the plugin's profile"
    )]
    PanicAbort,
    /// Another target triple.
    #[error("target: found {found}, wanted {wanted}; rebuild the plugin for this machine", wanted = env!("NNUNET_TARGET"))]
    Target {
        /// The plugin's target.
        found: String,
    },
    /// Another C++ ABI.
    #[error(
        "C++ ABI of libtorch: found {found}, wanted {LIBTORCH_CXX_ABI}; rebuild the plugin against libtorch {LIBTORCH_VERSION}"
    )]
    CxxAbi {
        /// The plugin's C++ ABI.
        found: String,
    },
    /// No name or no version.
    #[error("plugin {field}: empty or not readable; set `{field}` in the plugin's Cargo.toml and rebuild it")]
    Nameless {
        /// `name` or `version`.
        field: &'static str,
    },
    /// Another libtorch.
    #[error(
        "libtorch: found {found}, wanted {LIBTORCH_VERSION}; rebuild the plugin against libtorch {LIBTORCH_VERSION}"
    )]
    Libtorch {
        /// The plugin's libtorch.
        found: String,
    },
}

impl Handshake {
    /// The handshake of a plugin crate; called by [`export_plugin!`](crate::export_plugin).
    #[must_use]
    pub const fn new(
        name: &'static str,
        version: &'static str,
        license: &'static str,
        unwinds: bool,
    ) -> Self {
        let flags =
            if unwinds { Flags::UNWINDS } else { 0 } | if cfg!(debug_assertions) { Flags::DEBUG } else { 0 };
        Self {
            magic: MAGIC,
            size: size_of::<Self>() as u32,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            flags,
            name: StaticText::new(name),
            version: StaticText::new(version),
            licence: StaticText::new(license),
            api_version: StaticText::new(env!("CARGO_PKG_VERSION")),
            rustc: StaticText::new(env!("NNUNET_RUSTC_VERSION")),
            target: StaticText::new(env!("NNUNET_TARGET")),
            libtorch: StaticText::new(""),
            libtorch_cxx_abi: StaticText::new(""),
        }
    }

    /// The handshake of a plugin with tensors.
    #[must_use]
    pub const fn with_tensors(self) -> Self {
        Self {
            flags: self.flags | Flags::NEEDS_TORCH,
            libtorch: StaticText::new(LIBTORCH_VERSION),
            libtorch_cxx_abi: StaticText::new(LIBTORCH_CXX_ABI),
            ..self
        }
    }

    /// Whether this program can use the plugin. Compared are magic, size, ABI version, panic strategy, target and, of a
    /// plugin with tensors, libtorch's version and C++ ABI; name and version must be there. License, version of the API
    /// crate and compiler are shown to the user and exclude nothing.
    ///
    /// ```
    /// use nnunet_plugin_api::abi::Handshake;
    ///
    /// let unwinds = true;
    /// let plugin = Handshake::new("my-plugin", "0.1.0", "Apache-2.0", unwinds);
    /// assert_eq!(plugin.check(), Ok(()));
    ///
    /// let aborts = Handshake::new("my-plugin", "0.1.0", "Apache-2.0", false);
    /// assert!(aborts.check().unwrap_err().to_string().starts_with("panic strategy: found abort"));
    /// ```
    ///
    /// # Errors
    /// Returns the first field that does not fit.
    pub fn check(&self) -> Result<(), HandshakeError> {
        if self.magic != MAGIC {
            return Err(HandshakeError::Magic { found: self.magic });
        }
        let wanted = size_of::<Self>() as u32;
        if self.size < wanted {
            return Err(HandshakeError::Size { found: self.size, wanted });
        }
        if self.abi_major != ABI_MAJOR {
            return Err(HandshakeError::Major { found: self.abi_major });
        }
        if self.abi_minor > ABI_MINOR {
            return Err(HandshakeError::Minor { found: self.abi_minor });
        }
        if !self.flags().unwinds() {
            return Err(HandshakeError::PanicAbort);
        }
        if self.target.as_str() != env!("NNUNET_TARGET") {
            return Err(HandshakeError::Target { found: self.target.as_str().to_owned() });
        }
        if self.flags().needs_torch() && !same_minor(self.libtorch.as_str(), LIBTORCH_VERSION) {
            return Err(HandshakeError::Libtorch { found: self.libtorch.as_str().to_owned() });
        }
        if self.flags().needs_torch() && self.libtorch_cxx_abi.as_str() != LIBTORCH_CXX_ABI {
            return Err(HandshakeError::CxxAbi { found: self.libtorch_cxx_abi.as_str().to_owned() });
        }
        for (field, text) in [("name", self.name), ("version", self.version)] {
            if text.as_str().is_empty() {
                return Err(HandshakeError::Nameless { field });
            }
        }
        Ok(())
    }

    /// Build properties.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags(self.flags)
    }

    /// The plugin was built for an earlier minor than this program's.
    #[must_use]
    pub fn is_older(&self) -> bool {
        self.abi_minor < ABI_MINOR
    }

    /// Whether the structs of a plugin in C begin with their size: since ABI 1.2.
    #[must_use]
    pub fn has_sized_structs(&self) -> bool {
        self.abi_minor >= 2
    }

    /// The plugin's crate name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.as_str()
    }

    /// The plugin's crate version.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version.as_str()
    }

    /// The plugin's license.
    #[must_use]
    pub fn license(&self) -> &'static str {
        self.licence.as_str()
    }

    /// Compiler that built the plugin.
    #[must_use]
    pub fn rustc(&self) -> &'static str {
        self.rustc.as_str()
    }

    /// Version of nnunet-plugin-api that the plugin was built with; `C` for a plugin in C.
    #[must_use]
    pub fn api_version(&self) -> &'static str {
        self.api_version.as_str()
    }

    /// The machines the plugin is for, as a target triple.
    #[must_use]
    pub fn target(&self) -> &'static str {
        self.target.as_str()
    }

    /// The libtorch the plugin was built with; empty without tensors.
    #[must_use]
    pub fn libtorch(&self) -> &'static str {
        self.libtorch.as_str()
    }

    /// ABI version as `major.minor`.
    #[must_use]
    pub fn abi(&self) -> String {
        format!("{}.{}", self.abi_major, self.abi_minor)
    }
}

/// Major and minor agree: patch releases of libtorch share their binary interface.
fn same_minor(a: &str, b: &str) -> bool {
    a.split('.').take(2).eq(b.split('.').take(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Handshake {
        Handshake::new("p", "1.0.0", "MIT", true)
    }

    #[test]
    fn own_handshake_is_accepted() {
        assert_eq!(own().check(), Ok(()));
    }

    /// Frozen for ever: a plugin of any version is read with these.
    #[test]
    fn every_field_is_in_its_place() {
        macro_rules! places {
            ($($field:ident)*) => { [$(std::mem::offset_of!(Handshake, $field)),*] };
        }
        let places = places!(magic size abi_major abi_minor flags name version licence api_version rustc target
            libtorch libtorch_cxx_abi);
        assert_eq!(places, [0, 8, 12, 16, 20, 24, 40, 56, 72, 88, 104, 120, 136]);
        assert_eq!(size_of::<Handshake>(), 152);
    }

    #[test]
    fn every_field_that_must_fit_is_compared() {
        let refused = |change: fn(&mut Handshake)| {
            let mut handshake = own();
            change(&mut handshake);
            handshake.check().unwrap_err().to_string()
        };
        assert!(refused(|h| h.magic = *b"12345678").contains("not a plugin of nnunet"));
        assert!(refused(|h| h.size = 8).contains("handshake size: found 8"));
        assert!(refused(|h| h.abi_major = 2).contains("ABI major: found 2, wanted 1"));
        assert!(refused(|h| h.abi_minor = 9).contains("found 1.9, wanted at most 1.4"));
        assert!(refused(|h| h.flags &= !Flags::UNWINDS).contains("found abort, wanted unwind"));
        assert!(refused(|h| h.target = StaticText::new("m68k-none")).contains("found m68k-none"));
        let with_tensors = |change: fn(&mut Handshake)| {
            let mut handshake = own().with_tensors();
            assert_eq!(handshake.check(), Ok(()));
            change(&mut handshake);
            handshake.check().unwrap_err().to_string()
        };
        let version = with_tensors(|h| h.libtorch = StaticText::new("2.1.2"));
        assert!(version.contains("libtorch: found 2.1.2, wanted 2.11.0"));
        let cxx_abi = with_tensors(|h| h.libtorch_cxx_abi = StaticText::new("pre-cxx11"));
        assert!(cxx_abi.contains("C++ ABI of libtorch: found pre-cxx11, wanted cxx11"));
        assert!(refused(|h| h.name = StaticText::new("")).contains("plugin name: empty"));
        assert!(refused(|h| h.version = StaticText::new("")).contains("plugin version: empty"));
    }

    /// License, API version and compiler exclude no plugin: they are shown.
    #[test]
    fn other_fields_are_for_the_user() {
        let mut handshake = own();
        handshake.licence = StaticText::new("GPL-2.0");
        handshake.api_version = StaticText::new("9.9.9");
        handshake.rustc = StaticText::new("rustc 9.9.9");
        handshake.libtorch = StaticText::new("1.0.0");
        handshake.libtorch_cxx_abi = StaticText::new("pre-cxx11");
        assert_eq!(handshake.check(), Ok(()), "a plugin without tensors fits any libtorch");
        let shown = (handshake.license(), handshake.api_version(), handshake.rustc());
        assert_eq!(shown, ("GPL-2.0", "9.9.9", "rustc 9.9.9"));
    }
}
