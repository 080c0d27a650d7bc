//! Upkeep of a table: merging small fragments, bringing indexes up to date, forgetting old versions.

use std::sync::Arc;

use chrono::TimeDelta;
use lance::dataset::cleanup::RemovalStats;
use lance::dataset::optimize::{CompactionMetrics, CompactionOptions, compact_files};
use lance::index::DatasetIndexExt;
use lance_index::optimize::OptimizeOptions;
use lance_table::format::Fragment;

use crate::dataset::{CONFLICT_RETRIES, Table};
use crate::error::{Code, Error, Result};
use crate::fence::Epochs;
use crate::index::Described;

/// Fragments and segments of indexes with no more rows are cheap to rewrite.
const SMALL_ROWS: u64 = 64 << 10;

/// Segments of indexes are not merged beyond the rows of so many fragments: merging takes memory for all of them.
const SEGMENT_FRAGMENTS_MAX: u64 = 4;

/// Compaction reads so many rows at a time, in one task, and so many bytes ahead: it is in no hurry, and what it holds is
/// memory that ingest does without.
const COMPACTION_BATCH_ROWS: usize = 2048;
const COMPACTION_READ_AHEAD_BYTES: u64 = 16 << 20;

/// The share of deleted rows from which on a fragment is rewritten without them.
const DEAD_SHARE_MAX: f32 = 0.1;

/// `assay_optimise_options` in `assay_native.h`.
#[repr(C)]
pub struct Options {
    /// Fragments with fewer rows are merged until they have about as many.
    target_rows: u64,
    /// Most rows rewritten by one call.
    rows_max: u64,
    /// Versions older than this many seconds are forgotten.
    versions_age_max_s: u64,
}

/// `assay_optimise_stats` in `assay_native.h`.
#[repr(C)]
#[derive(Default)]
pub struct Stats {
    fragments_removed: u64,
    fragments_added: u64,
    versions_removed: u64,
    bytes_removed: u64,
}

impl Table {
    /// One bounded round of upkeep. Writers go on meanwhile; if they commit to the same fragments first, the round
    /// starts over on what they wrote.
    pub async fn optimise(&self, options: &Options, epochs: &Epochs) -> Result<Stats> {
        let _turn = self.maintenance.lock().await;
        let compacted = self.compact(options, epochs).await?;
        self.update_indexes(SEGMENT_FRAGMENTS_MAX * options.target_rows, epochs).await?;
        let removed = self.prune(options).await?;
        Ok(Stats {
            fragments_removed: compacted.fragments_removed as u64,
            fragments_added: compacted.fragments_added as u64,
            versions_removed: removed.old_versions,
            bytes_removed: removed.bytes_removed,
        })
    }

    async fn compact(&self, options: &Options, epochs: &Epochs) -> Result<CompactionMetrics> {
        for _ in 0..CONFLICT_RETRIES {
            let mut dataset = (*self.snapshot()).clone();
            let options = CompactionOptions {
                target_rows_per_fragment: options.target_rows as usize,
                max_source_rows: Some(options.rows_max as usize),
                materialize_deletions_threshold: DEAD_SHARE_MAX,
                excluded_fragment_ids: settled_fragments(dataset.fragments()),
                num_threads: Some(1),
                batch_size: Some(COMPACTION_BATCH_ROWS),
                io_buffer_size: Some(COMPACTION_READ_AHEAD_BYTES),
                transaction_properties: epochs.fence()?,
                ..Default::default()
            };
            match compact_files(&mut dataset, options, None).await.map_err(Error::from) {
                Err(err) if err.code == Code::Conflict => self.refresh().await?,
                Err(err) => return Err(err),
                Ok(metrics) => {
                    self.adopt(Arc::new(dataset)).await?;
                    return Ok(metrics);
                }
            }
        }
        Ok(CompactionMetrics::default()) // a busy table: the next round finds the same fragments
    }

    /// Adds what is not indexed yet to each index: as a new segment, or merged with the newest segments if these are not
    /// much larger.
    async fn update_indexes(&self, rows_max: u64, epochs: &Epochs) -> Result<()> {
        for index in self.indexes().await? {
            self.extend(index, rows_max, epochs).await?;
        }
        Ok(())
    }

