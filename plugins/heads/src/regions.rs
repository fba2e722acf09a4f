//! Labels as overlapping regions (v1 `ConvertSegmentationToRegionsTransform`).

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

/// One mask of each region.
///
/// # Shapes
/// `labels` (batch, 1, space...) int64; (batch, regions, space...) float comes back.
///
/// # Errors
/// Returns an error of libtorch.
pub fn region_masks(labels: &Tensor, regions: &[Vec<u8>]) -> Result<Tensor> {
    let masks = regions.iter().map(|region| {
        let mut mask = labels.f_zeros_like()?.f_to_kind(Kind::Bool)?;
        for label in region {
            mask = mask.f_logical_or(&labels.f_eq(i64::from(*label))?)?;
        }
        Ok(mask)
    });
    Ok(Tensor::f_cat(&masks.collect::<Result<Vec<_>>>()?, 1)?.f_to_kind(Kind::Float)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voxel_may_be_in_several_regions() {
        let labels = Tensor::from_slice(&[0_i64, 1, 2, 3]).reshape([1, 1, 4]);
        let masks = region_masks(&labels, &[vec![1, 2, 3], vec![2, 3], vec![3]]).unwrap();
        let values = Vec::<f32>::try_from(masks.reshape([-1])).unwrap();
        assert_eq!(values, [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
