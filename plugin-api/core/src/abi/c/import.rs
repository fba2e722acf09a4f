//! Components of the C interface as components of ours.

use core::ffi::{CStr, c_void};
use std::path::Path;

use ndarray::{Array3, ArrayView3, ArrayViewMut3};

use super::object::{CObject, path};
use super::types::{CChannel, CComponent, CGeometry, CIntensities, CLabels, CPlugin, CSample, CSink};
use crate::normalization::{all_finite, still_finite};
use crate::vocabulary::{IntensityStatistics, ItkGeometry};
use crate::{
    Augmentation, AugmentationContext, Component, Error, Factory, ImageFormat, ImageVolume, Info, Kind,
    LabelVolume, Normalization, NormalizationContext, Postprocessor, RandomStream, Result, Sample,
};

/// The components of a plugin's table.
///
/// # Errors
/// Returns an error if the table is of another version, or if a description is not JSON.
pub fn components(table: &'static CPlugin) -> Result<Vec<(Info, &'static CComponent)>> {
    if table.size < size_of::<CPlugin>() || table.components.is_null() {
        return Err(Error::message(format!("its C table has {} bytes; rebuild the plugin", table.size)));
    }
    (0..table.count)
        .map(|index| {
            // SAFETY: the table says how many pointers there are; they and what they point to are static.
            let component = unsafe { whole(*table.components.add(index)) };
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

/// Bytes of a component before ABI 1.4.
const COMPONENT_BEFORE_1_4: usize = core::mem::offset_of!(CComponent, split);

impl CComponent {
    /// A component without functions.
    pub(super) const EMPTY: Self = Self {
        size: size_of::<Self>(),
        info: core::ptr::null(),
        create: None,
        destroy: None,
        apply: None,
        normalize: None,
        augment: None,
        read: None,
        write: None,
        split: None,
        resample: None,
    };
}

/// A component of a plugin, completed where the plugin's is shorter: fields of later minors are none.
///
/// # Safety
/// The pointer is null or a static component that begins with its size.
unsafe fn whole(component: *const CComponent) -> Option<&'static CComponent> {
    // SAFETY: as this function demands: whatever the version, the first field is the size.
    let size = unsafe { component.cast::<usize>().as_ref() }.copied()?;
    if size >= size_of::<CComponent>() {
        // SAFETY: all fields are there.
        return unsafe { component.as_ref() };
    }
    if size < COMPONENT_BEFORE_1_4 {
        return None;
    }
    let mut copy = CComponent::EMPTY;
    // SAFETY: both have the fields of that size, which are plain data.
    unsafe { (&raw mut copy).cast::<u8>().copy_from_nonoverlapping(component.cast(), COMPONENT_BEFORE_1_4) };
    // As long as the plugin, which is never unloaded.
    Some(Box::leak(Box::new(copy)))
}

/// Turns an entry of a plugin's table into an entry of the registry. `sized` says whether the plugin is of ABI 1.2 or
/// later, where every struct begins with its size.
///
/// # Errors
/// Returns an error if the C interface does not support the kind.
pub fn import(info: Info, component: &'static CComponent, plugin: &str, sized: bool) -> Result<Component> {
    let label = format!("plugin {plugin}, {} {}", info.kind, info.name);
    macro_rules! made {
        ($kind:ident) => {
            Factory::$kind(Box::new(move |config| {
                Ok(Box::new(CObject::create(component, sized, config, &label)?))
            }))
        };
    }
    let factory = match info.kind {
        Kind::Postprocessor => made!(Postprocessor),
        Kind::Normalization => made!(Normalization),
        Kind::Augmentation => made!(Augmentation),
        Kind::Format => made!(Format),
        Kind::Splitter => made!(Splitter),
        Kind::Resampler => made!(Resampler),
        kind => return Err(Error::message(format!("{label}: the C interface has no {kind}"))),
    };
    Ok(Component { info, factory })
}

impl Postprocessor for CObject {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        let (z, y, x) = volume.labels.dim();
        let mut labels: Vec<u8> = volume.labels.iter().copied().collect();
        let (shape, spacing) = ([z, y, x], volume.spacing);
        let mut view = CLabels { size: size_of::<CLabels>(), voxels: labels.as_mut_ptr(), shape, spacing };
        let view = self.seen(&raw mut view);
        // SAFETY: the view describes `labels`, which outlives the call.
        self.call("apply", |c| c.apply, |apply, object, error| unsafe { apply(object, view, error) })?;
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
        let was_finite = all_finite(channel.view());
        let mut voxels: Vec<f32> = channel.iter().copied().collect();
        let seg: Vec<f32> = context.seg.iter().copied().collect();
        let known = context.intensities.map(CIntensities::from);
        let mut view = CChannel {
            size: size_of::<CChannel>(),
            voxels: voxels.as_mut_ptr(),
            seg: seg.as_ptr(),
            shape: [z, y, x],
            channel: context.channel,
            use_mask: context.use_mask,
            intensities: known
                .as_ref()
                .map_or(std::ptr::null(), |known| self.seen(std::ptr::from_ref(known).cast_mut())),
        };
        let view = self.seen(&raw mut view);
        // SAFETY: the view describes arrays that outlive the call.
        self.call("normalize", |c| c.normalize, |run, object, error| unsafe { run(object, view, error) })?;
        still_finite(was_finite, &voxels).map_err(|error| self.named("normalize", error))?;
        channel.iter_mut().zip(voxels).for_each(|(to, from)| *to = from);
        Ok(())
    }
}

impl Augmentation for CObject {
    fn augment(
        &self,
        sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        let standard = |array: ndarray::Array4<f32>| {
            if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
        };
        let (mut data, mut seg) = (standard(sample.data), standard(sample.seg));
        let (channels, z, y, x) = data.dim();
        let mut view = CSample {
            size: size_of::<CSample>(),
            data: data.as_mut_ptr(),
            seg: seg.as_mut_ptr(),
            channels: [channels, seg.dim().0],
            shape: [z, y, x],
            random: random.bits(),
            dimensions: context.patch.len(),
            dummy_2d: context.dummy_2d,
            num_labels: context.num_labels,
        };
        let view = self.seen(&raw mut view);
        // SAFETY: the view describes arrays that outlive the call.
        self.call("augment", |c| c.augment, |run, object, error| unsafe { run(object, view, error) })?;
        self.finite("augment", data.as_slice().unwrap_or_default())?;
        Ok(Sample { data, seg })
    }
}

impl ImageFormat for CObject {
    fn read(&self, file: &Path) -> Result<ImageVolume> {
        let name = path(file)?;
        let mut reading = Reading { sized: self.is_sized(), image: None };
        let mut sink = CSink { size: size_of::<CSink>(), context: (&raw mut reading).cast(), allocate };
        let sink = self.seen(&raw mut sink);
        self.call(
            "read",
            |c| c.read,
            // SAFETY: path and sink outlive the call.
            |read, object, error| unsafe { read(object, name.as_ptr(), sink, error) },
        )?;
        let (geometry, voxels) = reading
            .image
            .ok_or_else(|| self.named("read", Error::message("the plugin did not allocate an image")))?;
        let Placed { spacing, origin, direction, .. } = geometry;
        Ok(ImageVolume { voxels, geometry: ItkGeometry { origin, spacing, direction } })
    }

    fn write(&self, file: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        let (name, voxels) = (path(file)?, voxels.as_standard_layout());
        let (z, y, x) = voxels.dim();
        let ItkGeometry { origin, spacing, direction } = *geometry;
        let mut geometry =
            CGeometry { size: size_of::<CGeometry>(), voxels: [x, y, z], spacing, origin, direction };
        let geometry = self.seen(&raw mut geometry);
        self.call(
            "write",
            |c| c.write,
            // SAFETY: path, voxels and geometry outlive the call.
            |write, object, error| unsafe { write(object, name.as_ptr(), voxels.as_ptr(), geometry, error) },
        )
    }
}

/// Called by the plugin, runs in the host: an array for the image that is being read.
extern "C" fn allocate(context: *mut c_void, geometry: *const CGeometry) -> *mut f32 {
    // SAFETY: `context` is the `reading` of the `read` that is running on this thread.
    let reading = unsafe { &mut *context.cast::<Reading>() };
    if geometry.is_null() {
        return std::ptr::null_mut();
    }
    let first = if reading.sized {
        // SAFETY: since 1.2 the plugin's struct begins with its size, and is valid during the call.
        if unsafe { geometry.cast::<usize>().read() } < size_of::<CGeometry>() {
            return std::ptr::null_mut();
        }
        size_of::<usize>()
    } else {
        0
    };
    // SAFETY: behind the size the struct is a `Placed`; it is the plugin's and valid during the call.
    let placed = unsafe { geometry.byte_add(first).cast::<Placed>().read() };
    let [x, y, z] = placed.voxels;
    let count = x.checked_mul(y).and_then(|plane| plane.checked_mul(z));
    let mut values: Vec<f32> = Vec::new();
    let Some(count) = count.filter(|count| values.try_reserve_exact(*count).is_ok()) else {
        return std::ptr::null_mut();
    };
    values.resize(count, 0.0);
    let Ok(voxels) = Array3::from_shape_vec((z, y, x), values) else { return std::ptr::null_mut() };
    reading.image.insert((placed, voxels)).1.as_mut_ptr()
}

/// What a running `read` knows.
struct Reading {
    /// The plugin's structs begin with their size.
    sized: bool,
    /// What the plugin has allocated.
    image: Option<(Placed, Array3<f32>)>,
}

/// [`CGeometry`] without its size.
#[repr(C)]
#[derive(Clone, Copy)]
struct Placed {
    voxels: [usize; 3],
    spacing: [f64; 3],
    origin: [f64; 3],
    direction: [f64; 9],
}

impl CObject {
    fn finite(&self, method: &'static str, values: &[f32]) -> Result<()> {
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(self.named(method, Error::NotFinite(format!("intensity {value}")))),
            None => Ok(()),
        }
    }
}

