//! Ranked queries: by vector, by text, or by both. Everything is found on one snapshot, by the names of rows; what the query asks
//! to see of them is read at the end, of those that are left, page by page as somebody goes on reading.
//!
//! ```text
//!              ┌─► index alone ──────┐
//!   snapshot ──┤                     ├─► best ids ──► (two lists: fused by rank) ──► pages of their rows
//!              └─► tail, in memory ──┘
//! ```

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float32Array, Int64Array, RecordBatch};
use arrow_schema::{Field, Schema};
use futures::{StreamExt, TryStreamExt, stream};
use lance::Dataset;
use lance::dataset::{ProjectionRequest, ROW_ID};
use lance::index::DatasetIndexInternalExt;
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::scalar::inverted::query::collect_query_tokens;
use lance_index::scalar::inverted::{InvertedIndex, MemBM25Scorer, Scorer};
use lance_linalg::distance::{cosine_distance, cosine_distance_batch};
use lance_table::format::Fragment;

use crate::error::{Error, Result};
use crate::query::{Match, Nearest, Query, Rows, restrict};
use crate::tail::{Coverage, Part, Vectors, Words, coverage, parts, row_id, tokenizer};

/// A row that was found. Of two, the one with the greater merit comes first.
#[derive(Clone, Copy)]
struct Found {
    id: u64,
    merit: f32,
}

/// A row with its places in the lists that it is in, from 1, and 0 for none.
#[derive(Default)]
struct Hit {
    id: u64,
    fused: f64,
    near_rank: i64,
    text_rank: i64,
    bm25: f32,
}

/// Answers a query by vector, text or both. The first page is read at once, for its schema.
pub async fn ranked(dataset: Arc<Dataset>, query: Query) -> Result<Rows> {
    let mut pages = pages(find(&dataset, &query).await?, query.page);
    let first = show(&dataset, &query, pages.next().unwrap_or_default()).await?;
    let schema = first.schema();
    let (dataset, query) = (dataset.clone(), Arc::new(query));
    let rest = stream::iter(pages).then(move |hits| {
        let (dataset, query) = (dataset.clone(), query.clone());
        async move { show(&dataset, &query, hits).await }
    });
    Ok(Rows { schema, stream: stream::iter([Ok(first)]).chain(rest).boxed() })
}

/// Hits in pages of so many, or in one.
fn pages(hits: Vec<Hit>, page: Option<usize>) -> impl Iterator<Item = Vec<Hit>> + Send {
    let size = page.unwrap_or(hits.len()).max(1);
    let mut hits = hits.into_iter();
    std::iter::from_fn(move || Some(hits.by_ref().take(size).collect::<Vec<_>>()).filter(|page| !page.is_empty()))
}

/// The hits of a query, best first.
async fn find(dataset: &Arc<Dataset>, query: &Query) -> Result<Vec<Hit>> {
    let shown = (query.limit.unwrap_or(0) + query.offset.unwrap_or(0)) as usize;
    let depth = query.fuse.as_ref().map_or(shown, |fuse| fuse.depth.max(shown));
    let near = async {
        match &query.nearest {
            Some(nearest) => nearest.list(dataset, query, depth).await,
            None => Ok(Vec::new()),
        }
    };
    let matching = async {
        match &query.text {
            Some(text) => text.list(dataset, query, depth).await,
            None => Ok(Vec::new()),
        }
    };
    let (near, matching) = futures::try_join!(near, matching)?;
    let hits = joined(query, &near, &matching);
    let skip = query.offset.unwrap_or(0) as usize;
    Ok(hits.into_iter().take(shown).skip(skip).collect())
}

