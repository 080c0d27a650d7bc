//! Queries: from their JSON description to a stream of rows.

use arrow_array::{Float32Array, RecordBatch};
use arrow_schema::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lance::dataset::scanner::{ColumnOrdering, Scanner};
use lance::io::RecordBatchStream;
use lance_index::scalar::FullTextSearchQuery;
use lance_linalg::distance::DistanceType;
use serde::Deserialize;

use crate::dataset::Table;
use crate::error::{Code, Error, Result};
use crate::ranked::ranked;

/// A query as `assay_table_query` takes it, in JSON. Absent fields do not restrict.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    pub columns: Vec<String>,
    pub filter: String,
    pub order_by: Vec<Order>,
    pub limit: Option<i64>,
    pub offset: Option<i64>,
    pub nearest: Option<Nearest>,
    #[serde(rename = "match")]
    pub text: Option<Match>,
    pub fuse: Option<Fuse>,
    /// Of rows of a ranked list that are equally good, only a few before all others: they mostly say the same.
    pub distinct: bool,
    /// How many rows of a ranked list are read at a time, all if it is absent.
    pub page: Option<usize>,
}

/// How a query by vector and text joins its two lists, by reciprocal rank. Results gain `_near_rank` and `_text_rank`: the places
/// in the lists, from 1, and 0 for none.
#[derive(Deserialize)]
pub struct Fuse {
    /// Rows of each list that are joined.
    pub depth: usize,
    /// How much a first place outweighs a tenth.
    pub constant: f64,
}

#[derive(Deserialize)]
pub struct Order {
    column: String,
    #[serde(default)]
    descending: bool,
}

/// The rows whose vectors are nearest; results gain the column `_distance`.
#[derive(Deserialize)]
pub struct Nearest {
    pub column: String,
    pub vector: Vec<f32>,
    /// Which rows of those that the query's filter selects have vectors to compare; empty for all.
    #[serde(default)]
    pub filter: String,
    /// Compare every vector instead of using the index.
    #[serde(default)]
    pub exact: bool,
    /// Compare by cosine instead of the squared Euclidean distance.
    #[serde(default)]
    pub cosine: bool,
    /// With an index: compare the real vectors of this many times as many rows, since the index holds only approximations.
    pub refine: Option<u32>,
    /// With an index: how much of it to search, from 0 to 1 for all; 0.5 is Lance's own choice, which depends on how far the
    /// query is from the partitions.
    pub effort: Option<f64>,
    /// With an index: if the filter selects no more rows than this, compare their vectors instead of using the index.
    #[serde(default)]
    pub few: u64,
}

/// The rows whose text matches by BM25; results gain the column `_score`.
#[derive(Deserialize)]
pub struct Match {
    pub column: String,
    pub text: String,
}

impl Table {
    /// Starts a query on the newest version. Rows are read as they are asked for.
    pub async fn query(&self, query: Query) -> Result<Rows> {
        let dataset = self.snapshot();
        if query.is_ranked() {
            return ranked(dataset, query).await;
        }
        let mut scanner = dataset.scan();
        if !query.columns.is_empty() {
            scanner.project(&query.columns)?;
        }
        restrict(&mut scanner, &query.filter)?;
        let most = query.limit.map(|limit| (limit + query.offset.unwrap_or(0)) as usize);
        if let Some(nearest) = &query.nearest {
            nearest.apply(&mut scanner, most.unwrap_or(usize::MAX))?;
        }
        if let Some(text) = &query.text {
            text.apply(&mut scanner, most)?;
        }
        if !query.order_by.is_empty() {
            scanner.order_by(Some(query.order_by.iter().map(Order::lower).collect()))?;
        }
        scanner.limit(query.limit, query.offset)?;
        let stream = scanner.try_into_stream().await?;
        Ok(Rows { schema: stream.schema(), stream: stream.map_err(Error::from).boxed() })
    }
}

impl Query {
    /// Tells what `ranked` can answer; the rest is what clients of lancedb-go may ask besides.
    fn is_ranked(&self) -> bool {
        let asks = self.nearest.is_some() || self.text.is_some();
        asks && self.limit.is_some() && self.nearest.as_ref().is_none_or(|nearest| nearest.cosine)
    }
}

/// Sets the filter, which decides which rows are ranked, not which ranked rows are shown.
pub fn restrict(scanner: &mut Scanner, filter: &str) -> Result<()> {
    if !filter.is_empty() {
        scanner.filter(filter)?.prefilter(true);
    }
    Ok(())
}

impl Order {
    fn lower(&self) -> ColumnOrdering {
        let column = self.column.clone();
        match self.descending {
            true => ColumnOrdering::desc_nulls_last(column),
            false => ColumnOrdering::asc_nulls_last(column),
        }
    }
}

impl Nearest {
    pub fn apply(&self, scanner: &mut Scanner, most: usize) -> Result<()> {
        let vector = Float32Array::from(self.vector.clone());
        scanner.nearest(&self.column, &vector, most)?;
        scanner.distance_metric(if self.cosine { DistanceType::Cosine } else { DistanceType::L2 });
        scanner.use_index(!self.exact);
        if let Some(effort) = self.effort {
            scanner.search_effort(effort)?;
        }
        Ok(())
    }
}

impl Match {
    pub fn apply(&self, scanner: &mut Scanner, most: Option<usize>) -> Result<()> {
        let text = FullTextSearchQuery::new(self.text.clone()).with_column(self.column.clone())?;
        scanner.full_text_search(text.limit(most.map(|most| most as i64)))?;
        Ok(())
    }
}

/// The rows of a query, batch by batch.
pub struct Rows {
    pub schema: SchemaRef,
    pub stream: BoxStream<'static, Result<RecordBatch>>,
}

impl Rows {
    /// The next batch, which is never empty, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.stream.next().await {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// All rows at once.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// The rows of `batches` as a JSON array of objects, nulls included.
pub fn to_json(batches: &[RecordBatch]) -> Result<String> {
    let mut writer = arrow_json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow_json::writer::JsonArray>(Vec::new());
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    String::from_utf8(writer.into_inner()).map_err(|err| Error::new(Code::Internal, err.to_string()))
}
