//! A postprocessor as a plugin: lesions that do not touch their organ are removed. It needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-postprocessor
//! nnunet --plugin target/release/libmy_postprocessor.so predict -i IMAGES -o PREDICTIONS -t 3 -pp LesionsInOrgan
//! nnunet --plugin target/release/libmy_postprocessor.so apply_postprocessing -i PREDICTIONS -o BETTER \
//!     -pp LesionsInOrgan --parameters 'lesion = 3'
//! ```

use nnunet_plugin_api::ndarray::Array3;
use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Component, Error, Info, Kind, LabelVolume, Postprocessor, Registration, Result, export_plugin, inventory,
    parse_config,
};

export_plugin!();

/// Its parameters: `--parameters`, or a table `[postprocessors.X]` in nnunet.toml.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct LesionsInOrgan {
    /// Label of the organ.
    organ: u8,
    /// Label of the lesions.
    lesion: u8,
}

impl Default for LesionsInOrgan {
    fn default() -> Self {
        Self { organ: 1, lesion: 2 }
    }
}

inventory::submit!(Registration(|| {
    let summary = "Removes lesions that do not touch their organ.";
    let info = Info::new(Kind::Postprocessor, "LesionsInOrgan", summary).with_config::<LesionsInOrgan>();
    Component::postprocessor(info, |config| Ok(Box::new(parse_config::<LesionsInOrgan>(config)?)))
}));

impl Postprocessor for LesionsInOrgan {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        if self.organ == self.lesion {
            return Err(Error::message("organ and lesion are the same label"));
        }
        let labels = &mut volume.labels;
        let mut seen = Array3::from_elem(labels.dim(), false);
        let starts: Vec<Voxel> =
            labels.indexed_iter().filter(|(_, l)| **l == self.lesion).map(|(at, _)| at).collect();
        for start in starts {
            if !seen[start] {
                let (lesion, touches) = self.grow(labels, &mut seen, start);
                if !touches {
                    lesion.into_iter().for_each(|at| labels[at] = 0);
                }
            }
        }
        Ok(())
    }
}

/// (z, y, x).
type Voxel = (usize, usize, usize);

impl LesionsInOrgan {
    /// The lesion around a voxel, and whether it touches the organ.
    fn grow(&self, labels: &Array3<u8>, seen: &mut Array3<bool>, start: Voxel) -> (Vec<Voxel>, bool) {
        let (mut lesion, mut next, mut touches) = (vec![start], 0, false);
        seen[start] = true;
        while let Some((z, y, x)) = lesion.get(next).copied() {
            next += 1;
            // Below the first index the subtraction wraps round, out of the volume.
            let around = [
                (z.wrapping_sub(1), y, x),
                (z + 1, y, x),
                (z, y.wrapping_sub(1), x),
                (z, y + 1, x),
                (z, y, x.wrapping_sub(1)),
                (z, y, x + 1),
            ];
            for at in around {
                let label = labels.get(at).copied();
                touches |= label == Some(self.organ);
                if label == Some(self.lesion) && !std::mem::replace(&mut seen[at], true) {
                    lesion.push(at);
                }
            }
        }
        (lesion, touches)
    }
}
