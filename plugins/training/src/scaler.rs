//! The loss scaler of half precision (`torch.cuda.amp.GradScaler` with its defaults).
//!
//! Small gradients vanish in half precision, so the loss is multiplied by a scale before the backward pass and the
//! gradients are divided by it afterwards. A step whose gradients overflowed is left out, and the scale is halved.

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
}
