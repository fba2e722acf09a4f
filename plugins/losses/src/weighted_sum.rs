//! A weighted sum of registered losses, so that a loss of several terms is data.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{
    Component, Error, Info, Kind, Loss, LossInput, Prefixed, Registration, Result, TensorFactories,
    VarFactory, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::supervision::deep_supervision_loss;

/// Name of the component.
pub const WEIGHTED_SUM: &str = "WeightedSum";

/// Parameters of [`WeightedSum`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedSumConfig {
    /// The losses, by name with their parameters.
    pub parts: Vec<ComponentChoice>,
    /// Their weights, in the same order; by default 1.
    pub weights: Vec<f64>,
}

impl Default for WeightedSumConfig {
    fn default() -> Self {
        let parts = ["SoftDiceLoss", "RobustCrossEntropyLoss"].map(ComponentChoice::named);
        Self { parts: parts.into(), weights: Vec::new() }
    }
}

/// Losses and their weights.
pub struct WeightedSum(Vec<(f64, Box<dyn Loss>)>);

impl std::fmt::Debug for WeightedSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(weight, _)| weight)).finish()
    }
}

inventory::submit!(Registration(|| {
    let summary = "The weighted sum of other losses, also of those of plugins.";
    let info = Info::new(Kind::Loss, WEIGHTED_SUM, summary).with_config::<WeightedSumConfig>().with_example(
        "[losses.DiceAndFocal]\nextends = \"WeightedSum\"\nparts = [\"SoftDiceLoss\", { name = \"FocalLoss\", gamma = 2.0 }]\nweights = [1.0, 0.5]",
    );
    Component::loss(info, |config| Ok(Box::new(WeightedSum::new(&parse_config(config)?, &built_in)?)))
}));

/// A built-in loss. A program that knows plugins makes the parts itself.
fn built_in(choice: &ComponentChoice) -> Result<Box<dyn Loss>> {
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let found = all.into_iter().find(|c| c.info.kind == Kind::Loss && c.info.name == choice.name);
    match found.as_ref().and_then(|component| component.factory.loss()) {
        Some(make) => make(&choice.parameters),
        None => Err(Error::parameter("parts", format!("there is no loss `{}`", choice.name))),
    }
}

impl WeightedSum {
    /// A sum whose parts `make` makes.
    ///
    /// # Errors
    /// Returns an error if there are no parts, or other than one weight for each, or the error of a part.
    pub fn new(
        config: &WeightedSumConfig,
        make: &dyn Fn(&ComponentChoice) -> Result<Box<dyn Loss>>,
    ) -> Result<Self> {
        let WeightedSumConfig { parts, weights } = config;
        if parts.is_empty() {
            return Err(Error::parameter("parts", "at least one loss"));
        }
        if !weights.is_empty() && weights.len() != parts.len() {
            return Err(Error::parameter("weights", "one for each part"));
        }
        let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
        let made = weights.zip(parts).map(|(weight, part)| Ok((weight, make(part)?)));
        Ok(Self(made.collect::<Result<_>>()?))
    }

    /// The sum of what each part gives.
    fn sum(&self, part: impl Fn(&dyn Loss) -> Result<Tensor>) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        for (weight, loss) in &self.0 {
            let value = part(&**loss)?.f_mul_scalar(*weight)?;
            total = Some(match total {
                Some(sum) => sum.f_add(&value)?,
                None => value,
            });
        }
        total.ok_or_else(|| Error::message("a sum of losses has parts"))
    }
}

impl Loss for WeightedSum {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        self.sum(|loss| loss.forward(logits, target))
    }

    fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
        self.0.iter_mut().try_for_each(|(_, loss)| loss.epoch_begins(epoch))
    }

    fn of_batch(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
        let LossInput { outputs, targets, weights, .. } = *input;
        let of = |loss: &dyn Loss| {
            let whole = loss.of_batch(input)?;
            whole.map_or_else(|| deep_supervision_loss(loss, outputs, targets, weights), Ok)
        };
        self.sum(of).map(Some)
    }

    fn parameters(&mut self, vars: &mut dyn VarFactory) -> Result<()> {
        let parts = self.0.iter_mut().enumerate();
        parts
            .into_iter()
            .try_for_each(|(part, (_, loss))| loss.parameters(&mut Prefixed::new(&part.to_string(), vars)))
    }
}
