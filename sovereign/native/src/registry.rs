//! The one registry of open tables, and what they share: the runtime and the caches.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, Weak};

use arrow_array::RecordBatchIterator;
use arrow_schema::SchemaRef;
use lance::dataset::builder::DatasetBuilder;
use lance::dataset::{Dataset, WriteMode, WriteParams};
use lance::session::Session;
use tokio::runtime::{Builder, Runtime};

use crate::dataset::Table;
use crate::durable::{Committer, sync_created};
use crate::error::{Code, Error, Result};

/// Most bytes that all tables together keep in memory.
struct Caches {
    /// Of pages of indexes.
    indexes: usize,
    /// Of manifests and file footers.
    footers: usize,
}

/// What is kept where nobody has set a limit.
const CACHES: Caches = Caches { indexes: 128 << 20, footers: 32 << 20 };

static CACHES_SET: OnceLock<Caches> = OnceLock::new();

/// Planning a query recurses deeply, and crates built without optimisation have large frames.
const STACK_BYTES: usize = 8 << 20;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .thread_name("assay-native")
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .expect("the tokio runtime starts")
});

static SESSION: LazyLock<Arc<Session>> = LazyLock::new(|| {
    let caches = CACHES_SET.get_or_init(|| CACHES);
    Arc::new(Session::new(caches.indexes, caches.footers, Default::default()))
});

/// Tables by the canonical path of their dataset. A table lives as long as a handle on it.
static TABLES: LazyLock<Mutex<HashMap<PathBuf, Weak<Table>>>> = LazyLock::new(Default::default);

/// Limits the caches of all tables, if it comes first and before any is opened.
pub fn limit_caches(indexes: usize, footers: usize) {
    let _ = CACHES_SET.set(Caches { indexes, footers }); // the first limit stays
}

/// Waits for `future` on the calling thread, which is never one of the runtime's own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// The shared table of that name in the folder `dir`, at its newest version.
pub async fn open(dir: &Path, name: &str) -> Result<Arc<Table>> {
    let path = dataset_path(dir, name)?;
    let path = path
        .canonicalize()
        .map_err(|_| Error::new(Code::NotFound, format!("there is no table {name} in {}", dir.display())))?;
    if let Some(table) = registered(&path) {
        table.refresh().await?;
        return Ok(table);
    }
    let committer = Committer::new(&path);
    let builder = DatasetBuilder::from_uri(uri(&path)?).with_session(SESSION.clone());
    let dataset = builder.with_commit_handler(committer.clone()).load().await?;
    committer.trust(&dataset).await?;
    Ok(register(path, name, dataset))
}

/// Creates an empty table.
pub async fn create(dir: &Path, name: &str, schema: SchemaRef) -> Result<()> {
    let path = dataset_path(dir, name)?;
    let params = WriteParams { mode: WriteMode::Create, session: Some(SESSION.clone()), ..Default::default() };
    let no_rows = RecordBatchIterator::new([], schema);
    Dataset::write(no_rows, uri(&path)?, Some(params)).await?;
    sync_created(&path).await
}

/// Deletes a table with its files. Handles still open on it fail from then on.
pub fn remove(dir: &Path, name: &str) -> Result<()> {
    let path = dataset_path(dir, name)?;
    let canonical = path
        .canonicalize()
        .map_err(|_| Error::new(Code::NotFound, format!("there is no table {name} in {}", dir.display())))?;
    TABLES.lock().expect("no panic while locked").remove(&canonical);
    Ok(std::fs::remove_dir_all(&canonical)?)
}

/// The names of the tables in the folder `dir`, sorted.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "lance")
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn dataset_path(dir: &Path, name: &str) -> Result<PathBuf> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(legal) {
        return Err(Error::invalid(format!(
            "{name:?} is no table name: use letters, digits, '_', '-' and '.', not '.' first"
        )));
    }
    Ok(dir.join(format!("{name}.lance")))
}

fn uri(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::invalid(format!("the path {} is not UTF-8", path.display())))
}

fn registered(path: &Path) -> Option<Arc<Table>> {
    TABLES.lock().expect("no panic while locked").get(path).and_then(Weak::upgrade)
}

/// Registers a loaded dataset, unless another thread was first; then that one's table is the shared one.
fn register(path: PathBuf, name: &str, dataset: Dataset) -> Arc<Table> {
    let mut tables = TABLES.lock().expect("no panic while locked");
    tables.retain(|_, table| table.strong_count() > 0);
    if let Some(table) = tables.get(&path).and_then(Weak::upgrade) {
        table.publish(Arc::new(dataset));
        return table;
    }
    let table = Arc::new(Table::new(name, path.clone(), dataset));
    tables.insert(path, Arc::downgrade(&table));
    table
}
