//! The loss scaler of half precision (`torch.cuda.amp.GradScaler` with its defaults).
//!
//! Small gradients vanish in half precision, so the loss is multiplied by a scale before the backward pass and the
//! gradients are divided by it afterwards. A step whose gradients overflowed is left out, and the scale is halved.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_torch_ops::{LossScaleRule, update_loss_scale};

/// Scale and how long it has held.
#[derive(Debug, Clone, PartialEq)]
pub struct LossScaler {
    /// Factor of the loss.
    pub scale: f64,
    /// Steps without overflow since the scale last changed.
    pub growth_tracker: usize,
}

impl LossScaler {
    /// The scale grows by this factor.
    pub const GROWTH: f64 = 2.0;
    /// And shrinks by this one.
    pub const BACKOFF: f64 = 0.5;
    /// Steps without overflow before it grows.
    pub const INTERVAL: usize = 2000;

    /// What follows a step; `overflowed`: its gradients were not finite.
    pub fn update(&mut self, overflowed: bool) {
        if overflowed {
            (self.scale, self.growth_tracker) = (self.scale * Self::BACKOFF, 0);
            return;
        }
        self.growth_tracker += 1;
        if self.growth_tracker == Self::INTERVAL {
            (self.scale, self.growth_tracker) = (self.scale * Self::GROWTH, 0);
        }
    }
}

/// A [`LossScaler`] on a GPU, which changes the scale itself after each step, so that nothing waits for the gradients. The
/// program reads later whether a step overflowed and follows with its own [`LossScaler`].
#[derive(Debug)]
pub(crate) struct DeviceLossScaler {
    pub(crate) scale: Tensor,
    growth_tracker: Tensor,
}

impl DeviceLossScaler {
    const RULE: LossScaleRule = LossScaleRule {
        growth: LossScaler::GROWTH,
        backoff: LossScaler::BACKOFF,
        interval: LossScaler::INTERVAL as i64,
    };

    pub(crate) fn new(scaler: &LossScaler, device: Device) -> Result<Self> {
        Ok(Self {
            scale: Tensor::f_full([1], scaler.scale, (Kind::Float, device))?.f_squeeze()?,
            growth_tracker: Tensor::f_full([1], scaler.growth_tracker as i64, (Kind::Int, device))?
                .f_squeeze()?,
        })
    }

    /// What follows a step; `overflowed` is 1 if its gradients were not finite, else 0.
    pub(crate) fn update(&self, overflowed: &Tensor) -> Result<()> {
        Ok(update_loss_scale(&self.scale, &self.growth_tracker, overflowed, Self::RULE)?)
    }
}

impl Default for LossScaler {
    fn default() -> Self {
        Self { scale: 65536.0, growth_tracker: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut scaler = LossScaler::default();
        scaler.update(true);
        assert_eq!(scaler, LossScaler { scale: 32768.0, growth_tracker: 0 });
        (0..1999).for_each(|_| scaler.update(false));
        assert_eq!(scaler, LossScaler { scale: 32768.0, growth_tracker: 1999 });
        scaler.update(false);
        assert_eq!(scaler, LossScaler { scale: 65536.0, growth_tracker: 0 });
        (0..1999).for_each(|_| scaler.update(false));
        scaler.update(true);
        assert_eq!(scaler, LossScaler { scale: 32768.0, growth_tracker: 0 });
    }

    #[test]
    fn the_device_follows_the_same_rule() {
        let mut scaler = LossScaler::default();
        let device = DeviceLossScaler::new(&scaler, Device::Cpu).unwrap();
        let steps = [true, false, true].into_iter().chain(std::iter::repeat_n(false, 2001)).chain([true]);
        for overflowed in steps {
            scaler.update(overflowed);
            device.update(&Tensor::from(f32::from(u8::from(overflowed)))).unwrap();
            assert_eq!(device.scale.double_value(&[]), scaler.scale);
            assert_eq!(device.growth_tracker.int64_value(&[]), scaler.growth_tracker as i64);
        }
    }
}
