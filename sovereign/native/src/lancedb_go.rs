//! The C functions that the Go code of lancedb-go calls, as its `lancedb.h` declares them.
//!
//! Pointers are valid as that header describes them; this is what makes the `unsafe` here sound.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_char, c_int, c_void};
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::{reader::FileReader, writer::FileWriter};
use lance_linalg::distance::DistanceType;
use serde::Deserialize;
use serde_json::Value;

use crate::buckets;
use crate::dataset::Table;
use crate::error::{Error, Result};
use crate::fence::Epochs;
use crate::ffi::{c_string, caught, free_c_string, reference, str_from_c};
use crate::location::Location;
use crate::query::{Match, Nearest, Query, to_json};
use crate::registry::{self, block_on};

/// `SimpleResult` in C.
#[repr(C)]
pub struct SimpleResult {
    success: bool,
    error_message: *mut c_char,
}

type Outcome = *mut SimpleResult;

/// What a connection handle points to: where the database lies.
struct Connection {
    root: Location,
}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(pointer: *mut c_void);
}

fn answer(work: impl FnOnce() -> Result<()>) -> Outcome {
    let result = match caught(work) {
        Ok(()) => SimpleResult { success: true, error_message: std::ptr::null_mut() },
        Err(err) => SimpleResult { success: false, error_message: c_string(err.message) },
    };
    Box::into_raw(Box::new(result))
}

