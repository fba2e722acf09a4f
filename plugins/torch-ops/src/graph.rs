//! Work on a GPU that is recorded once and started as a whole: a CUDA graph. A network of small kernels is bound by the time
//! that starting each of them takes.

use std::ffi::c_char;
use std::ptr;

use tch::TchError;

use crate::call::done;

/// `Graph` of the C++ part.
#[repr(C)]
struct Graph {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn nnunet_graph_new(index: i32, graph: *mut *mut Graph) -> *mut c_char;
    fn nnunet_graph_begin(graph: *mut Graph) -> *mut c_char;
    fn nnunet_graph_end(graph: *mut Graph) -> *mut c_char;
    fn nnunet_graph_replay(graph: *mut Graph) -> *mut c_char;
    fn nnunet_graph_free(graph: *mut Graph);
}

/// Recorded work. It reads and writes the same memory each time.
#[derive(Debug)]
pub struct CudaGraph {
    graph: *mut Graph,
}

impl CudaGraph {
    /// Records what `work` starts on a GPU, without doing it. `work` must not wait for the GPU, nor copy from memory that is
    /// not pinned, and what it allocates belongs to the graph.
    ///
    /// # Errors
    /// Returns an error if there is no libtorch_cuda of the expected version, or if `work` fails or does what cannot be
    /// recorded. Nothing has been done then.
    pub fn record<T, E: From<TchError>>(
        gpu: usize,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let mut graph = ptr::null_mut();
        let index = i32::try_from(gpu).unwrap_or(i32::MAX);
        // SAFETY: on success `graph` is a new object that is ours.
        done(unsafe { nnunet_graph_new(index, &raw mut graph) })?;
        let graph = Self { graph };
        // SAFETY: the object lives as long as `graph`, as in all calls of this file.
        done(unsafe { nnunet_graph_begin(graph.graph) })?;
        let result = work();
        // SAFETY: as above.
        let ended = done(unsafe { nnunet_graph_end(graph.graph) });
        let value = result?;
        ended?;
        Ok((graph, value))
    }

    /// Starts the work. Waits for nothing.
    ///
    /// # Errors
    /// Returns an error of the GPU.
    pub fn replay(&self) -> Result<(), TchError> {
        // SAFETY: as above.
        done(unsafe { nnunet_graph_replay(self.graph) })
    }
}

impl Drop for CudaGraph {
    fn drop(&mut self) {
        // SAFETY: the object is ours and is not used again.
        unsafe { nnunet_graph_free(self.graph) };
    }
}
