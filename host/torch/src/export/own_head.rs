//! What a head of a component makes of scores.

use anyhow::{Result, ensure};
use ndarray::{Array3, Array4};
use nnunet_inference::to_tensor;
use nnunet_plugin_api::TaskHead;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

/// Labels (z, y, x) of scores (outputs, z, y, x).
pub(super) fn labels(head: &TaskHead, scores: &Array4<f32>) -> Result<Array3<u16>> {
    let written = written(head, scores, Kind::Int64)?;
    let labels = Vec::<i64>::try_from(written)?.into_iter().map(u16::try_from).collect::<Result<Vec<_>, _>>();
    ensure!(labels.is_ok(), "the head wrote a label that is not between 0 and {}", u16::MAX);
    Ok(Array3::from_shape_vec(space(scores), labels?)?)
}

/// Values (z, y, x) of scores (outputs, z, y, x).
pub(super) fn values(head: &TaskHead, scores: &Array4<f32>) -> Result<Array3<f32>> {
    let values = Vec::<f32>::try_from(written(head, scores, Kind::Float)?)?;
    Ok(Array3::from_shape_vec(space(scores), values)?)
}

fn written(head: &TaskHead, scores: &Array4<f32>, kind: Kind) -> Result<Tensor> {
    let written = head.written(&to_tensor(scores.view())?)?;
    Ok(written.f_to_device(Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?.f_reshape([-1])?)
}

fn space(scores: &Array4<f32>) -> (usize, usize, usize) {
    let (_, z, y, x) = scores.dim();
    (z, y, x)
}
