//! How rows get into a table and out of it again. A write has two steps: its files are staged, which nobody sees, and then
//! committed. A commit is rebased on what others have committed since; where that is not possible, because the same rows were
//! written, the write is staged anew.
//!
//! A commit that failed may have been done all the same, and where a network lies between, it may even be done later: what a proxy
//! holds, or a process left behind that was killed. It is for one version, though, so once there is another commit of that version,
//! or a later one, it cannot be. Such a commit, an empty one, comes before the first write to an object store, and before the next
//! after one that failed; what is staged after it sees all that was done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use lance::Dataset;
use lance::dataset::transaction::{Operation, Transaction, TransactionBuilder};
use lance::dataset::write::DeleteBuilder;
use lance::dataset::{
    CommitBuilder, InsertBuilder, MergeInsertBuilder, WhenMatched, WhenNotMatched, WriteMode, WriteParams,
};
use lance_core::utils::backoff::SlotBackoff;
use lance_select::RowAddrTreeMap;

use crate::dataset::{CONFLICT_RETRIES, RETRY_TIMEOUT, Table};
use crate::error::{Code, Error, Result};
use crate::fence::{Epochs, discard};

/// How long Lance tries a commit again by itself before it is staged anew. Its pauses are as long as the first attempt took, several
/// times: a process that was stopped in the middle of that for a minute would keep its table's other writers waiting for minutes.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);

/// The longest unit of the pauses before a write is staged anew, for the same reason.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A write whose files are there and that is no part of a version yet.
pub struct Staged {
    transaction: Transaction,
    /// The rows of the table that it takes away or replaces, where they are known.
    affected: Option<RowAddrTreeMap>,
    deleted: u64,
}

impl Staged {
    pub fn new(transaction: Transaction) -> Self {
        Self { transaction, affected: None, deleted: 0 }
    }
}

impl Table {
    /// Adds rows without looking at keys.
    pub async fn append(&self, rows: Vec<RecordBatch>, epochs: &Epochs) -> Result<()> {
        let staged = async |base: Arc<Dataset>| {
            let params = WriteParams { mode: WriteMode::Append, ..Default::default() };
            let transaction = InsertBuilder::new(base).with_params(&params).execute_uncommitted(rows.clone()).await;
            Ok(Staged::new(transaction.map_err(|err| self.schema_error(err))?))
        };
        self.write(epochs, staged).await.map(drop)
    }

    /// Writes rows over those with the same value of `key`, and adds the others. No two of the rows may share a key.
    pub async fn merge(&self, key: &str, rows: RecordBatch, epochs: &Epochs) -> Result<()> {
        reject_repeated_keys(key, &rows)?;
        let staged = async |base: Arc<Dataset>| {
            let job = MergeInsertBuilder::try_new(base, vec![key.to_owned()])?
                .when_matched(WhenMatched::UpdateAll)
                .when_not_matched(WhenNotMatched::InsertAll)
                .try_build()?;
            let merged = job.execute_uncommitted_batches(vec![rows.clone()]).await;
            let merged = merged.map_err(|err| self.schema_error(err))?;
            Ok(Staged { affected: merged.affected_rows, ..Staged::new(merged.transaction) })
        };
        self.write(epochs, staged).await.map(drop)
    }

    /// Deletes the rows for which `predicate` holds, and returns how many there were.
    pub async fn delete(&self, predicate: &str, epochs: &Epochs) -> Result<u64> {
        let staged = async |base: Arc<Dataset>| {
            let deleted = DeleteBuilder::new(base, predicate).execute_uncommitted().await?;
            Ok(Staged {
                transaction: deleted.transaction,
                affected: deleted.affected_rows,
                deleted: deleted.num_deleted_rows,
            })
        };
        self.write(epochs, staged).await
    }

    /// Begins epochs, each of which must be higher than the table's.
    pub async fn claim(&self, epochs: &Epochs) -> Result<()> {
        let staged = async |base: Arc<Dataset>| {
            let (operation, properties) = epochs.claim()?;
            let claim = TransactionBuilder::new(base.version().version, operation);
            Ok(Staged::new(claim.transaction_properties(Some(properties)).build()))
        };
        self.write(&Epochs::default(), staged).await.map(drop)
    }

    /// Stages a write and commits it under these epochs, again if somebody else's commit is in the way. Returns how many rows it
    /// deleted.
    async fn write(&self, epochs: &Epochs, stage: impl AsyncFn(Arc<Dataset>) -> Result<Staged>) -> Result<u64> {
        let _turn = self.writer.lock().await;
        if self.unsettled.load(Ordering::Relaxed) {
            self.settle().await?;
        }
        let (start, mut backoff) = (Instant::now(), SlotBackoff::default());
        loop {
            let base = self.snapshot();
            let staged = stage(base.clone()).await?;
            let deleted = staged.deleted;
            match commit(base, staged, epochs).await {
                Ok(dataset) => {
                    self.adopt(Arc::new(dataset)).await?;
                    return Ok(deleted);
                }
                Err(err) if err.code == Code::Conflict => {
                    let tried = start.elapsed();
                    if backoff.attempt() >= CONFLICT_RETRIES || tried > RETRY_TIMEOUT {
                        return Err(err);
                    }
                    if backoff.attempt() == 0 {
                        backoff = backoff.with_unit(tried.min(PAUSE_MAX).as_millis() as u32);
                    }
                    tokio::time::sleep(backoff.next_backoff()).await;
                    self.refresh().await?;
                }
                Err(err) => {
                    self.unsettled.fetch_or(self.is_remote() && err.code != Code::Fenced, Ordering::Relaxed);
                    return Err(err);
                }
            }
        }
    }

    /// Makes sure that no earlier commit is still to come.
    async fn settle(&self) -> Result<()> {
        self.refresh().await?;
        let nothing = Operation::Append { fragments: Vec::new() };
        let base = self.snapshot();
        let empty = TransactionBuilder::new(base.version().version, nothing).build();
        self.adopt(Arc::new(CommitBuilder::new(base).execute(empty).await?)).await?;
        self.unsettled.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn schema_error(&self, err: lance::Error) -> Error {
        let mut err = Error::from(err);
        if err.code == Code::Schema {
            err.message = format!("the rows do not fit table {}: {}", self.name, err.message);
        }
        err
    }
}

/// Commits what was staged on `base`. What certainly does not become part of a version leaves no files behind.
pub async fn commit(base: Arc<Dataset>, staged: Staged, epochs: &Epochs) -> Result<Dataset> {
    let mut transaction = staged.transaction;
    if let Some(fence) = epochs.fence()? {
        transaction.transaction_properties = Some(fence);
    }
    let operation = transaction.operation.clone();
    let mut commit = CommitBuilder::new(base.clone()).with_retry_timeout(COMMIT_PATIENCE);
    if let Some(rows) = staged.affected {
        commit = commit.with_affected_rows(rows);
    }
    let committed = commit.execute(transaction).await.map_err(Error::from);
    if committed.as_ref().is_err_and(|err| matches!(err.code, Code::Conflict | Code::Fenced)) {
        discard(&base, &operation).await;
    }
    committed
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
