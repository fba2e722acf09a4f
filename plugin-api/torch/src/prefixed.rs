//! Names of parameters within a part.

use tch::Tensor;

use crate::{Init, Result, VarFactory};

/// Creates the parameters of a part, with the part's name and a dot in front of theirs, as in a `state_dict` of PyTorch.
///
/// ```
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Init, Prefixed, Result, VarFactory};
///
/// /// The scale of a part.
/// fn scale(vars: &mut dyn VarFactory, part: &str) -> Result<Tensor> {
///     Prefixed::new(part, vars).parameter("weight", &[1], Init::Constant { value: 1.0 })
/// }
/// ```
pub struct Prefixed<'a> {
    prefix: &'a str,
    vars: &'a mut dyn VarFactory,
}

impl<'a> Prefixed<'a> {
    /// Parameters in `vars` that begin with `prefix` and a dot.
    pub fn new(prefix: &'a str, vars: &'a mut dyn VarFactory) -> Self {
        Self { prefix, vars }
    }

    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// A parameter that is the same as another one is that of the same part.
    fn init(&self, init: Init) -> Init {
        match init {
            Init::Same { of } => Init::Same { of: self.name(&of) },
            init => init,
        }
    }
}

impl VarFactory for Prefixed<'_> {
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.vars.parameter(&self.name(name), shape, self.init(init))
    }

    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.vars.buffer(&self.name(name), shape, self.init(init))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// Keeps what was asked for.
    struct Asked(Vec<(String, Init)>);

    impl VarFactory for Asked {
        fn parameter(&mut self, name: &str, _shape: &[i64], init: Init) -> Result<Tensor> {
            self.0.push((name.to_owned(), init));
            Err(Error::message("there are no tensors"))
        }

        fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
            self.parameter(name, shape, init)
        }
    }

    #[test]
    fn a_second_name_is_one_of_the_same_part() {
        let mut asked = Asked(Vec::new());
        let same = |of: &str| Init::Same { of: of.to_owned() };
        let _none = Prefixed::new("part", &mut asked).parameter("second", &[1], same("first"));
        let _none = Prefixed::new("part", &mut asked).buffer("seen", &[], Init::Counter);
        let expected = [("part.second", same("part.first")), ("part.seen", Init::Counter)];
        assert_eq!(asked.0, expected.map(|(name, init)| (name.to_owned(), init)));
    }
}
