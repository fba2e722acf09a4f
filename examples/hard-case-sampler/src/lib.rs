//! Hard cases come more often: in proportion to the moving average of their losses, which is kept in checkpoints.

use nnunet_plugin_api::{
    Choice, Component, Config, Info, Kind, RandomStream, Registration, Result, SampleLoss, SampledCase,
    Sampler, SamplerContext, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Sampler, "HardCases", "Cases with a high loss come more often.");
    Component::sampler(info, |_config| Ok(Box::new(HardCases::default())))
}));

/// Weight of a new loss.
const RATE: f64 = 0.3;

#[derive(Default)]
struct HardCases {
    cases: Vec<SampledCase>,
    /// Losses by name of the case.
    losses: Config,
}

impl Sampler for HardCases {
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        self.cases = cases.to_vec();
        Ok(())
    }

    fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        let losses = self.cases.iter().map(|case| self.losses.get(&case.name).and_then(|loss| loss.as_f64()));
        // The losses of nnU-Net begin at -1. A case that has not been seen is as hard as can be.
        let case = random.weighted(losses.map(|loss| loss.map_or(3.0, |loss| (1.0 + loss).max(0.05))));
        Ok(Choice { case, class: context.foreground_class(&self.cases[case], random) })
    }

    fn learns(&self) -> bool {
        true
    }

    fn observe(&mut self, losses: &[SampleLoss]) -> Result<()> {
        for SampleLoss { case, loss } in losses {
            let before = self.losses.get(case).and_then(|loss| loss.as_f64()).unwrap_or(*loss);
            self.losses.insert(case.clone(), ((1.0 - RATE) * before + RATE * loss).into());
        }
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        Ok(self.losses.clone())
    }

    fn load_state(&mut self, state: Config) -> Result<()> {
        self.losses = state;
        Ok(())
    }
}
