//! The names of the parameters of v2's `PlainConvUNet`.

use anyhow::{Result, ensure};

use super::network::{Affine, Block, Network};
use super::other_networks;
use super::state_v1::{State, affine, nothing_left, take};

const ENCODER: &str = "encoder.stages";
const DECODER: &str = "decoder.stages";
/// Names under which v2 saves parameters a second time.
const IN_DECODER: &str = "decoder.encoder.";
const IN_BLOCK: &str = ".all_modules.";

/// Reads a network.
///
/// # Errors
/// Returns an error that names the first parameter that is missing or has no place in this network.
pub(super) fn read(mut state: State) -> Result<Network> {
    state.retain(|name, _| !name.starts_with(IN_DECODER) && !name.contains(IN_BLOCK));
    let is_there = |state: &State, prefix: &str| state.keys().any(|name| name.starts_with(prefix));
    let stages = (0..).take_while(|stage| is_there(&state, &format!("{ENCODER}.{stage}.0.convs."))).count();
    ensure!(
        stages >= 2,
        "it has no parameters of v2's PlainConvUNet: {}",
        other_networks::reason(state.keys())
    );
    let mut encoder = Vec::new();
    for stage in 0..stages {
        encoder.push(blocks(&mut state, &format!("{ENCODER}.{stage}.0"))?);
    }
    let (mut decoder, mut up, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for stage in 0..stages - 1 {
        decoder.push(blocks(&mut state, &format!("{DECODER}.{stage}"))?);
        up.push(affine(&mut state, &format!("decoder.transpconvs.{stage}"), 1)?);
        heads.push(affine(&mut state, &format!("decoder.seg_layers.{stage}"), 0)?);
    }
    nothing_left(&state)?;
    Ok(Network { encoder, decoder, up, heads })
}

fn blocks(state: &mut State, name: &str) -> Result<Vec<Block>> {
    let is_there = |i: &usize| state.contains_key(&format!("{name}.convs.{i}.conv.weight"));
    let count = (0..).take_while(is_there).count();
    let block = |i: usize| {
        let name = format!("{name}.convs.{i}");
        let Affine { weight, bias } = affine(state, &format!("{name}.conv"), 0)?;
        let norm_weight = take(state, &format!("{name}.norm.weight"))?;
        Ok(Block { weight, bias, norm_weight, norm_bias: take(state, &format!("{name}.norm.bias"))? })
    };
    (0..count).map(block).collect()
}

/// The parameters of a network, each once.
pub(super) fn write(network: &Network) -> State {
    let mut state = State::new();
    for (stage, blocks) in network.encoder.iter().enumerate() {
        put(&mut state, &format!("{ENCODER}.{stage}.0"), blocks);
    }
    for (stage, blocks) in network.decoder.iter().enumerate() {
        put(&mut state, &format!("{DECODER}.{stage}"), blocks);
        let affines = [("transpconvs", &network.up[stage]), ("seg_layers", &network.heads[stage])];
        for (part, Affine { weight, bias }) in affines {
            state.insert(format!("decoder.{part}.{stage}.weight"), weight.clone());
            state.insert(format!("decoder.{part}.{stage}.bias"), bias.clone());
        }
    }
    state
}

fn put(state: &mut State, name: &str, blocks: &[Block]) {
    for (i, block) in blocks.iter().enumerate() {
        let values = [
            ("conv.weight", &block.weight),
            ("conv.bias", &block.bias),
            ("norm.weight", &block.norm_weight),
            ("norm.bias", &block.norm_bias),
        ];
        for (part, values) in values {
            state.insert(format!("{name}.convs.{i}.{part}"), values.clone());
        }
    }
}

/// All names under which v2 saves a parameter.
pub(super) fn names(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    for (part, number) in [(".conv.", 0), (".norm.", 1)] {
        if name.contains(".convs.") && name.contains(part) {
            names.push(name.replace(part, &format!("{IN_BLOCK}{number}.")));
        }
    }
    if name.starts_with("encoder.") {
        let again: Vec<String> = names.iter().map(|name| format!("decoder.{name}")).collect();
        names.extend(again);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::sample;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let network = sample();
        let state = write(&network);
        let all: State = state
            .iter()
            .flat_map(|(name, values)| names(name).into_iter().map(move |name| (name, values.clone())))
            .collect();
        assert!(all.contains_key("decoder.encoder.stages.1.0.convs.0.all_modules.1.bias"));
        assert_eq!(read(all).unwrap(), network);
        assert!(super::super::state_v1::read(state).is_err());
    }

    #[test]
    fn other_networks_are_refused_with_the_reason() {
        use super::super::other_networks::{OTHER, RESIDUAL, TRANSFORMER};
        use super::super::state_v1;
        let state =
            |name: &str| State::from([(name.to_owned(), ndarray::ArrayD::zeros(ndarray::IxDyn(&[1])))]);
        let names = [
            ("encoder.stem.convs.0.conv.weight", RESIDUAL),
            ("encoder.initial_conv.weight", RESIDUAL),
            ("eva.blocks.0.attn.qkv.weight", TRANSFORMER),
            ("layer.weight", OTHER),
        ];
        for (name, reason) in names {
            for error in [state_v1::read(state(name)), read(state(name))].map(Result::unwrap_err) {
                assert!(error.to_string().contains(reason), "{name}: {error}");
            }
        }
    }
}
