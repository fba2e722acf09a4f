//! Scores to labels on the device where they are.

use ndarray::Array3;
use nnunet_inference::{SegmentationHeads, from_tensor};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

/// Labels (z, y, x) of scores (classes, z, y, x), as [`SegmentationHeads::labels`] finds them. Of scores on a GPU only the labels are copied
/// into main memory.
pub(super) fn labels_of(head: &SegmentationHeads, scores: &Tensor) -> nnunet_plugin_api::Result<Array3<u8>> {
    if scores.device() == Device::Cpu {
        return Ok(head.labels(from_tensor(scores)?.view()));
    }
    let labels = match head {
        // The first class on ties.
        SegmentationHeads::Labels(_) => scores.f_argmax(0, false)?.f_to_kind(Kind::Uint8)?,
        SegmentationHeads::Regions(order) => regions(scores, order)?,
    };
    let size = labels.size();
    let [z, y, x] = std::array::from_fn(|axis| size.get(axis).map_or(0, |len| *len as usize));
    let values: Vec<u8> = Vec::try_from(labels.f_to_device(Device::Cpu)?.f_contiguous()?.f_reshape([-1])?)?;
    Ok(Array3::from_shape_vec((z, y, x), values).unwrap_or_default())
}

/// Where a region is more likely than not, its label; later regions overwrite earlier ones.
fn regions(scores: &Tensor, order: &[u8]) -> nnunet_plugin_api::Result<Tensor> {
    let mut labels = Tensor::f_zeros(&scores.size()[1..], (Kind::Uint8, scores.device()))?;
    for (i, label) in order.iter().enumerate() {
        let found = scores.f_select(0, i as i64)?.f_gt(0.5)?;
        labels = labels.f_masked_fill(&found, i64::from(*label))?;
    }
    Ok(labels)
}
