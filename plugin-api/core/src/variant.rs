//! Components that change some settings of another one of their kind.

use crate::{Component, Info, Kind, Planner, PlannerSettings, Preprocessor, PreprocessorSettings, Result};

/// A component that extends another one of its kind and changes some of its settings with the function `change`.
/// [`variants!`](crate::variants) declares and registers several of them.
#[derive(Debug, Clone, Copy)]
pub struct Variant<Change> {
    /// Name in the registry.
    pub name: &'static str,
    /// The component whose settings it starts from; empty if it starts from the defaults.
    pub extends: &'static str,
    /// One-line description.
    pub summary: &'static str,
    /// Changes the settings.
    pub change: Change,
}

macro_rules! kinds {
    ($($trait:ident, $settings:ident, $fn:ident, $doc:literal;)*) => {
        $(
            impl Variant<fn(&mut $settings)> {
                #[doc = $doc]
                #[must_use]
                pub fn $fn(self) -> Component {
                    Component::$fn(Info::new(Kind::$trait, self.name, self.summary), move |_| Ok(Box::new(self)))
                }
            }

            impl $trait for Variant<fn(&mut $settings)> {
                fn extends(&self) -> String {
                    self.extends.to_owned()
                }

                fn configure(&self, settings: &mut $settings) -> Result<()> {
                    (self.change)(settings);
                    Ok(())
                }
            }
        )*
    };
}

kinds! {
    Planner, PlannerSettings, planner, "The entry of the registry for this planner.";
    Preprocessor, PreprocessorSettings, preprocessor, "The entry of the registry for this preprocessor.";
}

/// Registers a component for each row: its name, in parentheses the component that it extends, one line of description, and
/// a function that changes the settings. The path before the rows makes a component of a [`Variant`].
///
/// ```
/// use nnunet_plugin_api::{Variant, variants};
///
/// variants! { Variant::planner;
///     "LargePatches" ("ExperimentPlanner3D_v21")
///         "3D: patches for cards of 24 GB."
///         |settings| settings.vram_reference *= 3.0;
/// }
/// # let registered: Vec<_> = nnunet_plugin_api::inventory::iter::<nnunet_plugin_api::Registration>().collect();
/// # assert_eq!((registered[0].0)().info.name, "LargePatches");
/// ```
#[macro_export]
macro_rules! variants {
    ($component:path; $($name:literal ($extends:literal) $summary:literal $change:expr;)*) => {
        $($crate::inventory::submit!($crate::Registration(|| $component($crate::Variant {
            name: $name,
            extends: $extends,
            summary: $summary,
            change: $change,
        })));)*
    };
}
