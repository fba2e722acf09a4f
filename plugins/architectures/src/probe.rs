//! Finds the first layer whose activations are not finite; without cost unless a search is active.

use std::cell::RefCell;

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

/// What is looked for, on this thread.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Search {
    Off,
    On,
    Found(String),
}

thread_local! {
    static SEARCH: RefCell<Search> = const { RefCell::new(Search::Off) };
}

/// Runs a forward pass; returns also the name of the first layer with a value that is not finite.
pub fn first_not_finite<T>(run: impl FnOnce() -> T) -> (T, Option<String>) {
    SEARCH.set(Search::On);
    let result = run();
    match SEARCH.replace(Search::Off) {
        Search::Found(layer) => (result, Some(layer)),
        _ => (result, None),
    }
}

/// Called by layers with what they return.
pub(crate) fn look(layer: &str, x: &Tensor) -> Result<()> {
    if SEARCH.with_borrow(|search| *search != Search::On) {
        return Ok(());
    }
    let all = x.detach().f_isfinite()?.f_all()?.f_to_kind(Kind::Double)?;
    if f64::try_from(all)? != 1.0 {
        SEARCH.set(Search::Found(layer.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layer_is_named_and_only_while_somebody_looks() {
        let odd = Tensor::from_slice(&[1.0_f32, f32::INFINITY]);
        look("before", &odd).unwrap();
        let (_, layer) = first_not_finite(|| {
            look("a", &Tensor::from_slice(&[1.0_f32])).unwrap();
            look("b", &odd).unwrap();
            look("c", &odd).unwrap();
        });
        assert_eq!(layer.as_deref(), Some("b"));
        assert_eq!(first_not_finite(|| ()).1, None);
    }
}
