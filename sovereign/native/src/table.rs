//! The C functions of `assay_native.h`: what lancedb-go lacks.
//!
//! Every function is called with pointers as that header describes them; this is what makes the `unsafe` here sound.

use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_schema::Schema;
use lance_linalg::distance::DistanceType;

use crate::buckets;
use crate::cache;
use crate::dataset::Table;
use crate::error::Error;
use crate::export::export;
use crate::fence::Epochs;
use crate::ffi::{Status, c_string, free_c_string, guard, reference, str_from_parts};
use crate::import::import;
use crate::location::Location;
use crate::maintain::{Options, Stats};
use crate::query::{Query, Rows};
use crate::registry::{block_on, limit_caches, open};
use crate::tail::limit_tail;

/// `assay_table` in C: a handle on a shared table.
pub struct Handle(Arc<Table>);

/// Its name is the version of this interface. It rises with every incompatible change, so that Go code and an archive
/// that do not fit fail to link.
#[unsafe(no_mangle)]
pub extern "C" fn assay_native_abi_4() {}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_string_free(text: *mut c_char) {
    unsafe { free_c_string(text) }
}

#[unsafe(no_mangle)]
pub extern "C" fn assay_limit_caches(index_bytes: usize, footer_bytes: usize) {
    limit_caches(index_bytes, footer_bytes);
}

