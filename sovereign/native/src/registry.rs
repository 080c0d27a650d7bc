//! The one registry of open tables, and what they share: the runtime and the caches.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, Weak};

use arrow_array::RecordBatchIterator;
use arrow_schema::SchemaRef;
use lance::dataset::builder::DatasetBuilder;
use lance::dataset::{Dataset, WriteMode, WriteParams};
use lance::session::Session;
use lance_table::io::commit::ConditionalPutCommitHandler;
use tokio::runtime::{Builder, Runtime};

use crate::buckets;
use crate::dataset::Table;
use crate::durable::{Committer, sync_created};
use crate::error::{Code, Error, Result};
use crate::location::Location;

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
    Arc::new(Session::new(caches.indexes, caches.footers, buckets::registry()))
});

/// Tables by the URI of their dataset. A table lives as long as a handle on it.
static TABLES: LazyLock<Mutex<HashMap<String, Weak<Table>>>> = LazyLock::new(Default::default);

/// Limits the caches of all tables, if it comes first and before any is opened.
pub fn limit_caches(indexes: usize, footers: usize) {
    let _ = CACHES_SET.set(Caches { indexes, footers }); // the first limit stays
}

/// Waits for `future` on the calling thread, which is never one of the runtime's own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// What all tables share.
pub fn session() -> &'static Arc<Session> {
    &SESSION
}

/// The shared table of that name below `root`, at its newest version.
pub async fn open(root: &Location, name: &str) -> Result<Arc<Table>> {
    let place = root.dataset(name)?.canonical().map_err(|_| missing(root, name))?;
    if let Some(table) = registered(place.uri()?) {
        table.refresh().await?;
        return Ok(table);
    }
    let committer = Committer::new(place.folder());
    let builder =
        DatasetBuilder::from_uri(place.uri()?).with_session(SESSION.clone()).with_store_params(place.params());
    let dataset = builder.with_commit_handler(committer.clone()).load().await?;
    committer.trust(&dataset).await?;
    register(place, name, dataset)
}

/// Creates an empty table.
pub async fn create(root: &Location, name: &str, schema: SchemaRef) -> Result<()> {
    let place = root.dataset(name)?;
    let params = WriteParams {
        mode: WriteMode::Create,
        session: Some(SESSION.clone()),
        store_params: Some(place.params()),
        // Lance would choose a handler by the scheme, and one without conditions for schemes that it does not know.
        commit_handler: Some(Arc::new(ConditionalPutCommitHandler)),
        ..Default::default()
    };
    let no_rows = RecordBatchIterator::new([], schema);
    Dataset::write(no_rows, place.uri()?, Some(params)).await?;
    match place.folder() {
        Some(folder) => sync_created(folder).await,
        None => Ok(()),
    }
}

/// Deletes a table with its files. Handles still open on it fail from then on.
pub async fn remove(root: &Location, name: &str) -> Result<()> {
    let place = root.dataset(name)?.canonical().map_err(|_| missing(root, name))?;
    TABLES.lock().expect("no panic while locked").remove(place.uri()?);
    place.remove().await
}

fn missing(root: &Location, name: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no table {name} in {root}"))
}

fn registered(uri: &str) -> Option<Arc<Table>> {
    TABLES.lock().expect("no panic while locked").get(uri).and_then(Weak::upgrade)
}

/// Registers a loaded dataset, unless another thread was first; then that one's table is the shared one.
fn register(place: Location, name: &str, dataset: Dataset) -> Result<Arc<Table>> {
    let uri = place.uri()?.to_owned();
    let mut tables = TABLES.lock().expect("no panic while locked");
    tables.retain(|_, table| table.strong_count() > 0);
    if let Some(table) = tables.get(&uri).and_then(Weak::upgrade) {
        table.publish(Arc::new(dataset));
        return Ok(table);
    }
    let table = Arc::new(Table::new(name, place.folder().map(Into::into), dataset));
    tables.insert(uri, Arc::downgrade(&table));
    Ok(table)
}
