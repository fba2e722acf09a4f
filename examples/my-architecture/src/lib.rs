//! An architecture as a plugin: a U-Net of ConvNeXt blocks, like MedNeXt (Roy et al. 2023).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Architecture, Component, Info, Init, Kind, Network, NetworkSpec, Registration, Result, VarFactory,
    export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Architecture, "ConvNextUnet", "U-Net of ConvNeXt blocks, like MedNeXt.");
    Component::architecture(info, |_config| Ok(Box::new(ConvNextUnet)))
}));

struct ConvNextUnet;

impl Architecture for ConvNextUnet {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let width = |stage: usize| (spec.base_num_features << stage).min(320) as i64;
        let ones = vec![1; spec.patch_size.len()];
        let (input, classes) = (spec.num_input_channels as i64, spec.num_classes as i64);
        let stem = Conv::new(vars, "stem", [width(0), input], &ones, &ones, false)?;
        let mut levels = Vec::new();
        for (i, (pool, kernel)) in spec.pool_op_kernel_sizes.iter().zip(&spec.conv_kernel_sizes).enumerate() {
            let (wide, wider) = (width(i), width(i + 1));
            levels.push(Level {
                encoder: Block::new(vars, &format!("encoder.{i}"), wide, kernel)?,
                down: Conv::new(vars, &format!("down.{i}"), [wider, wide], pool, pool, false)?,
                up: Conv::new(vars, &format!("up.{i}"), [wider, wide], pool, pool, true)?,
                decoder: Block::new(vars, &format!("decoder.{i}"), wide, kernel)?,
                head: Conv::new(vars, &format!("head.{i}"), [classes, wide], &ones, &ones, false)?,
            });
        }
        let bottom = Block::new(vars, "bottom", width(levels.len()), &spec.conv_kernel_sizes[levels.len()])?;
        Ok(Box::new(Unet { stem, levels, bottom }))
    }
}

/// A convolution; axes without stride keep their size.
struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: Vec<i64>,
    padding: Vec<i64>,
    transposed: bool,
}

impl Conv {
    fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        channels: [i64; 2],
        kernel: &[usize],
        stride: &[usize],
        transposed: bool,
    ) -> Result<Self> {
        let shape: Vec<i64> = channels.into_iter().chain(kernel.iter().map(|len| *len as i64)).collect();
        let (he, zero) = (Init::KaimingNormal { negative_slope: 0.0 }, Init::Constant { value: 0.0 });
        let keeps_size = kernel.iter().zip(stride).map(|(len, step)| if *step == 1 { len / 2 } else { 0 });
        Ok(Self {
            weight: vars.parameter(&format!("{name}.weight"), &shape, he)?,
            bias: vars.parameter(&format!("{name}.bias"), &[channels[usize::from(transposed)]], zero)?,
            stride: stride.iter().map(|step| *step as i64).collect(),
            padding: keeps_size.map(|len| len as i64).collect(),
            transposed,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (ones, none) = (vec![1; self.stride.len()], vec![0; self.stride.len()]);
        let groups = if self.transposed { 1 } else { x.size()[1] / self.weight.size()[1] };
        let (weight, bias) = (&self.weight, Some(&self.bias));
        Ok(x.f_convolution(weight, bias, &self.stride, &self.padding, &ones, self.transposed, &none, groups)?)
    }
}

/// Depthwise convolution, normalization, and two pointwise convolutions over four times the channels.
struct Block([Conv; 3]);

impl Block {
    fn new(vars: &mut dyn VarFactory, name: &str, width: i64, kernel: &[usize]) -> Result<Self> {
        let ones = vec![1; kernel.len()];
        let mut layer = |part: &str, channels, kernel: &[usize]| {
            Conv::new(vars, &format!("{name}.{part}"), channels, kernel, &ones, false)
        };
        let spatial = layer("spatial", [width, 1], kernel)?;
        let expand = layer("expand", [4 * width, width], &ones)?;
        Ok(Self([spatial, expand, layer("reduce", [width, 4 * width], &ones)?]))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [spatial, expand, reduce] = &self.0;
        let none: Option<&Tensor> = None;
        let mixed = spatial.forward(x)?.f_group_norm(x.size()[1], none, none, 1e-5, false)?;
        Ok(x.f_add(&reduce.forward(&expand.forward(&mixed)?.f_gelu("none")?)?)?)
    }
}

struct Level {
    encoder: Block,
    down: Conv,
    up: Conv,
    decoder: Block,
    head: Conv,
}

struct Unet {
    stem: Conv,
    levels: Vec<Level>,
    bottom: Block,
}

impl Network for Unet {
    fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
        let mut x = self.stem.forward(input)?;
        let mut skips = Vec::new();
        for level in &self.levels {
            let skip = level.encoder.forward(&x)?;
            x = level.down.forward(&skip)?;
            skips.push(skip);
        }
        x = self.bottom.forward(&x)?;
        let mut outputs = Vec::new();
        for (level, skip) in self.levels.iter().zip(&skips).rev() {
            x = level.decoder.forward(&level.up.forward(&x)?.f_add(skip)?)?;
            outputs.insert(0, level.head.forward(&x)?);
        }
        Ok(outputs)
    }
}
