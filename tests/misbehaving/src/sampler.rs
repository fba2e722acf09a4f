//! A sampler that goes wrong on request.

use nnunet_plugin_api::{
    Choice, Component, Config, Info, Kind, RandomStream, Registration, Result, SampleLoss, SampledCase,
    Sampler, SamplerContext, inventory,
};

use crate::{fault, for_ever, until_cancelled};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Sampler, "OddSampler", "Every case, every class.");
    Component::sampler(info, |_| {
        assert_ne!(fault(), "sampler_create", "as requested");
        Ok(Box::new(OddSampler::default()))
    })
}));

#[derive(Default)]
struct OddSampler(Vec<SampledCase>);

impl Sampler for OddSampler {
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        assert_ne!(fault(), "sampler_begin", "as requested");
        self.0 = cases.to_vec();
        Ok(())
    }

    fn choose(&self, _context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        let case = random.below(self.0.len());
        match fault().as_str() {
            "sampler_panic" => panic!("the sampler panics as requested"),
            "sampler_case" => Ok(Choice { case: usize::MAX, class: None }),
            "sampler_class" => Ok(Choice { case, class: Some(77) }),
            "sampler_endless" => Err(until_cancelled()),
            "sampler_deaf" => for_ever(),
            _ => Ok(Choice { case, class: self.0[case].any_class(random) }),
        }
    }

    fn voxel(
        &self,
        _context: &SamplerContext,
        voxels: &[[i64; 3]],
        random: &mut RandomStream,
    ) -> Result<usize> {
        match fault().as_str() {
            "sampler_voxel_panic" => panic!("voxel panics as requested"),
            "sampler_voxel" => Ok(voxels.len()),
            _ => Ok(random.below(voxels.len())),
        }
    }

    fn learns(&self) -> bool {
        assert_ne!(fault(), "sampler_learns", "as requested");
        true
    }

    fn observe(&mut self, _losses: &[SampleLoss]) -> Result<()> {
        assert_ne!(fault(), "sampler_observe", "as requested");
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        assert_ne!(fault(), "sampler_save", "as requested");
        Ok(Config::from_iter([("odd".to_owned(), 1.into())]))
    }

    fn load_state(&mut self, _state: Config) -> Result<()> {
        assert_ne!(fault(), "sampler_load", "as requested");
        Ok(())
    }
}
