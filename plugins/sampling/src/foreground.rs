//! v1's and v2's samplers: any case, and foreground in some of the samples.

use nnunet_plugin_core::{
    Choice, Component, Error, Info, Kind, RandomStream, Registration, Result, SampledCase, Sampler,
    SamplerContext, inventory,
};

use crate::slices::in_a_slice;

macro_rules! samplers {
    ($($name:literal, $summary:literal, $rule:expr;)*) => {
        $(inventory::submit!(Registration(|| {
            let info = Info::new(Kind::Sampler, $name, $summary);
            Component::sampler(info, |config| match config.keys().next() {
                Some(key) => Err(Error::parameter(key, "this sampler has no parameters")),
                None => Ok(Box::new(Foreground { rule: $rule, cases: Vec::new() })),
            })
        }));)*
    };
}

samplers! {
    "v1", "Any case; the last samples of a batch contain foreground. In 2D a slice is drawn, then a voxel in it.",
        Rule { each_sample: false, slice_first: true };
    "v2", "Any case; the last samples of a batch contain foreground. All voxels of a class are equally likely.",
        Rule { each_sample: false, slice_first: false };
    "v2Probabilistic", "As v2, but every sample contains foreground with the same probability.",
        Rule { each_sample: true, slice_first: false };
}

/// How the samplers differ.
struct Rule {
    /// It is drawn for each sample whether it must contain foreground.
    each_sample: bool,
    /// In 2D a slice is drawn before the voxel.
    slice_first: bool,
}

struct Foreground {
    rule: Rule,
    cases: Vec<SampledCase>,
}

impl Sampler for Foreground {
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        self.cases = cases.to_vec();
        Ok(())
    }

    fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        let case = random.below(self.cases.len());
        let found = self.cases.get(case).ok_or_else(|| Error::message("there are no cases"))?;
        let needs_foreground = if self.rule.each_sample {
            random.chance(context.foreground)
        } else {
            context.needs_foreground()
        };
        let class = if needs_foreground { found.any_class(random) } else { None };
        Ok(Choice { case, class })
    }

    fn voxel(
        &self,
        context: &SamplerContext,
        voxels: &[[i64; 3]],
        random: &mut RandomStream,
    ) -> Result<usize> {
        let slice_first = self.rule.slice_first && context.axes == 2;
        Ok(if slice_first { in_a_slice(voxels, random) } else { random.below(voxels.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(each_sample: bool) -> Foreground {
        let with = |voxels_of_classes| SampledCase { voxels_of_classes, ..SampledCase::new("a") };
        let rule = Rule { each_sample, slice_first: false };
        Foreground { rule, cases: vec![with(vec![1, 0, 9])] }
    }

    fn context(sample: usize) -> SamplerContext {
        SamplerContext { sample, batch_size: 3, foreground: 0.33, axes: 3, ..SamplerContext::default() }
    }

    #[test]
    fn every_class_of_a_case_is_equally_likely() {
        let (sampler, mut random) = (sampler(false), RandomStream::from_seed(1));
        let mut counts = [0_usize; 3];
        for _ in 0..3000 {
            counts[sampler.choose(&context(2), &mut random).unwrap().class.unwrap()] += 1;
        }
        assert!(counts[1] == 0 && counts[0].abs_diff(1500) < 150, "{counts:?}");
    }

    #[test]
    fn the_last_or_random_samples_have_foreground() {
        let mut random = RandomStream::from_seed(1);
        let mut with_class = |sampler: &Foreground| -> Vec<usize> {
            let has = |sample, random: &mut RandomStream| {
                sampler.choose(&context(sample), random).unwrap().class.is_some()
            };
            (0..3).map(|sample| (0..3000).filter(|_| has(sample, &mut random)).count()).collect()
        };
        assert_eq!(with_class(&sampler(false)), [0, 0, 3000]);
        let counts = with_class(&sampler(true));
        assert!(counts.iter().all(|count| count.abs_diff(990) < 130), "{counts:?}");
    }
}
