//! Blocks of networks.

use nnunet_plugin_torch::tch::{Device, Kind as Element, Tensor};
use nnunet_plugin_torch::{Block, BlockSpec};

use crate::findings::{Report, same, text};
use crate::random::seeded;
use crate::tensors::{finite, watched};
use crate::variables::Variables;

/// Features that come in.
const FEATURES: usize = 8;

/// A block is for convolutions, which change features and size, or for what follows them, which keeps both.
pub(crate) fn block(block: &dyn Block, report: &mut Report<'_>) {
    watched(report, |report| {
        for axes in [3, 2] {
            let (one, kernel) = (vec![1; axes], vec![3; axes]);
            let keeps =
                BlockSpec { input: FEATURES, output: FEATURES, kernel: one.clone(), stride: one.clone() };
            let same_size = BlockSpec { kernel: kernel.clone(), ..keeps.clone() };
            let strided = BlockSpec { output: 2 * FEATURES, stride: vec![2; axes], kernel, ..keeps.clone() };
            let built = [&keeps, &same_size].into_iter().filter(|spec| layer(block, spec, report)).count();
            let found = if built > 0 { Ok(()) } else { Err("it refuses what keeps its shape".to_owned()) };
            report.note(&format!("builds a layer of {axes} axes"), found);
            layer(block, &strided, report);
        }
    });
}

/// Builds and uses a layer; false where the block refuses the specification.
fn layer(block: &dyn Block, spec: &BlockSpec, report: &mut Report<'_>) -> bool {
    let _turn = seeded();
    let mut store = Variables::default();
    let Ok(layer) = block.build(&mut store, spec) else { return false };
    let space: Vec<i64> = [6, 8, 10].into_iter().take(spec.kernel.len()).collect();
    let shape = [vec![2, spec.input as i64], space.clone()].concat();
    let input = Tensor::randn(shape, (Element::Float, Device::Cpu)).set_requires_grad(true);
    let output = match layer.forward(&input, true) {
        Ok(output) => output,
        // Normalizations and nonlinearities change neither features nor size, and an architecture asks for neither.
        Err(why) if spec.changes_shape() => {
            report.note(&format!("keeps features and size: {why}"), Ok(()));
            return true;
        }
        Err(why) => {
            report.note("maps features to features", Err(text(why)));
            return true;
        }
    };
    let space = space.iter().zip(&spec.stride).map(|(len, step)| (*len as u64).div_ceil(*step as u64) as i64);
    let expected: Vec<i64> = [2, spec.output as i64].into_iter().chain(space).collect();
    report.note("has the features and the size that were asked for", same(&expected, &output.size()));
    report.note("gives numbers", finite(&output));
    let again = [0, 1].map(|_| layer.forward(&input, false).map_err(text));
    if let [Ok(first), Ok(second)] = &again {
        report.note("returns the same result twice", same(&true, &first.equal(second)));
    }
    let reached = output.f_sum(Element::Float).and_then(|sum| sum.f_backward());
    let reached = reached.map_err(|error| error.to_string()).and_then(|()| {
        let is_defined = input.grad().defined();
        if is_defined { finite(&input.grad()) } else { Err("no gradient reaches the input".to_owned()) }
    });
    report.note("passes gradients on", reached);
    true
}
