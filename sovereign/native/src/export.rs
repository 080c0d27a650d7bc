//! Rows given to C.

use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_data::ArrayData;

/// Gives rows to C, which releases them.
pub fn export(rows: RecordBatch) -> FFI_ArrowArray {
    let nothing = MutableBuffer::with_capacity(1).into();
    FFI_ArrowArray::new(&addressed(StructArray::from(rows).into_data(), &nothing))
}

/// Puts `nothing`, which is empty and allocated, in place of all empty buffers. Where Rust has allocated nothing, a buffer's
/// address is a small number, and Go ends the whole program when it meets such a pointer on a stack that it moves.
fn addressed(data: ArrayData, nothing: &Buffer) -> ArrayData {
    let real = |b: &Buffer| if b.is_empty() { nothing.clone() } else { b.clone() };
    let buffers = data.buffers().iter().map(real).collect();
    let children = data.child_data().iter().map(|child| addressed(child.clone(), nothing)).collect();
    let nulls = data.nulls().filter(|_| !data.is_empty()).cloned();
    let builder = data.into_builder().buffers(buffers).child_data(children).nulls(nulls);
    unsafe { builder.build_unchecked() } // sound, for no value has changed
}
