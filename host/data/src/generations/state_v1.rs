//! The names of the parameters of v1's `Generic_UNet`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use ndarray::{ArrayD, IxDyn};

use super::network::{Affine, Block, Network};
use super::other_networks;

/// Parameters by name.
pub(super) type State = BTreeMap<String, ArrayD<f32>>;

const ENCODER: &str = "conv_blocks_context";
const DECODER: &str = "conv_blocks_localization";

/// Reads a network.
///
/// # Errors
/// Returns an error that names the first parameter that is missing or has no place in this network.
pub(super) fn read(mut state: State) -> Result<Network> {
    let stages = (0..).take_while(|stage| has(&state, &format!("{ENCODER}.{stage}."))).count();
    ensure!(
        stages >= 2,
        "it has no parameters of v1's Generic_UNet: {}",
        other_networks::reason(state.keys())
    );
    let mut encoder = Vec::new();
    for stage in 0..stages - 1 {
        encoder.push(blocks(&mut state, &format!("{ENCODER}.{stage}"))?);
    }
    encoder.push(two_groups(&mut state, &format!("{ENCODER}.{}", stages - 1))?);
    let (mut decoder, mut up, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for stage in 0..stages - 1 {
        decoder.push(two_groups(&mut state, &format!("{DECODER}.{stage}"))?);
        up.push(affine(&mut state, &format!("tu.{stage}"), 1)?);
        heads.push(affine(&mut state, &format!("seg_outputs.{stage}"), 0)?);
    }
    nothing_left(&state)?;
    Ok(Network { encoder, decoder, up, heads })
}

/// The parameters of a network.
pub(super) fn write(network: &Network) -> State {
    let mut state = State::new();
    let last = network.stages() - 1;
    for (stage, blocks) in network.encoder.iter().enumerate() {
        let name = format!("{ENCODER}.{stage}");
        if stage == last { put_two_groups(&mut state, &name, blocks) } else { put(&mut state, &name, blocks) }
    }
    for (stage, blocks) in network.decoder.iter().enumerate() {
        put_two_groups(&mut state, &format!("{DECODER}.{stage}"), blocks);
        state.insert(format!("tu.{stage}.weight"), network.up[stage].weight.clone());
    }
    let with_bias = network.has_output_bias();
    for (stage, head) in network.heads.iter().enumerate() {
        state.insert(format!("seg_outputs.{stage}.weight"), head.weight.clone());
        if with_bias {
            state.insert(format!("seg_outputs.{stage}.bias"), head.bias.clone());
        }
    }
    state
}

fn has(state: &State, prefix: &str) -> bool {
    state.keys().any(|name| name.starts_with(prefix))
}

/// A parameter.
///
/// # Errors
/// Returns an error if it is missing.
pub(super) fn take(state: &mut State, name: &str) -> Result<ArrayD<f32>> {
    state.remove(name).with_context(|| format!("the checkpoint has no parameter {name}"))
}

/// A weight with its bias, which is zero where there is none; `outputs` is the axis of the output features.
pub(super) fn affine(state: &mut State, name: &str, outputs: usize) -> Result<Affine> {
    let weight = take(state, &format!("{name}.weight"))?;
    let bias = state.remove(&format!("{name}.bias"));
    let bias = bias.unwrap_or_else(|| ArrayD::zeros(IxDyn(&[weight.shape()[outputs]])));
    Ok(Affine { weight, bias })
}

/// Checks that all parameters were taken.
///
/// # Errors
/// Returns an error that names one that was not.
pub(super) fn nothing_left(state: &State) -> Result<()> {
    match state.keys().next() {
        Some(name) => anyhow::bail!(
            "the network has the parameter {name}, which plain U-Nets have not: {}",
            other_networks::reason(state.keys())
        ),
        None => Ok(()),
    }
}

fn blocks(state: &mut State, name: &str) -> Result<Vec<Block>> {
    let count = (0..).take_while(|i| has(state, &format!("{name}.blocks.{i}."))).count();
    let block = |i: usize| {
        let name = format!("{name}.blocks.{i}");
        let Affine { weight, bias } = affine(state, &format!("{name}.conv"), 0)?;
        let norm_weight = take(state, &format!("{name}.instnorm.weight"))?;
        Ok(Block { weight, bias, norm_weight, norm_bias: take(state, &format!("{name}.instnorm.bias"))? })
    };
    (0..count).map(block).collect()
}

/// v1 keeps the last block apart.
fn two_groups(state: &mut State, name: &str) -> Result<Vec<Block>> {
    let mut all = blocks(state, &format!("{name}.0"))?;
    all.extend(blocks(state, &format!("{name}.1"))?);
    Ok(all)
}

fn put(state: &mut State, name: &str, blocks: &[Block]) {
    for (i, block) in blocks.iter().enumerate() {
        let values = [
            ("conv.weight", &block.weight),
            ("conv.bias", &block.bias),
            ("instnorm.weight", &block.norm_weight),
            ("instnorm.bias", &block.norm_bias),
        ];
        for (part, values) in values {
            state.insert(format!("{name}.blocks.{i}.{part}"), values.clone());
        }
    }
}

fn put_two_groups(state: &mut State, name: &str, blocks: &[Block]) {
    if let Some((last, first)) = blocks.split_last() {
        put(state, &format!("{name}.0"), first);
        put(state, &format!("{name}.1"), std::slice::from_ref(last));
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::sample;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut network = sample();
        network.widen_to_v1(super::super::widen::OutputBias::Kept).unwrap();
        let state = write(&network);
        assert!(state.contains_key("conv_blocks_context.1.1.blocks.0.instnorm.bias"));
        assert_eq!(read(state.clone()).unwrap(), network);
        let mut other = state.clone();
        other.insert("conv_blocks_context.0.blocks.0.dropout.weight".into(), ArrayD::zeros(IxDyn(&[1])));
        assert!(read(other).unwrap_err().to_string().contains("dropout"));
        let mut lacking = state;
        lacking.remove("tu.0.weight");
        assert!(read(lacking).unwrap_err().to_string().contains("tu.0.weight"));
    }
}
