//! A table shared by all its handles: writers one after the other, readers on snapshots.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arrow_schema::{FieldRef, Schema};
use lance::Dataset;
use lance::dataset::{NewColumnTransform, UpdateBuilder};
use tokio::sync::Mutex;

use crate::durable::sync_version;
use crate::error::Result;
use crate::fence::Epochs;

/// Attempts of one write when other processes, or maintenance, commit to the same table at the same time.
pub const CONFLICT_RETRIES: u32 = 10;

/// Time after which a write gives up retrying.
pub const RETRY_TIMEOUT: Duration = Duration::from_secs(120);

/// One table. Appends, merges, deletes and updates wait for each other; compaction and index builds run beside them,
/// one at a time; reads take a snapshot and wait for nobody.
pub struct Table {
    pub(crate) name: String,
    /// Where it lies if its files must be synced; an object store does so by itself.
    folder: Option<PathBuf>,
    current: RwLock<Arc<Dataset>>,
    pub(crate) writer: Mutex<()>,
    /// Whether a commit of this process, or of one before it, may still be on its way to an object store: see `write.rs`.
    pub(crate) unsettled: AtomicBool,
    pub(crate) maintenance: Mutex<()>,
}

impl Table {
    pub fn new(name: &str, folder: Option<PathBuf>, dataset: Dataset) -> Self {
        Self {
            name: name.to_owned(),
            unsettled: AtomicBool::new(folder.is_none()),
            folder,
            current: RwLock::new(Arc::new(dataset)),
            writer: Mutex::new(()),
            maintenance: Mutex::new(()),
        }
    }

    /// The newest version known here, immutable.
    pub fn snapshot(&self) -> Arc<Dataset> {
        self.current.read().expect("no panic while locked").clone()
    }

    /// Whether it lies in an object store.
    pub fn is_remote(&self) -> bool {
        self.folder.is_none()
    }

    /// Takes over a version that was committed here: shows it to readers and waits until it is on disk.
    pub async fn adopt(&self, dataset: Arc<Dataset>) -> Result<()> {
        self.publish(dataset.clone());
        match &self.folder {
            Some(folder) => sync_version(folder, &dataset).await,
            None => Ok(()),
        }
    }

    /// Shows a version that was committed or loaded to readers, unless they have a newer one.
    pub fn publish(&self, dataset: Arc<Dataset>) {
        let mut current = self.current.write().expect("no panic while locked");
        if dataset.version().version > current.version().version {
            *current = dataset;
        }
    }

    /// Looks for versions that other processes committed.
    pub async fn refresh(&self) -> Result<()> {
        let mut dataset = (*self.snapshot()).clone();
        dataset.checkout_latest().await?;
        self.publish(Arc::new(dataset));
        Ok(())
    }

    /// Adds those of `columns`, which must be nullable, that the table lacks, all null. No row is written anew.
    pub async fn add_columns(&self, columns: &Schema) -> Result<()> {
        let _alone = self.maintenance.lock().await; // another schema conflicts with whatever is under way
        let _turn = self.writer.lock().await;
        let mut dataset = (*self.snapshot()).clone();
        let lacking = |field: &&FieldRef| dataset.schema().field(field.name()).is_none();
        let missing: Vec<FieldRef> = columns.fields().iter().filter(lacking).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let nulls = NewColumnTransform::AllNulls(Arc::new(Schema::new(missing)));
        dataset.add_columns(nulls, None, None).await?;
        self.adopt(Arc::new(dataset)).await
    }

    /// Sets columns to SQL expressions in the rows for which `predicate` holds.
    pub async fn update(&self, predicate: &str, columns: &[(String, String)]) -> Result<()> {
        let _turn = self.writer.lock().await;
        let mut update =
            UpdateBuilder::new(self.snapshot()).conflict_retries(CONFLICT_RETRIES).retry_timeout(RETRY_TIMEOUT);
        if !predicate.is_empty() {
            update = update.update_where(predicate)?;
        }
        for (column, expression) in columns {
            update = update.set(column, expression)?;
        }
        self.adopt(update.build()?.execute().await?.new_dataset).await
    }

    /// The epochs that the newest version known here is in.
    pub fn epochs(&self) -> Result<Epochs> {
        Epochs::of(self.snapshot().manifest())
    }

    /// The number of rows for which `filter` holds, or of all rows if it is empty.
    pub async fn count(&self, filter: &str) -> Result<u64> {
        let filter = (!filter.is_empty()).then(|| filter.to_owned());
        Ok(self.snapshot().count_rows(filter).await? as u64)
    }

    pub fn schema(&self) -> Schema {
        self.snapshot().schema().into()
    }
}