/// Joins the two lists, each best first. If both were asked for, a row counts the sum of 1/(constant + rank) over those it is in.
fn joined(query: &Query, near: &[Found], matching: &[Found]) -> Vec<Hit> {
    let constant = query.fuse.as_ref().map_or(0.0, |fuse| fuse.constant);
    let mut hits: HashMap<u64, Hit> = HashMap::new();
    for (place, found) in near.iter().enumerate() {
        let hit = hits.entry(found.id).or_insert(Hit { id: found.id, ..Default::default() });
        hit.near_rank = place as i64 + 1;
        hit.fused += 1.0 / (constant + hit.near_rank as f64);
    }
    for (place, found) in matching.iter().enumerate() {
        let hit = hits.entry(found.id).or_insert(Hit { id: found.id, ..Default::default() });
        (hit.text_rank, hit.bm25) = (place as i64 + 1, found.merit);
        hit.fused += 1.0 / (constant + hit.text_rank as f64);
    }
    let mut hits: Vec<_> = hits.into_values().collect();
    hits.sort_unstable_by(|a, b| b.fused.total_cmp(&a.fused).then(a.id.cmp(&b.id)));
    hits
}

impl Nearest {
    /// The rows that are nearest, nearest first.
    async fn list(&self, dataset: &Arc<Dataset>, query: &Query, most: usize) -> Result<Vec<Found>> {
        let filter = both(&query.filter, &self.filter);
        let candidates = most * self.refine.unwrap_or(1) as usize;
        let mut scanner = dataset.scan();
        restrict(&mut scanner, &filter)?;
        self.apply(&mut scanner, query.asked(candidates))?;
        scanner.empty_project()?.with_row_id();
        let coverage = coverage(dataset, &self.column).await?;
        if self.exact || selects_at_most(dataset, self.few, &filter).await? {
            scanner.use_index(false);
            return Ok(query.best(found_by(scanner, true, "_distance", -1.0).await?, most));
        }
        let found = if coverage.is_short() {
            scanner.fast_search();
            let parts = parts(dataset, &self.column, &coverage.tail).await?;
            let (found, tail) = futures::try_join!(
                found_by(scanner, coverage.covers_any(dataset), "_distance", -1.0),
                self.best_of_tail(dataset, &filter, &coverage, &parts),
            )?;
            found.into_iter().chain(tail).collect()
        } else {
            found_by(scanner, true, "_distance", -1.0).await?
        };
        let found = query.best(found, candidates);
        if self.refine.is_none() || coverage.segments.is_empty() {
            return Ok(found.into_iter().take(most).collect());
        }
        Ok(query.best(self.measured(dataset, found).await?, most))
    }

    /// The same rows by how near their vectors are: the index ranks by what it holds of them only.
    async fn measured(&self, dataset: &Arc<Dataset>, mut found: Vec<Found>) -> Result<Vec<Found>> {
        let ids: Vec<_> = found.iter().map(|row| row.id).collect();
        let column = ProjectionRequest::from_columns([self.column.as_str()], dataset.schema());
        let rows = taken(dataset, &ids, column).await?;
        let vectors = rows[self.column.as_str()].as_fixed_size_list();
        for (row, found) in found.iter_mut().enumerate().filter(|(row, _)| vectors.is_valid(*row)) {
            let value = vectors.value(row);
            let distance = cosine_distance(&self.vector, value.as_primitive::<Float32Type>().values());
            found.merit = if distance.is_nan() { -1.0 } else { -distance };
        }
        Ok(found)
    }

    async fn best_of_tail(
        &self,
        dataset: &Arc<Dataset>,
        filter: &str,
        coverage: &Coverage,
        parts: &[Arc<Part>],
    ) -> Result<Vec<Found>> {
        let living = Living::of(dataset, filter, &coverage.tail).await?;
        let mut found = Vec::new();
        for (fragment, part) in coverage.tail.iter().zip(parts) {
            if let Part::Vectors(part) = part.as_ref() {
                part.compare(&self.vector, &mut living.keep(fragment, &mut found));
            }
        }
        Ok(found)
    }
}

