//! What of a prediction lies in a GPU's memory.

use nnunet_cli::commands::predict::AllInGpu;
use nnunet_data::memory;
use nnunet_inference::{SlidingWindow, Storage};

use crate::devices::Needs;
use crate::memory_plan::Sizes;

/// Groups of rows between the sums and the export: being made, waiting, being taken.
const ROWS_UNDER_WAY: u64 = 3;

/// What lies on the GPU, and how many bytes it takes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnDevice {
    /// The sums over tiles.
    pub(crate) sums: bool,
    /// Scores of the whole volume, for splines.
    pub(crate) volumes: bool,
    /// The sum over folds.
    pub(crate) folds: bool,
    /// Mirror images that go through the network together.
    pub(crate) batch: usize,
    /// Images that are resampled before the network, one channel at a time.
    pub(crate) images: bool,
    /// Bytes, weights included.
    pub(crate) bytes: u64,
    /// The bytes that are needed at least: one tile, with the sums in main memory.
    pub(crate) least: u64,
}

impl OnDevice {
    /// For a device of `max` bytes. The sums come before a larger batch: in main memory every tile would have to leave the
    /// device. The sum over folds comes next, then the scores of the whole volume where splines need them.
    pub(crate) fn new(
        sizes: &Sizes,
        window: &SlidingWindow,
        Needs { base, tile }: Needs,
        max: u64,
        wish: AllInGpu,
    ) -> Self {
        // Rows that are done are on the device until the export takes them.
        let rows = ROWS_UNDER_WAY * sizes.rows_on_device(window) + sizes.resampling_on_device(window);
        let (sums, least) = (sizes.sums(window) + rows, base + tile);
        let has_sums = wish != AllInGpu::False && least + sums <= max;
        let base = base + if has_sums { sums } else { 0 };
        let fits = |base: u64, bytes: &u64| has_sums && base + tile + bytes <= max;
        let all_folds = sizes.folds_on_device(window);
        let folds = all_folds.filter(|bytes| fits(base, bytes));
        let base = base + folds.unwrap_or(0);
        // A volume comes from the device only if the sum over folds lies there.
        let volumes = sizes.volume_on_device(window).filter(|bytes| folds == all_folds && fits(base, bytes));
        let base = base + volumes.unwrap_or(0);
        let variants = 1_u64 << window.mirror_axes.len();
        let together = (max.saturating_sub(base) / tile.max(1)).clamp(1, variants);
        let batch = 1 << together.ilog2();
        let bytes = base + batch * tile;
        let images = sizes.image_on_device().filter(|images| bytes + images <= max);
        let bytes = bytes + images.unwrap_or(0);
        Self {
            sums: has_sums,
            volumes: volumes.is_some(),
            folds: folds.is_some(),
            batch: batch as usize,
            images: images.is_some(),
            bytes,
            least,
        }
    }

    /// Makes a window keep to the plan.
    pub(crate) fn apply(&self, window: &mut SlidingWindow) {
        window.batch = self.batch;
        if self.sums {
            window.sums = Storage::Device(window.device);
        }
        if self.folds {
            window.folds = Storage::Device(window.device);
        }
    }

    /// One line for the user.
    pub(crate) fn describe(&self, max: Option<u64>) -> String {
        let place = if self.sums { "on the GPU" } else { "in the machine's memory" };
        let mut text = format!("planned GPU memory: {}; sums are kept {place}", memory::readable(self.bytes));
        if let Some(max) = max.filter(|max| self.bytes > *max) {
            text += &format!("; one tile takes more than --max-vram {}", memory::readable(max));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 features on 64 x 128 x 128 in 25 classes: a tile of 1.4 GB, sums of 1.7 GB.
    fn on(max: u64, wish: AllInGpu) -> OnDevice {
        let sizes = Sizes {
            raw: [600, 512, 512],
            network: [600, 512, 512],
            channels: 1,
            folds: 1,
            features: 32,
            is_cubic: false,
            is_prepared: false,
        };
        let window = SlidingWindow::new(vec![64, 128, 128], 25);
        OnDevice::new(&sizes, &window, Needs { base: 100 << 20, tile: 1400 << 20 }, max, wish)
    }

    #[test]
    fn sums_come_first_and_then_mirror_images() {
        let large = on(64 << 30, AllInGpu::None);
        assert_eq!((large.sums, large.batch), (true, 8));
        let medium = on(6 << 30, AllInGpu::True);
        assert_eq!((medium.sums, medium.batch), (true, 2));
        let host = on(6 << 30, AllInGpu::False);
        assert_eq!((host.sums, host.batch), (false, 4));
        for plan in [large, medium, host] {
            assert!(plan.bytes <= if plan == large { 64 << 30 } else { 6 << 30 }, "{plan:?}");
        }
    }

    #[test]
    fn volumes_for_splines_are_kept_where_they_fit() {
        let sizes = Sizes {
            raw: [300, 512, 512],
            network: [150, 256, 256],
            channels: 1,
            folds: 5,
            features: 32,
            is_cubic: true,
            is_prepared: false,
        };
        let window = SlidingWindow::new(vec![64, 128, 128], 5);
        let plan = |max: u64| {
            let plan = OnDevice::new(
                &sizes,
                &window,
                Needs { base: 100 << 20, tile: 700 << 20 },
                max,
                AllInGpu::None,
            );
            assert!(plan.bytes <= max, "{plan:?}");
            (plan.sums, plan.folds, plan.volumes)
        };
        assert_eq!(plan(3 << 30), (true, true, true));
        assert_eq!(plan(1700 << 20), (true, true, false));
        assert_eq!(plan(1500 << 20), (true, false, false));
    }

    #[test]
    fn large_images_are_resampled_where_there_is_room_beside_the_network() {
        let plan = |raw: [usize; 3], is_prepared: bool, max: u64| {
            let network = [100, 200, 200];
            let sizes =
                Sizes { raw, network, channels: 1, folds: 1, features: 32, is_cubic: false, is_prepared };
            let window = SlidingWindow::new(vec![64, 128, 128], 5);
            let needs = Needs { base: 100 << 20, tile: 700 << 20 };
            OnDevice::new(&sizes, &window, needs, max, AllInGpu::None).images
        };
        assert!(plan([300, 512, 512], false, 20 << 30));
        assert!(!plan([300, 512, 512], false, 2 << 30), "no room");
        assert!(!plan([300, 512, 512], true, 20 << 30), "preprocessed already");
        assert!(!plan([100, 400, 400], false, 20 << 30), "small");
    }

    #[test]
    fn a_device_that_is_too_small_is_said_to_be() {
        let small = on(1 << 30, AllInGpu::None);
        assert_eq!((small.sums, small.batch), (false, 1));
        let text = small.describe(Some(1 << 30));
        assert!(text.contains("more than --max-vram 1.0 GB"), "{text}");
        assert!(!small.describe(None).contains("more than"));
    }
}
