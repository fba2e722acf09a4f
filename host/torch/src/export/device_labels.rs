//! Scores to labels on the device where they are.

use ndarray::Array3;
use nnunet_inference::{SegmentationHeads, from_tensor};
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

/// Labels (z, y, x) of scores (classes, z, y, x), as [`SegmentationHeads::labels`] finds them. Of scores on a GPU only the
/// labels are copied into main memory.
pub(super) fn labels_of(head: &SegmentationHeads, scores: &Tensor) -> Result<Array3<u16>> {
    if scores.device() == Device::Cpu {
        return Ok(head.labels(from_tensor(scores)?.view()));
    }
    let labels = match head {
        // The first class on ties.
        SegmentationHeads::Labels(_) => scores.f_argmax(0, false)?,
        SegmentationHeads::Regions(order) => regions(scores, order)?,
    };
    let size = labels.size();
    let [z, y, x] = std::array::from_fn(|axis| size.get(axis).map_or(0, |len| *len as usize));
    Ok(Array3::from_shape_vec((z, y, x), in_main_memory(&labels, largest(head))?).unwrap_or_default())
}

fn largest(head: &SegmentationHeads) -> usize {
    match head {
        SegmentationHeads::Labels(count) => count.saturating_sub(1),
        SegmentationHeads::Regions(order) => order.iter().copied().map(usize::from).max().unwrap_or(0),
    }
}

/// Labels of a device, of which only as many bytes leave it as the largest one needs.
fn in_main_memory(labels: &Tensor, largest: usize) -> Result<Vec<u16>> {
    let copied = |kind: Kind| -> Result<Tensor> {
        Ok(labels.f_to_kind(kind)?.f_to_device(Device::Cpu)?.f_contiguous()?.f_reshape([-1])?)
    };
    if largest <= usize::from(u8::MAX) {
        let values: Vec<u8> = Vec::try_from(copied(Kind::Uint8)?)?;
        return Ok(values.into_iter().map(u16::from).collect());
    }
    // Shorts lie in memory as unsigned ones do.
    let values: Vec<i16> = Vec::try_from(copied(Kind::Int16)?)?;
    Ok(values.into_iter().map(i16::cast_unsigned).collect())
}

/// Where a region is more likely than not, its label; later regions overwrite earlier ones.
fn regions(scores: &Tensor, order: &[u8]) -> Result<Tensor> {
    let mut labels = Tensor::f_zeros(&scores.size()[1..], (Kind::Int, scores.device()))?;
    for (i, label) in (0..).zip(order) {
        let found = scores.f_select(0, i)?.f_gt(0.5)?;
        labels = labels.f_masked_fill(&found, i64::from(*label))?;
    }
    Ok(labels)
}
