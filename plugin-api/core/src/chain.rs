//! The parent chain of planners, preprocessors and trainers.

use crate::{Error, Kind, Result};

/// Resolves a component and its ancestors, the root first, each with its name. `lookup` makes the component of a name;
/// `extends` returns the name of its parent, or an empty string for a root.
///
/// ```
/// use nnunet_plugin_api::{Kind, Planner, Result, parent_chain};
///
/// struct Root;
/// impl Planner for Root {
///     fn extends(&self) -> String { String::new() }
/// }
/// struct Child;
/// impl Planner for Child {
///     fn extends(&self) -> String { "Root".to_owned() }
/// }
/// let lookup = |name: &str| -> Result<Box<dyn Planner>> {
///     Ok(if name == "Root" { Box::new(Root) } else { Box::new(Child) })
/// };
/// let chain = parent_chain(Kind::Planner, "Child", &lookup, |planner| planner.extends()).unwrap();
/// assert_eq!(chain.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Root", "Child"]);
/// ```
///
/// # Errors
/// Returns the error of `lookup`, or an error if a component is its own ancestor.
pub fn parent_chain<T: ?Sized>(
    kind: Kind,
    name: &str,
    lookup: &dyn Fn(&str) -> Result<Box<T>>,
    extends: impl Fn(&T) -> String,
) -> Result<Vec<(String, Box<T>)>> {
    let mut chain: Vec<(String, Box<T>)> = Vec::new();
    let mut next = name.to_owned();
    while !next.is_empty() {
        if chain.iter().any(|(seen, _)| *seen == next) {
            let seen: Vec<&str> = chain.iter().map(|(seen, _)| seen.as_str()).collect();
            return Err(Error::message(format!(
                "{kind} {name} extends itself: {} -> {next}",
                seen.join(" -> ")
            )));
        }
        let component = lookup(&next)?;
        let parent = extends(&component);
        chain.push((std::mem::replace(&mut next, parent), component));
    }
    chain.reverse();
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_root_first_and_a_circle_is_an_error() {
        let lookup = |name: &str| -> Result<Box<str>> { Ok(name.into()) };
        let names =
            |chain: Vec<(String, Box<str>)>| chain.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let line = |name: &str| if name == "child" { "root".to_owned() } else { String::new() };
        assert_eq!(names(parent_chain(Kind::Trainer, "child", &lookup, line).unwrap()), ["root", "child"]);
        let circle = |name: &str| if name == "a" { "b".to_owned() } else { "a".to_owned() };
        let error = parent_chain(Kind::Trainer, "a", &lookup, circle).unwrap_err().to_string();
        assert_eq!(error, "trainer a extends itself: a -> b -> a");
    }
}