#[unsafe(no_mangle)]
pub extern "C" fn simple_lancedb_init() -> c_int {
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_result_free(result: Outcome) {
    if !result.is_null() {
        let result = unsafe { Box::from_raw(result) };
        unsafe { free_c_string(result.error_message) };
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_free_string(text: *mut c_char) {
    unsafe { free_c_string(text) }
}

// Connections

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_connect(uri: *const c_char, handle: *mut *mut c_void) -> Outcome {
    answer(|| unsafe { connect(Location::parse(str_from_c(uri)?)?, handle) })
}

/// The options are credentials and settings of an object store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_connect_with_options(
    uri: *const c_char,
    options_json: *const c_char,
    handle: *mut *mut c_void,
) -> Outcome {
    answer(|| {
        let root = Location::parse(unsafe { str_from_c(uri)? })?;
        if let Location::Bucket(url) = &root {
            let mut options = HashMap::new();
            flatten(&serde_json::from_str(unsafe { str_from_c(options_json)? })?, "", &mut options);
            buckets::remember_options(url, options);
        }
        unsafe { connect(root, handle) }
    })
}

/// Gathers the values of options that are grouped by kind of store.
fn flatten(value: &Value, key: &str, options: &mut HashMap<String, String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| flatten(value, key, options)),
        Value::String(text) => drop(options.insert(key.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => drop(options.insert(key.to_owned(), value.to_string())),
        Value::Null | Value::Array(_) => {}
    }
}

unsafe fn connect(root: Location, handle: *mut *mut c_void) -> Result<()> {
    block_on(root.prepare())?;
    unsafe { *handle = Box::into_raw(Box::new(Connection { root })).cast() };
    Ok(())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_close(handle: *mut c_void) -> Outcome {
    answer(|| {
        drop(unsafe { Box::from_raw(handle.cast::<Connection>()) });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_names(
    handle: *mut c_void,
    names: *mut *mut *mut c_char,
    count: *mut c_int,
) -> Outcome {
    answer(|| {
        let found = block_on(unsafe { connection(handle)? }.root.tables())?;
        let list: Box<[*mut c_char]> = found.into_iter().map(c_string).collect();
        unsafe {
            *count = list.len() as c_int;
            *names = Box::into_raw(list).cast();
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_free_table_names(names: *mut *mut c_char, count: c_int) {
    if !names.is_null() {
        let list = std::ptr::slice_from_raw_parts_mut(names, count as usize);
        for name in unsafe { Box::from_raw(list) } {
            unsafe { free_c_string(name) };
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_create_table_with_ipc(
    handle: *mut c_void,
    table_name: *const c_char,
    schema_ipc: *const u8,
    schema_len: usize,
) -> Outcome {
    answer(|| {
        let (root, name) = unsafe { (&connection(handle)?.root, str_from_c(table_name)?) };
        let schema = unsafe { ipc_reader(schema_ipc, schema_len)? }.schema();
        block_on(registry::create(root, name, schema))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_drop_table(handle: *mut c_void, table_name: *const c_char) -> Outcome {
    answer(|| unsafe { block_on(registry::remove(&connection(handle)?.root, str_from_c(table_name)?)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_open_table(
    handle: *mut c_void,
    table_name: *const c_char,
    table_handle: *mut *mut c_void,
) -> Outcome {
    answer(|| {
        let (root, name) = unsafe { (&connection(handle)?.root, str_from_c(table_name)?) };
        let opened = block_on(registry::open(root, name))?;
        unsafe { *table_handle = Box::into_raw(Box::new(opened)).cast() };
        Ok(())
    })
}

// Tables

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_close(table_handle: *mut c_void) -> Outcome {
    answer(|| {
        drop(unsafe { Box::from_raw(table_handle.cast::<Arc<Table>>()) });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_schema_ipc(
    table_handle: *mut c_void,
    schema_ipc_data: *mut *mut u8,
    schema_ipc_len: *mut usize,
) -> Outcome {
    answer(|| {
        let schema = unsafe { table(table_handle)? }.schema();
        let mut writer = FileWriter::try_new(Vec::new(), &schema)?;
        writer.finish()?;
        let bytes = writer.into_inner()?;
        // The Go code gives no length when it frees this, so it must come from malloc.
        let copy = unsafe { malloc(bytes.len()) }.cast::<u8>();
        if copy.is_null() {
            return Err(Error::invalid("out of memory"));
        }
        unsafe {
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            *schema_ipc_data = copy;
            *schema_ipc_len = bytes.len();
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_free_ipc_data(data: *mut u8) {
    unsafe { free(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_version(table_handle: *mut c_void, version: *mut i64) -> Outcome {
    answer(|| {
        unsafe { *version = table(table_handle)?.snapshot().version().version as i64 };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_count_rows(table_handle: *mut c_void, count: *mut i64) -> Outcome {
    answer(|| {
        unsafe { *count = block_on(table(table_handle)?.count(""))? as i64 };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_add_ipc(
    table_handle: *mut c_void,
    ipc_data: *const u8,
    ipc_len: usize,
    added_count: *mut i64,
) -> Outcome {
    answer(|| {
        let rows = unsafe { ipc_reader(ipc_data, ipc_len)? }.collect::<std::result::Result<Vec<RecordBatch>, _>>()?;
        unsafe { *added_count = rows.iter().map(|batch| batch.num_rows() as i64).sum() };
        if rows.is_empty() {
            return Ok(());
        }
        block_on(unsafe { table(table_handle)? }.append(rows, &Epochs::default()))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_delete(
    table_handle: *mut c_void,
    predicate: *const c_char,
    deleted_count: *mut i64,
) -> Outcome {
    answer(|| {
        let predicate = unsafe { str_from_c(predicate)? };
        unsafe { *deleted_count = block_on(table(table_handle)?.delete(predicate, &Epochs::default()))? as i64 };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_update(
    table_handle: *mut c_void,
    predicate: *const c_char,
    updates_json: *const c_char,
) -> Outcome {
    answer(|| {
        let updates: BTreeMap<String, Value> = serde_json::from_str(unsafe { str_from_c(updates_json)? })?;
        let columns = updates
            .into_iter()
            .map(|(column, value)| Ok((column, sql_literal(&value)?)))
            .collect::<Result<Vec<_>>>()?;
        let predicate = unsafe { str_from_c(predicate)? };
        block_on(unsafe { table(table_handle)? }.update(predicate, &columns))
    })
}

// Indexes and queries

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_create_index(
    table_handle: *mut c_void,
    columns_json: *const c_char,
    index_type: *const c_char,
    index_name: *const c_char,
) -> Outcome {
    answer(|| {
        let columns: Vec<String> = serde_json::from_str(unsafe { str_from_c(columns_json)? })?;
        let [column] = columns.as_slice() else {
            return Err(Error::invalid("an index is built on one column"));
        };
        let kind = unsafe { str_from_c(index_type)? };
        let name = match index_name.is_null() {
            true => None,
            false => Some(unsafe { str_from_c(index_name)? }.to_owned()),
        };
        block_on(unsafe { table(table_handle)? }.create_index(column, kind, DistanceType::L2, name, &Epochs::default()))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_get_indexes(
    table_handle: *mut c_void,
    indexes_json: *mut *mut c_char,
) -> Outcome {
    answer(|| {
        let indexes = block_on(unsafe { table(table_handle)? }.indexes())?;
        unsafe { *indexes_json = c_string(serde_json::to_string(&indexes)?) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn simple_lancedb_table_select_query(
    table_handle: *mut c_void,
    query_config_json: *const c_char,
    result_json: *mut *mut c_char,
) -> Outcome {
    answer(|| {
        let config: QueryConfig = serde_json::from_str(unsafe { str_from_c(query_config_json)? })?;
        let table = unsafe { table(table_handle)? };
        let rows = block_on(async { table.query(config.into()).await?.collect().await })?;
        unsafe { *result_json = c_string(to_json(&rows)?) };
        Ok(())
    })
}

/// `contracts.QueryConfig` of lancedb-go.
#[derive(Deserialize)]
struct QueryConfig {
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default, rename = "where")]
    filter: String,
    limit: Option<i64>,
    offset: Option<i64>,
    vector_search: Option<VectorSearch>,
    fts_search: Option<FtsSearch>,
}

#[derive(Deserialize)]
struct VectorSearch {
    column: String,
    vector: Vec<f32>,
    k: usize,
}

#[derive(Deserialize)]
struct FtsSearch {
    column: String,
    query: String,
}

impl From<QueryConfig> for Query {
    fn from(config: QueryConfig) -> Self {
        let limit = config.limit.or(config.vector_search.as_ref().map(|search| search.k as i64));
        let nearest = |search: VectorSearch| Nearest {
            column: search.column,
            vector: search.vector,
            filter: String::new(),
            exact: false,
            cosine: false,
            refine: None,
            effort: None,
            few: 0,
        };
        Query {
            columns: config.columns,
            filter: config.filter,
            order_by: Vec::new(),
            limit,
            offset: config.offset,
            nearest: config.vector_search.map(nearest),
            text: config.fts_search.map(|search| Match { column: search.column, text: search.query }),
            fuse: None,
            distinct: false,
            page: None,
        }
    }
}

unsafe fn connection<'a>(handle: *mut c_void) -> Result<&'a Connection> {
    unsafe { reference(handle.cast()) }
}

unsafe fn table<'a>(handle: *mut c_void) -> Result<&'a Arc<Table>> {
    unsafe { reference(handle.cast()) }
}

unsafe fn ipc_reader<'a>(data: *const u8, len: usize) -> Result<FileReader<Cursor<&'a [u8]>>> {
    if data.is_null() {
        return Err(Error::invalid("the Arrow IPC data is null"));
    }
    let bytes = unsafe { std::slice::from_raw_parts(data, len) };
    Ok(FileReader::try_new(Cursor::new(bytes), None)?)
}

fn sql_literal(value: &Value) -> Result<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::String(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        Value::Array(_) | Value::Object(_) => Err(Error::invalid("an update sets a column to a single value")),
    }
}