impl From<IntensityStatistics> for CIntensities {
    fn from(s: IntensityStatistics) -> Self {
        Self {
            size: size_of::<Self>(),
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

#[cfg(test)]
mod tests {
    use core::ffi::c_char;

    use super::super::types::{CError, CHost};
    use super::*;
    use crate::{Config, normalize_channel};

    unsafe extern "C" fn create(_: *const c_char, _: *const CHost, _: *mut CError) -> *mut c_void {
        std::ptr::dangling_mut()
    }

    /// Sets every voxel to NaN. `first`: bytes in front of the first field.
    unsafe fn fill(channel: *mut CChannel, first: usize) -> i32 {
        // SAFETY: the struct is the host's, and `first` is where its fields begin.
        unsafe {
            let voxels = channel.byte_add(first).cast::<*mut f32>().read();
            let shape = channel.byte_add(first + 2 * size_of::<*mut f32>()).cast::<[usize; 3]>().read();
            std::slice::from_raw_parts_mut(voxels, shape.iter().product()).fill(f32::NAN);
        }
        0
    }

    unsafe extern "C" fn old(_: *mut c_void, channel: *mut CChannel, _: *mut CError) -> i32 {
        // SAFETY: as `fill` demands.
        unsafe { fill(channel, 0) }
    }

    unsafe extern "C" fn new(_: *mut c_void, channel: *mut CChannel, _: *mut CError) -> i32 {
        // SAFETY: as `fill` demands.
        unsafe {
            assert_eq!(channel.cast::<usize>().read(), size_of::<CChannel>());
            fill(channel, size_of::<usize>())
        }
    }

    /// Allocates one voxel; the struct begins `first` bytes into a buffer that begins with a size.
    unsafe fn allocate_one(sink: *const CSink, first: usize) -> i32 {
        let geometry = CGeometry {
            size: size_of::<CGeometry>(),
            voxels: [1; 3],
            spacing: [2.0; 3],
            origin: [0.0; 3],
            direction: [1., 0., 0., 0., 1., 0., 0., 0., 1.],
        };
        // SAFETY: the sink is the host's, and its fields begin at `size_of::<usize>() - first`.
        unsafe {
            let fields = sink.byte_add(size_of::<usize>() - first);
            let context = fields.cast::<*mut c_void>().read();
            let function = fields.byte_add(size_of::<usize>());
            let function = function.cast::<extern "C" fn(*mut c_void, *const CGeometry) -> *mut f32>().read();
            let voxel = function(context, (&raw const geometry).byte_add(first));
            voxel.write(7.0);
        }
        0
    }

    unsafe extern "C" fn read_old(
        _: *mut c_void,
        _: *const c_char,
        sink: *const CSink,
        _: *mut CError,
    ) -> i32 {
        // SAFETY: the host hands an older plugin the fields behind the size.
        unsafe { allocate_one(sink, size_of::<usize>()) }
    }

    unsafe extern "C" fn read_new(
        _: *mut c_void,
        _: *const c_char,
        sink: *const CSink,
        _: *mut CError,
    ) -> i32 {
        // SAFETY: the host hands over the whole struct.
        unsafe { allocate_one(sink, 0) }
    }

    const MADE: CComponent = CComponent { info: c"{}".as_ptr(), create: Some(create), ..CComponent::EMPTY };
    static OLD: CComponent = CComponent { normalize: Some(old), read: Some(read_old), ..MADE };
    static NEW: CComponent = CComponent { normalize: Some(new), read: Some(read_new), ..MADE };

    fn component(sized: bool, kind: Kind) -> Component {
        let table = if sized { &NEW } else { &OLD };
        import(Info::new(kind, "Odd", ""), table, "p", sized).unwrap()
    }

    /// A table from before a minor that added functions has none of them.
    #[test]
    fn a_shorter_component_is_completed() {
        static SHORT: CComponent = CComponent { size: COMPONENT_BEFORE_1_4, normalize: Some(new), ..MADE };
        static SHORTER: CComponent = CComponent { size: COMPONENT_BEFORE_1_4 - 1, ..MADE };
        // SAFETY: static components.
        let [short, shorter] = [&SHORT, &SHORTER].map(|component| unsafe { whole(component) });
        let short = short.unwrap();
        assert!(short.normalize.is_some() && short.split.is_none() && short.resample.is_none());
        assert!(shorter.is_none());
    }

    #[test]
    fn plugins_with_and_without_sizes_see_the_same_fields() {
        for sized in [false, true] {
            let Factory::Format(make) = component(sized, Kind::Format).factory else {
                panic!("another kind")
            };
            let image = make(&Config::new()).unwrap().read(Path::new("x")).unwrap();
            assert_eq!((image.voxels[[0, 0, 0]], image.geometry.spacing), (7.0, [2.0; 3]), "{sized}");
        }
    }

    #[test]
    fn what_a_normalization_in_c_returns_is_checked_as_any() {
        for sized in [false, true] {
            let Factory::Normalization(make) = component(sized, Kind::Normalization).factory else {
                panic!("another kind")
            };
            let (odd, seg) = (make(&Config::new()).unwrap(), Array3::zeros((1, 2, 3)));
            let context = NormalizationContext::new(0, seg.view());
            let normalize = |from: f32| {
                let mut channel = Array3::from_elem((1, 2, 3), from);
                normalize_channel(&*odd, channel.view_mut(), &context).map_err(|error| error.to_string())
            };
            let message = "plugin p, normalization Odd: normalize: intensity NaN is not finite";
            assert_eq!(normalize(1.0), Err(message.to_owned()), "{sized}");
            assert_eq!(normalize(f32::NAN), Ok(()), "{sized}");
        }
    }
}
