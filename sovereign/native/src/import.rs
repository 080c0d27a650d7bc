//! Rows lent by C. Nothing is copied, so a call must not return before the last reference to them is gone: the memory is
//! Go's, and only pinned for the time of the call.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{RecordBatch, StructArray};
use arrow_schema::Schema;
use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::error::{Error, Result};

/// How long to wait for tasks that have done their work to let go of the rows. It takes microseconds; the limit is there so
/// that a leak does not become a standstill.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(10);

/// Becomes ready when the rows it came with are no longer referred to.
pub struct Loan(Receiver<()>);

impl Loan {
    pub async fn ended(self) {
        // An error means that the sender is gone, which is how it tells.
        let _ = tokio::time::timeout(RELEASE_TIME_MAX, self.0).await;
    }
}

/// Takes rows over from C. Everything in them is checked: an offset out of range or a string that is not UTF-8 must be an
/// error here, not undefined behaviour in a kernel later.
///
/// # Safety
/// The pointers are null or lead to structures of the Arrow C data interface that nobody else uses.
pub unsafe fn import(rows: *mut FFI_ArrowArray, schema: *mut FFI_ArrowSchema) -> Result<(RecordBatch, Loan)> {
    if rows.is_null() || schema.is_null() {
        return Err(Error::invalid("the rows or their schema are null"));
    }
    let loan = unsafe { watch(rows.cast()) };
    let (rows, schema) = unsafe { (FFI_ArrowArray::from_raw(rows), FFI_ArrowSchema::from_raw(schema)) };
    let fields = Schema::try_from(&schema)?;
    let mut data = unsafe { from_ffi(rows, &schema)? };
    data.align_buffers();
    data.validate_full()?;
    let (_, columns, _) = StructArray::from(data).into_parts();
    Ok((RecordBatch::try_new(Arc::new(fields), columns)?, loan))
}

/// `struct ArrowArray` of the Arrow C data interface, whose fields arrow-rs does not show.
#[repr(C)]
struct RawArray {
    numbers: [i64; 5],
    buffers: *mut *const c_void,
    children: *mut *mut RawArray,
    dictionary: *mut RawArray,
    release: Option<unsafe extern "C" fn(*mut RawArray)>,
    private_data: *mut c_void,
}

/// What an array's own release callback needs, and whom to tell after it.
struct Watched {
    release: Option<unsafe extern "C" fn(*mut RawArray)>,
    private_data: *mut c_void,
    _told_by_drop: Sender<()>,
}

unsafe fn watch(array: *mut RawArray) -> Loan {
    let (sender, receiver) = channel();
    let array = unsafe { &mut *array };
    let watched = Watched { release: array.release, private_data: array.private_data, _told_by_drop: sender };
    array.release = Some(release_watched);
    array.private_data = Box::into_raw(Box::new(watched)).cast();
    Loan(receiver)
}

unsafe extern "C" fn release_watched(array: *mut RawArray) {
    let array = unsafe { &mut *array };
    let watched = unsafe { Box::from_raw(array.private_data.cast::<Watched>()) };
    array.release = watched.release;
    array.private_data = watched.private_data;
    if let Some(release) = watched.release {
        unsafe { release(array) };
    }
}