impl Match {
    /// The rows that match, best first.
    async fn list(&self, dataset: &Arc<Dataset>, query: &Query, most: usize) -> Result<Vec<Found>> {
        let mut scanner = dataset.scan();
        restrict(&mut scanner, &query.filter)?;
        self.apply(&mut scanner, Some(query.asked(most)))?;
        scanner.empty_project()?.with_row_id();
        let coverage = coverage(dataset, &self.column).await?;
        if !coverage.is_short() {
            return Ok(query.best(found_by(scanner, true, "_score", 1.0).await?, most));
        }
        scanner.fast_search();
        let parts = parts(dataset, &self.column, &coverage.tail).await?;
        let (found, tail) = futures::try_join!(
            found_by(scanner, coverage.covers_any(dataset), "_score", 1.0),
            self.best_of_tail(dataset, &query.filter, &coverage, &parts),
        )?;
        Ok(query.best(found.into_iter().chain(tail).collect(), most))
    }

    async fn best_of_tail(
        &self,
        dataset: &Arc<Dataset>,
        filter: &str,
        coverage: &Coverage,
        parts: &[Arc<Part>],
    ) -> Result<Vec<Found>> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let living = Living::of(dataset, filter, &coverage.tail).await?;
        let weights = Weights::of(dataset, self, coverage, parts).await?;
        let mut found = Vec::new();
        for (fragment, part) in coverage.tail.iter().zip(parts) {
            if let Part::Words(part) = part.as_ref() {
                part.score(&weights, &mut living.keep(fragment, &mut found));
            }
        }
        Ok(found)
    }
}

/// The condition that both hold.
fn both(a: &str, b: &str) -> String {
    match (a, b) {
        ("", one) | (one, "") => one.to_owned(),
        _ => format!("({a}) AND ({b})"),
    }
}

/// What a scanner finds, if it is to look at all.
async fn found_by(scanner: lance::dataset::scanner::Scanner, look: bool, score: &str, sign: f32) -> Result<Vec<Found>> {
    if !look {
        return Ok(Vec::new());
    }
    let batches: Vec<RecordBatch> = scanner.try_into_stream().await?.try_collect().await?;
    let mut found = Vec::new();
    for batch in &batches {
        let ids = batch[ROW_ID].as_primitive::<UInt64Type>().values();
        let scores = batch[score].as_primitive::<Float32Type>().values();
        found.extend(ids.iter().zip(scores).map(|(&id, &score)| Found { id, merit: sign * score }));
    }
    Ok(found)
}

/// How many of equals a list of distinct rows has before all rows that are not equal to others: they mostly say the same.
const EQUALS_KEPT: usize = 2;

/// How many rows are looked at for one of a list of distinct rows: of those that an index finds, which takes longer the more they
/// are, and of those in memory.
const LOOKED_AT_IN_INDEX: usize = 4;
const LOOKED_AT: usize = 64;

impl Query {
    /// How many rows an index is asked for.
    fn asked(&self, most: usize) -> usize {
        if self.distinct { most * LOOKED_AT_IN_INDEX } else { most }
    }

    /// The best rows, best first; of equals the older ones.
    fn best(&self, mut found: Vec<Found>, most: usize) -> Vec<Found> {
        let order = |a: &Found, b: &Found| -> Ordering { b.merit.total_cmp(&a.merit).then(a.id.cmp(&b.id)) };
        let looked_at = if self.distinct { most * LOOKED_AT } else { most };
        if found.len() > looked_at {
            found.select_nth_unstable_by(looked_at, order);
            found.truncate(looked_at);
        }
        found.sort_unstable_by(order);
        if self.distinct {
            let (mut equals, mut last) = (0, f32::NAN);
            let (distinct, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|row| {
                equals = if row.merit == last { equals + 1 } else { 1 };
                last = row.merit;
                equals <= EQUALS_KEPT
            });
            found = distinct.into_iter().chain(others).take(most).collect();
        }
        found
    }
}

