//! Crossing from C to Rust and back: every entry point runs inside `guard`, so that no panic unwinds into C, and
//! answers with a status.

use std::any::Any;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Code, Error, Result};

/// `assay_status` in `assay_native.h`: code 0 is success; a message is freed with `assay_string_free`.
#[repr(C)]
pub struct Status {
    code: i32,
    message: *mut c_char,
}

/// Runs `work`, turning its error or panic into a status.
pub fn guard(work: impl FnOnce() -> Result<()>) -> Status {
    match caught(work) {
        Ok(()) => Status { code: 0, message: std::ptr::null_mut() },
        Err(err) => Status { code: err.code as i32, message: c_string(err.message) },
    }
}

/// Runs `work`, turning a panic into an error.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Error::new(Code::Internal, format!("the native library panicked: {}", panic_text(&*panic))))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// A string for C to own; NUL bytes, which it cannot hold, are replaced.
pub fn c_string(text: String) -> *mut c_char {
    CString::new(text.replace('\0', "\u{fffd}")).expect("no NUL left").into_raw()
}

/// # Safety
/// `text` is null or came from `c_string`, and is not used again.
pub unsafe fn free_c_string(text: *mut c_char) {
    if !text.is_null() {
        drop(unsafe { CString::from_raw(text) });
    }
}

/// # Safety
/// `text` is null or a NUL-terminated string that lives as long as the result.
pub unsafe fn str_from_c<'a>(text: *const c_char) -> Result<&'a str> {
    if text.is_null() {
        return Err(Error::invalid("a string argument is null"));
    }
    utf8(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// # Safety
/// `data` points to `len` bytes that live as long as the result, or `len` is 0.
pub unsafe fn str_from_parts<'a>(data: *const c_char, len: usize) -> Result<&'a str> {
    if len == 0 {
        return Ok("");
    }
    if data.is_null() {
        return Err(Error::invalid("a string argument is null"));
    }
    utf8(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
}

/// # Safety
/// `pointer` is null or points to a `T` that lives as long as the result.
pub unsafe fn reference<'a, T>(pointer: *const T) -> Result<&'a T> {
    unsafe { pointer.as_ref() }.ok_or_else(|| Error::invalid("a handle is null"))
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::invalid("a string argument is not UTF-8"))
}
