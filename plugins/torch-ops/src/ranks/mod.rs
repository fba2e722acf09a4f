//! Processes that train together, which libtorch's documentation calls ranks. A process belongs to one group at most, from
//! [`join`] to its end; all functions here do nothing special where it belongs to none.

// Also compiled for tests of a build that has c10d.
#[cfg(any(test, not(has_c10d)))]
#[cfg_attr(all(test, has_c10d), allow(dead_code, reason = "only its sentence is tested"))]
mod absent;
#[cfg(has_c10d)]
mod c10d;
mod meeting;
mod share;

#[cfg(not(has_c10d))]
use self::absent as group;
#[cfg(has_c10d)]
use self::c10d as group;

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use self::meeting::Meeting;

use tch::{TchError, Tensor};

use self::group::Group;
use self::share::share_of;

type Result<T> = std::result::Result<T, TchError>;

/// The group of this process.
#[derive(Debug)]
pub struct Ranks {
    rank: usize,
    size: usize,
    /// Samples of a whole batch.
    batch: AtomicUsize,
    group: Group,
}

static RANKS: OnceLock<Ranks> = OnceLock::new();

/// Whether this build can train with several processes.
#[must_use]
pub const fn are_available() -> bool {
    cfg!(has_c10d)
}

/// The group of this process, if it belongs to one.
pub fn current() -> Option<&'static Ranks> {
    RANKS.get()
}

/// Joins a group, and waits until all others have.
///
/// # Errors
/// Returns an error if the store cannot be reached, if a process is missing, if this process belongs to a group already, or if
/// this build has no c10d.
pub fn join(meeting: &Meeting) -> Result<&'static Ranks> {
    let Meeting { rank, size, .. } = *meeting;
    let ranks = Ranks { rank, size, batch: AtomicUsize::new(size), group: Group::join(meeting)? };
    let again = |_| TchError::Torch("this process belongs to a group already".to_owned());
    RANKS.set(ranks).map_err(again)?;
    current().ok_or_else(|| TchError::Torch("the group is gone".to_owned()))
}

/// The version of NCCL, whose library is loaded for it: that of this process, or else the file `fallback`.
///
/// # Errors
/// Returns an error if there is no library, or if this build has no c10d.
pub fn nccl_version(fallback: &Path) -> Result<String> {
    group::nccl_version(&fallback.display().to_string())
}

/// Which samples of a batch are those of this process: all where it belongs to no group.
#[must_use]
pub fn share(batch: usize) -> Range<usize> {
    current().map_or(0..batch, |ranks| share_of(batch, ranks.rank, ranks.size))
}

/// The sum of a tensor over all processes, `x` itself in a process on its own. Gradients of `x` are those of a batch that was
/// not shared out, once gradients have been averaged over all processes; `batch` is the number of samples that `x` is of.
///
/// # Errors
/// Returns an error if another process has ended.
pub fn sum_with_gradient(x: &Tensor, batch: usize) -> Result<Tensor> {
    let Some(ranks) = current() else { return Ok(x.shallow_clone()) };
    let samples = Tensor::f_full([1], batch as f64, (x.kind(), x.device()))?;
    let all = ranks.sum(&Tensor::f_cat(&[&x.f_detach()?.f_flatten(0, -1)?, &samples], 0)?)?;
    let numbers = all.size()[0] - 1;
    let value = all.f_narrow(0, 0, numbers)?.f_reshape(x.size())?;
    // The loss of this process is weighted with its share of all samples ([`Ranks::weight`]), and gradients are averaged.
    let scaled = x.f_mul(&all.f_narrow(0, numbers, 1)?.f_div_scalar(batch as f64)?)?;
    scaled.f_add(&value.f_sub(&scaled.f_detach()?)?)
}

