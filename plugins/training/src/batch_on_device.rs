//! Batches on their way to a device.

use nnunet_plugin_api::tch::{Device, Tensor};
use nnunet_plugin_api::{Batch, Error, Result};
use nnunet_torch_ops::{Upload, pinned};

/// What the engine does with batches.
pub(crate) trait OnDevice: Sized {
    /// Images, then labels.
    fn tensors(&self) -> impl Iterator<Item = &Tensor>;
    /// A copy with memory of its own.
    fn copied(&self) -> Result<Self>;
    /// The same batch in pinned memory, for a GPU; otherwise as it is.
    fn pinned_for(self, device: Device) -> Result<Self>;
    /// Starts to copy the batch to a device. To a GPU it is copied on a second stream, while kernels run.
    fn upload(self, device: Device) -> Result<BatchUpload>;
    /// One sample as a batch of its own.
    fn sample(&self, index: usize) -> Result<Self>;
    /// Whether tensors have the sizes and number types of another batch's.
    fn is_like(&self, other: &Self) -> bool;

    /// The same batch on a device.
    fn on(self, device: Device) -> Result<Batch> {
        self.upload(device)?.finish()
    }
}

impl OnDevice for Batch {
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.data).chain(&self.targets)
    }

    fn copied(&self) -> Result<Self> {
        let copy = |tensor: &Tensor| -> Result<Tensor> {
            Ok(tensor.f_to_device_(tensor.device(), tensor.kind(), false, true)?)
        };
        let targets = self.targets.iter().map(copy).collect::<Result<_>>()?;
        Ok(Self { targets, data: copy(&self.data)?, cases: self.cases.clone() })
    }

    fn pinned_for(self, device: Device) -> Result<Self> {
        if device == Device::Cpu {
            return Ok(self);
        }
        let targets = self.targets.iter().map(|target| Ok(pinned(target)?)).collect::<Result<_>>()?;
        Ok(Self { targets, data: pinned(&self.data)?, ..self })
    }

    fn upload(self, device: Device) -> Result<BatchUpload> {
        let Device::Cuda(gpu) = device else { return Ok(BatchUpload { batch: self, upload: None }) };
        let tensors: Vec<Tensor> = self.tensors().map(Tensor::shallow_clone).collect();
        Ok(BatchUpload { upload: Some(Upload::start(&tensors, gpu)?), batch: self })
    }

    fn sample(&self, index: usize) -> Result<Self> {
        let at = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.f_narrow(0, index as i64, 1)?) };
        Ok(Self {
            data: at(&self.data)?,
            targets: self.targets.iter().map(at).collect::<Result<_>>()?,
            cases: self.cases.get(index).cloned().into_iter().collect(),
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        let form = |tensor: &Tensor| (tensor.size(), tensor.kind());
        self.tensors().map(form).eq(other.tensors().map(form))
    }
}

/// A batch on its way to a device.
pub(crate) struct BatchUpload {
    /// In main memory. It stays until the copy is used.
    batch: Batch,
    /// None: it is where it is used.
    upload: Option<Upload>,
}

impl BatchUpload {
    /// The batch on its device; waits for nothing.
    pub(crate) fn finish(self) -> Result<Batch> {
        let Some(upload) = self.upload else { return Ok(self.batch) };
        let mut tensors = upload.finish()?.into_iter();
        let data = tensors.next().ok_or_else(|| Error::message("a batch has data"))?;
        Ok(Batch { data, targets: tensors.collect(), cases: self.batch.cases })
    }
}
