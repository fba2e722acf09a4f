//! The group as the C++ part has it.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use super::meeting::Meeting;
use crate::call::{List, Pointers, done, text};

type Result<T> = std::result::Result<T, TchError>;

/// `Meeting` of the C++ part.
#[repr(C)]
struct RawMeeting {
    host: *const c_char,
    port: u16,
    serves: bool,
    rank: i32,
    size: i32,
    prefix: *const c_char,
    address: *const c_char,
    timeout: i64,
}

/// `Group` of the C++ part.
#[repr(C)]
struct RawGroup {
    opaque: [u8; 0],
}

/// `Reducer` of libtorch.
#[repr(C)]
struct RawReducer {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn nnunet_ranks_join(meeting: *const RawMeeting, group: *mut *mut RawGroup) -> *mut c_char;
    fn nnunet_ranks_nccl_version(fallback: *const c_char, version: *mut *mut c_char) -> *mut c_char;
    fn nnunet_ranks_connect_nccl(group: *mut RawGroup, index: i32) -> *mut c_char;
    fn nnunet_ranks_use_nccl(group: *mut RawGroup) -> *mut c_char;
    fn nnunet_ranks_free(group: *mut RawGroup);
    fn nnunet_ranks_sum(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn nnunet_ranks_broadcast(group: *mut RawGroup, tensors: List, from: i32) -> *mut c_char;
    fn nnunet_ranks_set(group: *mut RawGroup, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn nnunet_ranks_wait(group: *mut RawGroup, key: *const c_char, timeout: i64) -> *mut c_char;
    fn nnunet_ranks_get(group: *mut RawGroup, key: *const c_char, value: *mut *mut c_char) -> *mut c_char;
    fn nnunet_ranks_reducer(
        group: *mut RawGroup,
        tensors: List,
        reducer: *mut *mut RawReducer,
    ) -> *mut c_char;
    fn nnunet_ranks_prepare(reducer: *mut RawReducer, loss: *const C_tensor) -> *mut c_char;
    fn nnunet_ranks_free_reducer(reducer: *mut RawReducer);
}

/// A group that was joined.
#[derive(Debug)]
pub(super) struct Group {
    group: *mut RawGroup,
    reducer: Mutex<Reducer>,
}

/// What averages gradients; null before it is needed.
#[derive(Debug)]
struct Reducer(*mut RawReducer);

// SAFETY: libtorch's store and process group may be called by several threads, and the reducer is behind a lock.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

pub(super) fn nccl_version(fallback: &str) -> Result<String> {
    let (fallback, mut version) = (c(fallback)?, ptr::null_mut());
    // SAFETY: the string lives until the call returns; on success `version` is a C string that is ours.
    unsafe {
        done(nnunet_ranks_nccl_version(fallback.as_ptr(), &raw mut version))?;
        Ok(text(version))
    }
}

impl Group {
    pub(super) fn join(meeting: &Meeting) -> Result<Self> {
        let [host, prefix, address] = [&meeting.host, &meeting.prefix, &meeting.address].map(|text| c(text));
        let (host, prefix, address) = (host?, prefix?, address?);
        let raw = RawMeeting {
            host: host.as_ptr(),
            port: meeting.port,
            serves: meeting.serves,
            rank: number(meeting.rank)?,
            size: number(meeting.size)?,
            prefix: prefix.as_ptr(),
            address: address.as_ptr(),
            timeout: milliseconds(meeting.timeout),
        };
        let mut group = ptr::null_mut();
        // SAFETY: the strings live until the call returns; on success `group` is a new object that is ours.
        done(unsafe { nnunet_ranks_join(&raw const raw, &raw mut group) })?;
        Ok(Self { group, reducer: Mutex::new(Reducer(ptr::null_mut())) })
    }

    pub(super) fn connect_nccl(&self, gpu: usize) -> Result<()> {
        // SAFETY: the group lives as long as `self`.
        done(unsafe { nnunet_ranks_connect_nccl(self.group, number(gpu)?) })
    }

    pub(super) fn use_nccl(&self) -> Result<()> {
        // SAFETY: as above.
        done(unsafe { nnunet_ranks_use_nccl(self.group) })
    }

    pub(super) fn sum(&self, tensor: &Tensor) -> Result<()> {
        // SAFETY: the group lives as long as `self`, and the tensor until the call returns, as in all functions of this file.
        done(unsafe { nnunet_ranks_sum(self.group, tensor.as_ptr()) })
    }

    pub(super) fn broadcast(&self, tensors: &[Tensor]) -> Result<()> {
        // SAFETY: as above.
        done(unsafe { nnunet_ranks_broadcast(self.group, Pointers::new(tensors).list(), 0) })
    }

    pub(super) fn set(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (c(key)?, c(value)?);
        // SAFETY: as above, for strings.
        done(unsafe { nnunet_ranks_set(self.group, key.as_ptr(), value.as_ptr()) })
    }

    pub(super) fn get(&self, key: &str, within: Duration) -> Result<String> {
        let (key, mut value) = (c(key)?, ptr::null_mut());
        // SAFETY: as above; on success `value` is a C string that is ours.
        unsafe {
            done(nnunet_ranks_wait(self.group, key.as_ptr(), milliseconds(within)))?;
            done(nnunet_ranks_get(self.group, key.as_ptr(), &raw mut value))?;
            Ok(text(value))
        }
    }

    pub(super) fn watch(&self, parameters: &[Tensor]) -> Result<()> {
        let mut held = self.reducer.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Reducer(ptr::null_mut());
        // SAFETY: as above; on success the reducer is ours, and it keeps the tensors itself.
        done(unsafe { nnunet_ranks_reducer(self.group, Pointers::new(parameters).list(), &raw mut held.0) })
    }

    pub(super) fn prepare_backward(&self, loss: &Tensor) -> Result<()> {
        let held = self.reducer.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0.is_null() {
            return Ok(());
        }
        // SAFETY: as above.
        done(unsafe { nnunet_ranks_prepare(held.0, loss.as_ptr()) })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the group is not used again.
        unsafe { nnunet_ranks_free(self.group) };
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: the reducer is ours, or null, and is not used again.
        unsafe { nnunet_ranks_free_reducer(self.0) };
    }
}

fn c(text: &str) -> Result<CString> {
    CString::new(text).map_err(|error| TchError::Torch(error.to_string()))
}

fn number(value: usize) -> Result<i32> {
    i32::try_from(value).map_err(|error| TchError::Torch(error.to_string()))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