impl Ranks {
    /// Number of this process, from 0. The first one writes files.
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// Number of processes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether this process is the one that writes files.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// Connects a GPU with those of the other processes by NCCL, after [`nccl_version`]. All processes must call it.
    ///
    /// # Errors
    /// Returns an error of NCCL, for example if another process uses the same GPU.
    pub fn connect_nccl(&self, gpu: usize) -> Result<()> {
        self.group.connect_nccl(gpu)
    }

    /// Uses the connection for all tensors on GPUs from now on, which gloo sends through main memory otherwise.
    ///
    /// # Errors
    /// Returns an error if there is no connection.
    pub fn use_nccl(&self) -> Result<()> {
        self.group.use_nccl()
    }

    /// Says how many samples a whole batch has from now on.
    pub fn set_batch(&self, samples: usize) {
        self.batch.store(samples, Ordering::Relaxed);
    }

    /// What the loss of this process's share of a batch is multiplied with, so that the average over all processes is the mean
    /// over the samples.
    #[must_use]
    pub fn weight(&self) -> f64 {
        let batch = self.batch.load(Ordering::Relaxed);
        (share(batch).len() * self.size) as f64 / batch as f64
    }

    /// The sum of a tensor over all processes.
    ///
    /// # Errors
    /// Returns an error if another process has ended, as all functions here.
    pub fn sum(&self, x: &Tensor) -> Result<Tensor> {
        let sum = x.f_detach()?.f_to_device_(x.device(), x.kind(), false, true)?.f_contiguous()?;
        self.group.sum(&sum)?;
        Ok(sum)
    }

    /// The mean of a loss over all samples: that of this process is of its share.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn mean_loss(&self, loss: &Tensor) -> Result<Tensor> {
        self.sum(&loss.f_detach()?.f_mul_scalar(self.weight() / self.size as f64)?)
    }

    /// Whether any process says so.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn any(&self, here: bool) -> Result<bool> {
        Ok(self.sum(&Tensor::from_slice(&[i64::from(here)]))?.f_int64_value(&[0])? > 0)
    }

    /// What every process has, by rank.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut lengths = vec![0_i64; self.size];
        lengths[self.rank] = bytes.len() as i64;
        let lengths = Vec::<i64>::try_from(self.sum(&Tensor::from_slice(&lengths))?)?;
        let longest = lengths.iter().max().map_or(0, |longest| *longest as usize).max(1);
        let mut rows = vec![0_u8; self.size * longest];
        rows[self.rank * longest..][..bytes.len()].copy_from_slice(bytes);
        let rows = Vec::<u8>::try_from(self.sum(&Tensor::from_slice(&rows))?)?;
        let row = |(row, length): (&[u8], &i64)| row[..*length as usize].to_vec();
        Ok(rows.chunks(longest).zip(&lengths).map(row).collect())
    }

    /// Gives all processes the values of the first one.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn take_from_first(&self, tensors: &[Tensor]) -> Result<()> {
        self.group.broadcast(tensors)
    }

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn barrier(&self) -> Result<()> {
        self.sum(&Tensor::from_slice(&[0_i64])).map(drop)
    }

    /// Averages gradients over all processes while a backward pass runs, from now on, of parameters in the order in which the
    /// network uses them.
    ///
    /// # Errors
    /// Returns an error if the processes have other parameters.
    pub fn average_gradients_of(&self, parameters: &[Tensor]) -> Result<()> {
        self.group.watch(parameters)
    }

    /// To be called before each backward pass: where it begins.
    ///
    /// # Errors
    /// As [`Ranks::sum`].
    pub fn prepare_backward(&self, loss: &Tensor) -> Result<()> {
        self.group.prepare_backward(loss)
    }

    /// Notes a text for the other processes.
    ///
    /// # Errors
    /// Returns an error if the store is gone.
    pub fn note(&self, key: &str, text: &str) -> Result<()> {
        self.group.set(key, text)
    }

    /// A text that a process notes, now or within some time.
    ///
    /// # Errors
    /// Returns an error if there is none then, or if the store is gone.
    pub fn noted(&self, key: &str, within: Duration) -> Result<String> {
        self.group.get(key, within)
    }
}
