//! Queries: from their JSON description to a stream of rows.

use arrow_array::{Float32Array, RecordBatch};
use arrow_schema::SchemaRef;
use futures::StreamExt;
use lance::dataset::scanner::{ColumnOrdering, DatasetRecordBatchStream, Scanner};
use lance::io::RecordBatchStream;
use lance_index::scalar::FullTextSearchQuery;
use lance_linalg::distance::DistanceType;
use serde::Deserialize;

use crate::dataset::Table;
use crate::error::{Code, Error, Result};

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
    /// How many rows; the query's limit counts what is left of them after its offset.
    pub count: usize,
    /// Compare every vector instead of using the index.
    #[serde(default)]
    pub exact: bool,
    /// Compare by cosine instead of the squared Euclidean distance.
    #[serde(default)]
    pub cosine: bool,
    /// With an index: read this many times `count` rows and compare their real vectors.
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
    pub async fn query(&self, query: &Query) -> Result<Rows> {
        let mut scanner = self.scanner(query)?;
        if let Some(nearest) = &query.nearest
            && !nearest.exact
            && self.selects_at_most(nearest.few, &query.filter).await?
        {
            scanner.use_index(false);
        }
        let stream = scanner.try_into_stream().await?;
        Ok(Rows { schema: stream.schema(), stream })
    }

    /// Tells whether the filter selects no more than so many rows, at the price of finding these.
    async fn selects_at_most(&self, rows: u64, filter: &str) -> Result<bool> {
        if rows == 0 || filter.is_empty() {
            return Ok(false);
        }
        let mut scanner = self.snapshot().scan();
        scanner.empty_project()?.with_row_id().filter(filter)?.limit(Some(rows as i64 + 1), None)?;
        let mut selected = 0;
        let mut stream = scanner.try_into_stream().await?;
        while let Some(batch) = stream.next().await {
            selected += batch?.num_rows() as u64;
        }
        Ok(selected <= rows)
    }

    fn scanner(&self, query: &Query) -> Result<Scanner> {
        let mut scanner = self.snapshot().scan();
        if !query.columns.is_empty() {
            scanner.project(&query.columns)?;
        }
        if !query.filter.is_empty() {
            // The filter decides which rows are ranked, not which ranked rows are shown.
            scanner.filter(&query.filter)?.prefilter(true);
        }
        if let Some(nearest) = &query.nearest {
            nearest.apply(&mut scanner)?;
        }
        if let Some(text) = &query.text {
            text.apply(&mut scanner, query)?;
        }
        if !query.order_by.is_empty() {
            scanner.order_by(Some(query.order_by.iter().map(Order::lower).collect()))?;
        }
        scanner.limit(query.limit, query.offset)?;
        Ok(scanner)
    }
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
    fn apply(&self, scanner: &mut Scanner) -> Result<()> {
        let vector = Float32Array::from(self.vector.clone());
        scanner.nearest(&self.column, &vector, self.count)?;
        scanner.distance_metric(if self.cosine { DistanceType::Cosine } else { DistanceType::L2 });
        scanner.use_index(!self.exact);
        if let Some(factor) = self.refine {
            scanner.refine(factor);
        }
        if let Some(effort) = self.effort {
            scanner.search_effort(effort)?;
        }
        Ok(())
    }
}

impl Match {
    fn apply(&self, scanner: &mut Scanner, query: &Query) -> Result<()> {
        let rows = query.limit.map(|limit| limit + query.offset.unwrap_or(0));
        let text = FullTextSearchQuery::new(self.text.clone()).with_column(self.column.clone())?.limit(rows);
        scanner.full_text_search(text)?;
        Ok(())
    }
}

/// The rows of a query, batch by batch.
pub struct Rows {
    pub schema: SchemaRef,
    stream: DatasetRecordBatchStream,
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
