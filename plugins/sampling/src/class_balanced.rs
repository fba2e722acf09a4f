//! Every class comes equally often, however few cases have it.

use nnunet_plugin_core::{
    Choice, Component, Error, Info, Kind, RandomStream, Registration, Result, SampledCase, Sampler,
    SamplerContext, inventory,
};

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Sampler,
        "ClassBalanced",
        "A class is drawn first, then a case that has it: rare classes come as often as others.",
    )
    .describe(
        "Of the samples that must contain foreground, which are the last ones of a batch \
         (`oversample_foreground_percent`; with 1.0 all of them). The others are those of `v2`.",
    )
    .with_example(
        "[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\nsampler = \"ClassBalanced\"\noversample_foreground_percent = 0.67",
    );
    Component::sampler(info, |config| match config.keys().next() {
        Some(key) => Err(Error::parameter(key, "this sampler has no parameters")),
        None => Ok(Box::new(ClassBalanced::default())),
    })
}));

#[derive(Default)]
struct ClassBalanced {
    cases: usize,
    /// By class that occurs: its number, and the cases that have it.
    classes: Vec<(usize, Vec<usize>)>,
}

impl Sampler for ClassBalanced {
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        self.cases = cases.len();
        let all = cases.iter().map(|case| case.voxels_of_classes.len()).max().unwrap_or_default();
        let with = |class: usize| {
            let has =
                |case: &SampledCase| case.voxels_of_classes.get(class).is_some_and(|voxels| *voxels > 0);
            cases.iter().enumerate().filter(|(_, case)| has(case)).map(|(number, _)| number).collect()
        };
        self.classes = (0..all).map(|class| (class, with(class))).collect();
        self.classes.retain(|(_, cases): &(usize, Vec<usize>)| !cases.is_empty());
        Ok(())
    }

    fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        if context.needs_foreground()
            && let Some((class, cases)) = self.classes.get(random.below(self.classes.len()))
        {
            return Ok(Choice { case: cases[random.below(cases.len())], class: Some(*class) });
        }
        Ok(Choice { case: random.below(self.cases), class: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_one_case_comes_as_often_as_one_of_nine() {
        let case = |voxels: [usize; 3]| SampledCase {
            voxels_of_classes: voxels.to_vec(),
            ..SampledCase::new("case")
        };
        let cases: Vec<SampledCase> =
            (0..10).map(|i| case(if i == 3 { [0, 0, 1] } else { [5000, 0, 0] })).collect();
        let mut sampler = ClassBalanced::default();
        sampler.begin(&cases).unwrap();
        let (mut random, mut rare) = (RandomStream::from_seed(1), 0_usize);
        let context = |foreground| SamplerContext { batch_size: 1, foreground, ..SamplerContext::default() };
        for _ in 0..3000 {
            let choice = sampler.choose(&context(1.0), &mut random).unwrap();
            choice.check(&cases).unwrap();
            assert_eq!(choice.class == Some(2), choice.case == 3);
            rare += usize::from(choice.case == 3);
        }
        assert!(rare.abs_diff(1500) < 150, "{rare}");
        assert_eq!(sampler.choose(&context(0.0), &mut random).unwrap().class, None);
    }
}
