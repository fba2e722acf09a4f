//! MySampler: a sampler for nnunet.
//!
//! A sampler chooses the cases of a batch, and where their patches lie. Several threads call it at once; random numbers
//! are those of the sample. See the documentation of `Sampler` for what else it may do, such as learn from losses.

use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Choice, Component, Info, Kind, RandomStream, Registration, Result, SampledCase, Sampler, SamplerContext,
    export_plugin, inventory, parse_config, schemars,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Sampler, "MySampler", "Cases of a name come more often.").with_config::<Parameters>();
    Component::sampler(info, |config| {
        Ok(Box::new(MySampler { parameters: parse_config(config)?, cases: Vec::new() }))
    })
}));

/// Its parameters: `sampler = { name = "MySampler", prefix = "mr_" }` in a trainer's table.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
#[schemars(crate = "nnunet_plugin_api::schemars")]
struct Parameters {
    /// Start of the names of cases that come more often.
    prefix: String,
    /// How much more often.
    factor: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { prefix: String::new(), factor: 2.0 }
    }
}

struct MySampler {
    parameters: Parameters,
    cases: Vec<SampledCase>,
}

impl Sampler for MySampler {
    /// The training cases.
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        self.cases = cases.to_vec();
        Ok(())
    }

    /// The case of a sample, and the class that its patch must contain.
    fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        let is_chosen = |case: &SampledCase| case.name.starts_with(&self.parameters.prefix);
        let weight = |case: &SampledCase| if is_chosen(case) { self.parameters.factor } else { 1.0 };
        let case = random.weighted(self.cases.iter().map(weight));
        // As v1 and v2: the last samples of a batch contain foreground.
        Ok(Choice { case, class: context.foreground_class(&self.cases[case], random) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_cases_come_more_often() {
        let parameters = Parameters { prefix: "mr_".to_owned(), factor: 3.0 };
        let mut sampler = MySampler { parameters, cases: Vec::new() };
        sampler.begin(&["ct_1", "mr_1"].map(SampledCase::new)).unwrap();
        let mut random = RandomStream::from_seed(1);
        let mut choose = || sampler.choose(&SamplerContext::default(), &mut random).unwrap().case;
        let chosen = (0..1000).filter(|_| choose() == 1).count();
        assert!((680..820).contains(&chosen), "{chosen}");
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
