//! Samplers: known cases, classes and voxels, the same for the same random numbers, and a state that is whole.

use nnunet_plugin_core::{
    Choice, Config, Error, Make, RandomStream, Result, SampleLoss, SampledCase, Sampler, SamplerContext,
};

use crate::findings::{Report, same, text};

const SAMPLES: usize = 32;

pub(crate) fn sampler(make: &Make<dyn Sampler>, report: &mut Report<'_>) {
    let made = || {
        let mut sampler = make(&Config::new())?;
        sampler.begin(&cases()).map(|()| sampler)
    };
    let Some(mut sampler) = report.made("is created from its defaults and accepts cases", made()) else {
        return;
    };
    for axes in [3, 2] {
        let first = report.made(&format!("chooses samples of {axes} axes"), drawn(&*sampler, 0, axes));
        let Some(first) = first else { continue };
        let again = drawn(&*sampler, 0, axes).map_err(text);
        let check = "chooses the same for the same random numbers";
        report.note(check, again.and_then(|again| same(&first, &again)));
    }
    let losses: Vec<SampleLoss> = cases()
        .into_iter()
        .enumerate()
        .map(|(index, case)| SampleLoss { case: case.name, loss: index as f64 - 0.5 })
        .collect();
    let _ = report.made("accepts losses", sampler.observe(&losses));
    // A training that continues: the state comes before the cases.
    let continued = sampler.save_state().and_then(|state| {
        let mut other = make(&Config::new())?;
        other.load_state(state)?;
        other.begin(&cases())?;
        Ok((drawn(&*sampler, 1, 3)?, drawn(&*other, 1, 3)?))
    });
    let check = "chooses the same after its state was saved and loaded";
    report.note(check, continued.map_err(text).and_then(|(one, other)| same(&one, &other)));
}

fn cases() -> Vec<SampledCase> {
    let case = |index: usize| SampledCase {
        name: format!("case_{index}"),
        shape: [8, 10 + index, 12],
        voxels_of_classes: vec![5, index % 3],
        annotated_voxels: None,
    };
    (0..6).map(case).collect()
}

/// What is chosen for samples of an epoch, checked.
fn drawn(sampler: &dyn Sampler, epoch: usize, axes: usize) -> Result<Vec<(Choice, Option<usize>)>> {
    let cases = cases();
    let draw = |sample: usize| {
        let (batch, sample) = (sample / 2, sample % 2);
        let context = SamplerContext { epoch, batch, sample, batch_size: 2, foreground: 0.33, axes };
        let mut random = RandomStream::new(1, epoch, batch, sample);
        let choice = sampler.choose(&context, &mut random)?;
        choice.check(&cases)?;
        let Some(class) = choice.class else { return Ok((choice, None)) };
        let voxels: Vec<[i64; 3]> =
            (0..cases[choice.case].voxels_of_classes[class] as i64).map(|at| [at / 2, at, 3]).collect();
        let index = sampler.voxel(&context, &voxels, &mut random)?;
        match voxels.get(index) {
            Some(_) => Ok((choice, Some(index))),
            None => Err(Error::message(format!("voxel {index} of {}", voxels.len()))),
        }
    };
    (0..SAMPLES).map(draw).collect()
}
