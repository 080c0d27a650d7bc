//! A table shared by all its handles: writers one after the other, readers on snapshots.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, FieldRef, Schema};
use lance::Dataset;
use lance::dataset::write::DeleteBuilder;
use lance::dataset::{InsertBuilder, MergeInsertBuilder, UpdateBuilder, WhenMatched, WhenNotMatched};
use lance::dataset::{NewColumnTransform, WriteMode, WriteParams};
use tokio::sync::Mutex;

use crate::durable::sync_version;
use crate::error::{Code, Error, Result};

/// Attempts of one write when other processes, or maintenance, commit to the same table at the same time.
pub const CONFLICT_RETRIES: u32 = 10;

/// Time after which a write gives up retrying.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);

/// One table. Appends, merges, deletes and updates wait for each other; compaction and index builds run beside them,
/// one at a time; reads take a snapshot and wait for nobody.
pub struct Table {
    name: String,
    /// Where it lies if its files must be synced; an object store does so by itself.
    folder: Option<PathBuf>,
    current: RwLock<Arc<Dataset>>,
    writer: Mutex<()>,
    pub(crate) maintenance: Mutex<()>,
}

impl Table {
    pub fn new(name: &str, folder: Option<PathBuf>, dataset: Dataset) -> Self {
        Self {
            name: name.to_owned(),
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

    /// Adds rows without looking at keys.
    pub async fn append(&self, rows: Vec<RecordBatch>) -> Result<()> {
        let _turn = self.writer.lock().await;
        let params = WriteParams { mode: WriteMode::Append, ..Default::default() };
        let dataset = InsertBuilder::new(self.snapshot())
            .with_params(&params)
            .execute(rows)
            .await
            .map_err(|err| self.schema_error(err))?;
        self.adopt(Arc::new(dataset)).await
    }

    /// Writes rows over those with the same value of `key`, and adds the others. No two of the rows may share a key.
    pub async fn merge(&self, key: &str, rows: RecordBatch) -> Result<()> {
        reject_repeated_keys(key, &rows)?;
        let _turn = self.writer.lock().await;
        let job = MergeInsertBuilder::try_new(self.snapshot(), vec![key.to_owned()])?
            .when_matched(WhenMatched::UpdateAll)
            .when_not_matched(WhenNotMatched::InsertAll)
            .conflict_retries(CONFLICT_RETRIES)
            .retry_timeout(RETRY_TIMEOUT)
            .try_build()?;
        let (dataset, _) = job.execute_batches(vec![rows]).await.map_err(|err| self.schema_error(err))?;
        self.adopt(dataset).await
    }

    /// Deletes the rows for which `predicate` holds and returns their number.
    pub async fn delete(&self, predicate: &str) -> Result<u64> {
        let _turn = self.writer.lock().await;
        let deleted = DeleteBuilder::new(self.snapshot(), predicate)
            .conflict_retries(CONFLICT_RETRIES)
            .retry_timeout(RETRY_TIMEOUT)
            .execute()
            .await?;
        self.adopt(deleted.new_dataset).await?;
        Ok(deleted.num_deleted_rows)
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

    /// The number of rows for which `filter` holds, or of all rows if it is empty.
    pub async fn count(&self, filter: &str) -> Result<u64> {
        let filter = (!filter.is_empty()).then(|| filter.to_owned());
        Ok(self.snapshot().count_rows(filter).await? as u64)
    }

    pub fn schema(&self) -> Schema {
        self.snapshot().schema().into()
    }

    fn schema_error(&self, err: lance::Error) -> Error {
        let mut err = Error::from(err);
        if err.code == Code::Schema {
            err.message = format!("the rows do not fit table {}: {}", self.name, err.message);
        }
        err
    }
}

/// Lance notices a key twice in one merge only if the table has it already; it would insert both of two new rows.
fn reject_repeated_keys(key: &str, rows: &RecordBatch) -> Result<()> {
    let column = rows
        .column_by_name(key)
        .ok_or_else(|| Error::new(Code::Schema, format!("the rows to merge have no column {key}")))?;
    if column.data_type() != &DataType::Utf8 || column.null_count() > 0 {
        return Err(Error::new(Code::Schema, format!("the key {key} must be a string and never null")));
    }
    let mut seen = std::collections::HashSet::with_capacity(rows.num_rows());
    for value in column.as_string::<i32>().iter().flatten() {
        if !seen.insert(value) {
            return Err(Error::invalid(format!("two rows of one merge have the {key} {value:?}")));
        }
    }
    Ok(())
}