#[unsafe(no_mangle)]
pub extern "C" fn assay_limit_tail(rows: usize) {
    limit_tail(rows);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_store_options(
    uri: *const c_char,
    uri_len: usize,
    options: *const c_char,
    options_len: usize,
) -> Status {
    guard(|| {
        let (uri, options) = unsafe { (str_from_parts(uri, uri_len)?, str_from_parts(options, options_len)?) };
        if let Location::Bucket(url) = Location::parse(uri)? {
            buckets::remember_options(&url, serde_json::from_str(options)?);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_store_prepare(uri: *const c_char, uri_len: usize) -> Status {
    guard(|| block_on(Location::parse(unsafe { str_from_parts(uri, uri_len)? })?.prepare()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_cache(folder: *const c_char, folder_len: usize, bytes: u64) -> Status {
    guard(|| cache::keep_in(Path::new(unsafe { str_from_parts(folder, folder_len)? }), bytes))
}

#[unsafe(no_mangle)]
pub extern "C" fn assay_cache_clear() {
    cache::clear();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_store_replace(
    uri: *const c_char,
    uri_len: usize,
    from: *const c_char,
    from_len: usize,
) -> Status {
    guard(|| {
        let (uri, from) = unsafe { (str_from_parts(uri, uri_len)?, str_from_parts(from, from_len)?) };
        block_on(Location::parse(uri)?.replace(Path::new(from)))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_bytes(
    root: *const c_char,
    root_len: usize,
    name: *const c_char,
    name_len: usize,
    bytes: *mut u64,
) -> Status {
    guard(|| {
        let (root, name) = unsafe { (str_from_parts(root, root_len)?, str_from_parts(name, name_len)?) };
        unsafe { *bytes = block_on(Location::parse(root)?.dataset(name)?.bytes())? };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_open(
    dir: *const c_char,
    dir_len: usize,
    name: *const c_char,
    name_len: usize,
    out: *mut *mut Handle,
) -> Status {
    guard(|| {
        let (dir, name) = unsafe { (str_from_parts(dir, dir_len)?, str_from_parts(name, name_len)?) };
        let table = block_on(open(&Location::parse(dir)?, name))?;
        unsafe { *out = Box::into_raw(Box::new(Handle(table))) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_close(table: *mut Handle) {
    if !table.is_null() {
        drop(unsafe { Box::from_raw(table) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_add_columns(table: *const Handle, columns: *mut FFI_ArrowSchema) -> Status {
    guard(|| {
        if columns.is_null() {
            return Err(Error::invalid("the columns are null"));
        }
        let columns = Schema::try_from(&unsafe { FFI_ArrowSchema::from_raw(columns) })?;
        block_on(unsafe { reference(table)? }.0.add_columns(&columns))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_append(
    table: *const Handle,
    rows: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    epochs: *const c_char,
    epochs_len: usize,
) -> Status {
    guard(|| {
        let (rows, loan) = unsafe { import(rows, schema)? };
        let (table, epochs) = unsafe { (&reference(table)?.0, Epochs::parse(str_from_parts(epochs, epochs_len)?)?) };
        block_on(async {
            let outcome = table.append(vec![rows], &epochs).await;
            loan.ended().await;
            outcome
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_merge(
    table: *const Handle,
    key: *const c_char,
    key_len: usize,
    rows: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    epochs: *const c_char,
    epochs_len: usize,
) -> Status {
    guard(|| {
        let (rows, loan) = unsafe { import(rows, schema)? };
        let (table, key) = unsafe { (&reference(table)?.0, str_from_parts(key, key_len)?) };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        block_on(async {
            let outcome = table.merge(key, rows, &epochs).await;
            loan.ended().await;
            outcome
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_delete(
    table: *const Handle,
    predicate: *const c_char,
    predicate_len: usize,
    epochs: *const c_char,
    epochs_len: usize,
    deleted: *mut u64,
) -> Status {
    guard(|| {
        let predicate = unsafe { str_from_parts(predicate, predicate_len)? };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        unsafe { *deleted = block_on(reference(table)?.0.delete(predicate, &epochs))? };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_claim(table: *const Handle, epochs: *const c_char, epochs_len: usize) -> Status {
    guard(|| {
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        block_on(unsafe { reference(table)? }.0.claim(&epochs))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_epochs(table: *const Handle, json: *mut *mut c_char) -> Status {
    guard(|| {
        let table = &unsafe { reference(table)? }.0;
        block_on(table.refresh())?;
        unsafe { *json = c_string(serde_json::to_string(&table.epochs()?)?) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_count(
    table: *const Handle,
    filter: *const c_char,
    filter_len: usize,
    count: *mut u64,
) -> Status {
    guard(|| {
        let filter = unsafe { str_from_parts(filter, filter_len)? };
        unsafe { *count = block_on(reference(table)?.0.count(filter))? };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_query(
    table: *const Handle,
    query: *const c_char,
    query_len: usize,
    schema: *mut FFI_ArrowSchema,
    out: *mut *mut Rows,
) -> Status {
    guard(|| {
        let query: Query = serde_json::from_str(unsafe { str_from_parts(query, query_len)? })?;
        let rows = block_on(unsafe { reference(table)? }.0.query(query))?;
        unsafe {
            schema.write(FFI_ArrowSchema::try_from(rows.schema.as_ref())?);
            *out = Box::into_raw(Box::new(rows));
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_rows_next(rows: *mut Rows, batch: *mut FFI_ArrowArray, more: *mut bool) -> Status {
    guard(|| {
        let rows = unsafe { rows.as_mut() }.ok_or_else(|| Error::invalid("a handle is null"))?;
        let next = block_on(rows.next())?;
        unsafe { *more = next.is_some() };
        if let Some(next) = next {
            unsafe { batch.write(export(next)) };
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_rows_free(rows: *mut Rows) {
    if !rows.is_null() {
        drop(unsafe { Box::from_raw(rows) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_create_index(
    table: *const Handle,
    column: *const c_char,
    column_len: usize,
    kind: *const c_char,
    kind_len: usize,
    epochs: *const c_char,
    epochs_len: usize,
) -> Status {
    guard(|| {
        let (column, kind) = unsafe { (str_from_parts(column, column_len)?, str_from_parts(kind, kind_len)?) };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        block_on(unsafe { reference(table)? }.0.create_index(column, kind, DistanceType::L2, None, &epochs))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_create_vector_index(
    table: *const Handle,
    column: *const c_char,
    column_len: usize,
    name: *const c_char,
    name_len: usize,
    epochs: *const c_char,
    epochs_len: usize,
) -> Status {
    guard(|| {
        let (column, name) = unsafe { (str_from_parts(column, column_len)?, str_from_parts(name, name_len)?) };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        block_on(unsafe { reference(table)? }.0.index_vectors(column, name, &epochs))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_indexes(table: *const Handle, json: *mut *mut c_char) -> Status {
    guard(|| {
        let indexes = block_on(unsafe { reference(table)? }.0.indexes())?;
        unsafe { *json = c_string(serde_json::to_string(&indexes)?) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_warm(table: *const Handle) -> Status {
    guard(|| block_on(unsafe { reference(table)? }.0.warm()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_extend_index(
    table: *const Handle,
    name: *const c_char,
    name_len: usize,
    rows_max: u64,
    epochs: *const c_char,
    epochs_len: usize,
) -> Status {
    guard(|| {
        let name = unsafe { str_from_parts(name, name_len)? };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        block_on(unsafe { reference(table)? }.0.extend_index(name, rows_max, &epochs))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn assay_table_optimise(
    table: *const Handle,
    options: *const Options,
    epochs: *const c_char,
    epochs_len: usize,
    stats: *mut Stats,
) -> Status {
    guard(|| {
        let options = unsafe { reference(options)? };
        let epochs = Epochs::parse(unsafe { str_from_parts(epochs, epochs_len)? })?;
        unsafe { *stats = block_on(reference(table)?.0.optimise(options, &epochs))? };
        Ok(())
    })
}
