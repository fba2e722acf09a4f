//! Components of the C interface as components of ours.

use core::ffi::{CStr, c_void};
use std::path::Path;

use ndarray::{Array3, ArrayView3, ArrayViewMut3};

use super::object::{CObject, path};
use super::types::{CChannel, CComponent, CGeometry, CIntensities, CLabels, CPlugin, CSample, CSink};
use crate::vocabulary::{IntensityStatistics, ItkGeometry};
use crate::{
    Augmentation, AugmentationContext, Component, Error, Factory, ImageFormat, ImageVolume, Info, Kind,
    LabelVolume, Normalization, NormalizationContext, Postprocessor, RandomStream, Result, Sample,
};

/// The components of a plugin's table.
///
/// # Errors
/// A table of another version, or a description that is not JSON.
pub fn components(table: &'static CPlugin) -> Result<Vec<(Info, &'static CComponent)>> {
    if table.size < size_of::<CPlugin>() || table.components.is_null() {
        return Err(Error::message(format!("its C table has {} bytes; rebuild the plugin", table.size)));
    }
    (0..table.count)
        .map(|index| {
            // SAFETY: the table says how many pointers there are; they and what they point to are static.
            let component = unsafe { (*table.components.add(index)).as_ref() };
            let component = component.filter(|component| component.size >= size_of::<CComponent>());
            let component = component.ok_or_else(|| {
                Error::message(format!("component {index} is of another size; rebuild the plugin"))
            })?;
            if component.info.is_null() {
                return Err(Error::message(format!("component {index} does not describe itself")));
            }
            // SAFETY: static text with an end mark.
            let text = unsafe { CStr::from_ptr(component.info) }.to_string_lossy();
            let info = serde_json::from_str(&text)
                .map_err(|error| Error::message(format!("the description of component {index}: {error}")))?;
            Ok((info, component))
        })
        .collect()
}

/// Turns an entry of a plugin's table into an entry of the registry.
///
/// # Errors
/// A kind that does not cross here.
pub fn import(info: Info, component: &'static CComponent, plugin: &str) -> Result<Component> {
    let label = format!("plugin {plugin}, {} {}", info.kind, info.name);
    macro_rules! made {
        ($kind:ident) => {
            Factory::$kind(Box::new(move |config| Ok(Box::new(CObject::create(component, config, &label)?))))
        };
    }
    let factory = match info.kind {
        Kind::Postprocessor => made!(Postprocessor),
        Kind::Normalization => made!(Normalization),
        Kind::Augmentation => made!(Augmentation),
        Kind::Format => made!(Format),
        kind => return Err(Error::message(format!("{label}: the C interface has no {kind}"))),
    };
    Ok(Component { info, factory })
}

impl Postprocessor for CObject {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        let (z, y, x) = volume.labels.dim();
        let mut labels: Vec<u8> = volume.labels.iter().copied().collect();
        let mut view = CLabels { voxels: labels.as_mut_ptr(), shape: [z, y, x], spacing: volume.spacing };
        // SAFETY: the view describes `labels`, which outlives the call.
        self.call("apply", |c| c.apply, |apply, object, error| unsafe { apply(object, &mut view, error) })?;
        volume.labels.iter_mut().zip(labels).for_each(|(to, from)| *to = from);
        Ok(())
    }
}

impl Normalization for CObject {
    fn normalize(
        &self,
        mut channel: ArrayViewMut3<'_, f32>,
        context: &NormalizationContext<'_>,
    ) -> Result<()> {
        let (z, y, x) = channel.dim();
        let mut voxels: Vec<f32> = channel.iter().copied().collect();
        let seg: Vec<f32> = context.seg.iter().copied().collect();
        let known = context.intensities.map(CIntensities::from);
        let mut view = CChannel {
            voxels: voxels.as_mut_ptr(),
            seg: seg.as_ptr(),
            shape: [z, y, x],
            channel: context.channel,
            use_mask: context.use_mask,
            intensities: known.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
        };
        // SAFETY: the view describes arrays that outlive the call.
        self.call(
            "normalize",
            |c| c.normalize,
            |run, object, error| unsafe { run(object, &mut view, error) },
        )?;
        self.finite("normalize", &voxels)?;
        channel.iter_mut().zip(voxels).for_each(|(to, from)| *to = from);
        Ok(())
    }
}