/// Tells whether the filter selects no more than so many rows, at the price of finding these.
async fn selects_at_most(dataset: &Dataset, rows: u64, filter: &str) -> Result<bool> {
    if rows == 0 || filter.is_empty() {
        return Ok(false);
    }
    let mut scanner = dataset.scan();
    scanner.empty_project()?.with_row_id().filter(filter)?.limit(Some(rows as i64 + 1), None)?;
    let batches: Vec<RecordBatch> = scanner.try_into_stream().await?.try_collect().await?;
    Ok(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>() <= rows)
}

/// Which rows of the tail count: those that were not deleted and that the filter selects.
enum Living {
    But(HashSet<u64>),
    Only(HashSet<u64>),
}

impl Living {
    async fn of(dataset: &Arc<Dataset>, filter: &str, tail: &[Fragment]) -> Result<Self> {
        if !filter.is_empty() {
            return Ok(Self::Only(selected(dataset, filter, tail).await?));
        }
        let mut deleted = HashSet::new();
        for fragment in tail.iter().filter(|fragment| fragment.deletion_file.is_some()) {
            let Some(file) = dataset.get_fragment(fragment.id as usize) else { continue };
            if let Some(offsets) = file.get_deletion_vector().await? {
                deleted.extend(offsets.iter().map(|offset| row_id(fragment, offset)));
            }
        }
        Ok(Self::But(deleted))
    }

    fn has(&self, id: u64) -> bool {
        match self {
            Self::But(deleted) => !deleted.contains(&id),
            Self::Only(selected) => selected.contains(&id),
        }
    }

    /// Takes rows of a fragment, by their offset, with their merit.
    fn keep(&self, fragment: &Fragment, found: &mut Vec<Found>) -> impl FnMut(u32, f32) {
        move |offset, merit| {
            let id = row_id(fragment, offset);
            if self.has(id) {
                found.push(Found { id, merit });
            }
        }
    }
}

async fn selected(dataset: &Dataset, filter: &str, tail: &[Fragment]) -> Result<HashSet<u64>> {
    if tail.is_empty() {
        return Ok(HashSet::new());
    }
    let mut scanner = dataset.scan();
    scanner.empty_project()?.with_row_id().with_fragments(tail.to_vec()).filter(filter)?;
    let batches: Vec<RecordBatch> = scanner.try_into_stream().await?.try_collect().await?;
    Ok(batches.iter().flat_map(|batch| batch[ROW_ID].as_primitive::<UInt64Type>().values()).copied().collect())
}

/// The words of a query with what they weigh among all rows, indexed or not.
struct Weights {
    words: Vec<String>,
    scorer: MemBM25Scorer,
}

impl Weights {
    async fn of(dataset: &Dataset, query: &Match, coverage: &Coverage, parts: &[Arc<Part>]) -> Result<Self> {
        let mut words: Vec<String> = collect_query_tokens(&query.text, &mut tokenizer()?).into_iter().collect();
        words.sort_unstable();
        words.dedup();
        let (mut total, mut rows, mut with_word) = (0, 0, vec![0; words.len()]);
        for part in parts {
            if let Part::Words(part) = part.as_ref() {
                total += part.total;
                rows += part.lengths.len();
                with_word.iter_mut().zip(&words).for_each(|(count, word)| *count += part.rows_with(word).len());
            }
        }
        for segment in &coverage.segments {
            let index = dataset.open_generic_index(&query.column, &segment.uuid, &NoOpMetricsCollector).await?;
            if let Some(index) = index.as_any().downcast_ref::<InvertedIndex>() {
                let (segment_total, segment_rows, counts) = index.bm25_stats_for_terms(&words, None).await?;
                total += segment_total;
                rows += segment_rows;
                with_word.iter_mut().zip(counts).for_each(|(count, more)| *count += more);
            }
        }
        let by_word: HashMap<_, _> = words.iter().cloned().zip(with_word).collect();
        Ok(Self { words, scorer: MemBM25Scorer::new(total, rows, by_word) })
    }
}