    async fn extend(&self, index: Described, rows_max: u64, epochs: &Epochs) -> Result<()> {
        if index.rows_unindexed == 0 {
            return Ok(());
        }
        let segments = index.segment_rows.iter().rev().copied();
        let merged = newest_to_merge(index.rows_unindexed, rows_max, segments);
        let mut options = OptimizeOptions::merge(merged).index_names(vec![index.name]);
        options.transaction_properties = epochs.fence()?;
        self.update_index(options).await
    }

    /// A small step of upkeep: brings one index up to date.
    pub async fn extend_index(&self, name: &str, rows_max: u64, epochs: &Epochs) -> Result<()> {
        let _turn = self.maintenance.lock().await;
        match self.indexes().await?.into_iter().find(|index| index.name == name) {
            Some(index) => self.extend(index, rows_max, epochs).await,
            None => Err(Error::new(Code::NotFound, format!("there is no index {name}"))),
        }
    }

    async fn update_index(&self, options: OptimizeOptions) -> Result<()> {
        for _ in 0..CONFLICT_RETRIES {
            let mut dataset = (*self.snapshot()).clone();
            match dataset.optimize_indices(&options).await.map_err(Error::from) {
                Err(err) if err.code == Code::Conflict => self.refresh().await?,
                Err(err) => return Err(err),
                Ok(()) => {
                    self.adopt(Arc::new(dataset)).await?;
                    return Ok(());
                }
            }
        }
        Ok(()) // as above; queries scan what is not indexed yet
    }

    async fn prune(&self, options: &Options) -> Result<RemovalStats> {
        let age = TimeDelta::seconds(options.versions_age_max_s as i64);
        Ok(self.snapshot().cleanup_old_versions(age, Some(false), Some(false)).await?)
    }
}

/// The fragments that are better left alone: those, with all older ones, that have more rows than all newer ones together.
/// So a row is rewritten a number of times that grows only with the logarithm of the table, whatever the rhythm of upkeep.
fn settled_fragments(fragments: &[Fragment]) -> Vec<u32> {
    let rows = |fragment: &Fragment| fragment.num_rows().unwrap_or(0) as u64;
    let unsettled = newest_to_merge(0, u64::MAX, fragments.iter().rev().map(rows));
    let (settled, _) = fragments.split_at(fragments.len() - unsettled);
    settled.iter().filter(|fragment| mostly_live(fragment)).map(|fragment| fragment.id as u32).collect()
}

/// Tells fragments worth keeping from those of which merges and deletes have left holes worth closing.
fn mostly_live(fragment: &Fragment) -> bool {
    let physical = fragment.physical_rows.unwrap_or(0) as f64;
    let live = fragment.num_rows().unwrap_or(0) as f64;
    physical - live <= physical * DEAD_SHARE_MAX as f64
}

/// How many of `sizes`, newest first, to merge with `rows` newer rows: each as long as it is no larger than what is newer
/// than it, or small anyway, and all together have no more than `rows_max`.
fn newest_to_merge(rows: u64, rows_max: u64, sizes: impl Iterator<Item = u64>) -> usize {
    let mut newer = rows;
    sizes
        .take_while(|&size| {
            let merge = size <= newer.max(SMALL_ROWS) && newer + size <= rows_max;
            newer += size;
            merge
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::newest_to_merge;

    #[test]
    fn small_parts_are_merged_and_large_ones_left_until_as_many_rows_follow() {
        let merged = |rows, sizes: &[u64]| newest_to_merge(rows, 10_000_000, sizes.iter().copied());
        assert_eq!(merged(0, &[]), 0);
        assert_eq!(merged(10, &[10, 10, 10]), 3);
        assert_eq!(merged(10, &[10, 1_000_000]), 1);
        assert_eq!(merged(10, &[500_000, 500_010, 5_000_000]), 0);
        assert_eq!(merged(500_000, &[500_000, 1_000_000, 5_000_000]), 2);
        assert_eq!(merged(4_000_000, &[3_000_000, 6_000_000]), 1);
    }
}