impl Augmentation for CObject {
    fn augment(
        &self,
        sample: Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        let standard = |array: ndarray::Array4<f32>| {
            if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
        };
        let (mut data, mut seg) = (standard(sample.data), standard(sample.seg));
        let (channels, z, y, x) = data.dim();
        let mut view = CSample {
            data: data.as_mut_ptr(),
            seg: seg.as_mut_ptr(),
            channels: [channels, seg.dim().0],
            shape: [z, y, x],
            random: random.bits(),
        };
        // SAFETY: the view describes arrays that outlive the call.
        self.call("augment", |c| c.augment, |run, object, error| unsafe { run(object, &mut view, error) })?;
        self.finite("augment", data.as_slice().unwrap_or_default())?;
        Ok(Sample { data, seg })
    }
}

impl ImageFormat for CObject {
    fn read(&self, file: &Path) -> Result<ImageVolume> {
        let name = path(file)?;
        let mut image: Option<(CGeometry, Array3<f32>)> = None;
        let sink = CSink { context: (&raw mut image).cast(), allocate };
        // SAFETY: path and sink outlive the call.
        self.call(
            "read",
            |c| c.read,
            |read, object, error| unsafe { read(object, name.as_ptr(), &sink, error) },
        )?;
        let (geometry, voxels) =
            image.ok_or_else(|| self.named("read", Error::message("no image was handed over")))?;
        let CGeometry { spacing, origin, direction, .. } = geometry;
        Ok(ImageVolume { voxels, geometry: ItkGeometry { origin, spacing, direction } })
    }

    fn write(&self, file: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        let (name, voxels) = (path(file)?, voxels.as_standard_layout());
        let (z, y, x) = voxels.dim();
        let ItkGeometry { origin, spacing, direction } = *geometry;
        let geometry = CGeometry { size: [x, y, z], spacing, origin, direction };
        // SAFETY: path, voxels and geometry outlive the call.
        self.call(
            "write",
            |c| c.write,
            |write, object, error| unsafe { write(object, name.as_ptr(), voxels.as_ptr(), &geometry, error) },
        )
    }
}

/// Called by the plugin, runs in the host: an array for the image that is being read.
extern "C" fn allocate(context: *mut c_void, geometry: *const CGeometry) -> *mut f32 {
    // SAFETY: the geometry is the plugin's, valid during the call; null when it is not.
    let Some(geometry) = (unsafe { geometry.as_ref() }) else { return std::ptr::null_mut() };
    let [x, y, z] = geometry.size;
    let count = x.checked_mul(y).and_then(|plane| plane.checked_mul(z));
    let mut values: Vec<f32> = Vec::new();
    let Some(count) = count.filter(|count| values.try_reserve_exact(*count).is_ok()) else {
        return std::ptr::null_mut();
    };
    values.resize(count, 0.0);
    let Ok(voxels) = Array3::from_shape_vec((z, y, x), values) else { return std::ptr::null_mut() };
    // SAFETY: `context` is the `image` of the `read` that is running on this thread.
    let image = unsafe { &mut *context.cast::<Option<(CGeometry, Array3<f32>)>>() };
    image.insert((*geometry, voxels)).1.as_mut_ptr()
}

impl CObject {
    fn finite(&self, method: &'static str, values: &[f32]) -> Result<()> {
        match values.iter().find(|value| !value.is_finite()) {
            Some(odd) => Err(self.named(method, Error::NotFinite(format!("intensity {odd}")))),
            None => Ok(()),
        }
    }
}

impl From<IntensityStatistics> for CIntensities {
    fn from(s: IntensityStatistics) -> Self {
        Self {
            mean: s.mean.into(),
            sd: s.sd.into(),
            minimum: s.mn.into(),
            maximum: s.mx.into(),
            median: s.median.into(),
            percentile_00_5: s.percentile_00_5,
            percentile_99_5: s.percentile_99_5,
        }
    }
}