impl Words {
    /// Passes on every row that has one of the words, with its BM25.
    fn score(&self, weights: &Weights, keep: &mut impl FnMut(u32, f32)) {
        let mut scores = vec![0.0; self.lengths.len()];
        for word in &weights.words {
            let weight = weights.scorer.query_weight(word);
            for &(row, times) in self.rows_with(word) {
                scores[row as usize] += weight * weights.scorer.doc_weight(times, self.lengths[row as usize]);
            }
        }
        let matching = scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0);
        matching.for_each(|(row, score)| keep(row as u32, score));
    }
}

impl Vectors {
    /// Passes on every row with a vector, with how near it is.
    fn compare(&self, vector: &[f32], keep: &mut impl FnMut(u32, f32)) {
        if self.values.len() != self.offsets.len() * vector.len() {
            return; // of another model
        }
        let distances = cosine_distance_batch(vector, &self.values, vector.len());
        for (&offset, distance) in self.offsets.iter().zip(distances) {
            keep(offset, if distance.is_nan() { -1.0 } else { -distance });
        }
    }
}

/// The rows of hits, in their order, with the columns that the query asks for and why each was found.
async fn show(dataset: &Dataset, query: &Query, hits: Vec<Hit>) -> Result<RecordBatch> {
    let ids: Vec<_> = hits.iter().map(|hit| hit.id).collect();
    let mut columns: Vec<String> = match query.columns.is_empty() {
        true => dataset.schema().fields.iter().map(|field| field.name.clone()).collect(),
        false => query.columns.clone(),
    };
    let asked = columns.len();
    let vector = query.nearest.as_ref().map(|nearest| nearest.column.clone());
    if let Some(vector) = vector.as_ref().filter(|vector| !columns.contains(*vector)) {
        columns.push(vector.clone());
    }
    let rows = taken(dataset, &ids, ProjectionRequest::from_columns(&columns, dataset.schema())).await?;
    let mut fields: Vec<_> = rows.schema().fields().iter().take(asked).cloned().collect();
    let mut arrays: Vec<ArrayRef> = rows.columns().iter().take(asked).cloned().collect();
    let mut add = |name: &str, array: ArrayRef| {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    };
    if let (Some(nearest), Some(column)) = (&query.nearest, &vector) {
        add("_distance", Arc::new(distances(nearest, &rows[column.as_str()], &hits)));
    }
    if query.text.is_some() {
        let scores = hits.iter().map(|hit| (hit.text_rank > 0).then_some(hit.bm25));
        add("_score", Arc::new(scores.collect::<Float32Array>()));
    }
    if query.fuse.is_some() {
        add("_near_rank", Arc::new(hits.iter().map(|hit| hit.near_rank).collect::<Int64Array>()));
        add("_text_rank", Arc::new(hits.iter().map(|hit| hit.text_rank).collect::<Int64Array>()));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Columns of the rows with these names, in their order.
async fn taken(dataset: &Dataset, ids: &[u64], columns: ProjectionRequest) -> Result<RecordBatch> {
    let rows = dataset.take_rows(ids, columns).await?;
    if rows.num_rows() != ids.len() {
        return Err(Error::invalid(format!("{} of {} rows that were found are there", rows.num_rows(), ids.len())));
    }
    Ok(rows)
}

/// How far the vectors of hits are.
fn distances(nearest: &Nearest, vectors: &ArrayRef, hits: &[Hit]) -> Float32Array {
    let lists = vectors.as_fixed_size_list();
    let distance = |(row, hit): (usize, &Hit)| {
        (hit.near_rank > 0 && lists.is_valid(row)).then(|| {
            let value = lists.value(row);
            cosine_distance(&nearest.vector, value.as_primitive::<Float32Type>().values())
        })
    };
    hits.iter().enumerate().map(distance).collect()
}
