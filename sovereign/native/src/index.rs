//! Indexes: building them, and telling how much of a table they cover.

use std::sync::Arc;

use arrow_schema::DataType;
use lance::Dataset;
use lance::dataset::transaction::{Operation, TransactionBuilder};
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance_index::scalar::{BuiltinIndexType, InvertedIndexParams, ScalarIndexParams};
use lance_index::vector::bq::RQBuildParams;
use lance_index::vector::hnsw::builder::HnswBuildParams;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use lance_index::{IndexParams, IndexType};
use lance_linalg::distance::DistanceType;
use lance_table::format::IndexMetadata;
use serde::Serialize;

use crate::dataset::Table;
use crate::error::{Error, Result};
use crate::fence::Epochs;
use crate::write::{Staged, commit};

/// Dimensions that one product-quantisation code stands for, as LanceDB chooses it.
const DIMENSIONS_PER_CODE: usize = 16;

/// Bits that one dimension takes in a RaBitQ code (Gao, Long, "RaBitQ", SIGMOD 2024). With five the index alone ranks nearly
/// as the vectors do, in a sixth of their size; building it learns no codebook, which takes most of the time of `ivf_pq`.
const BITS_PER_DIMENSION: u8 = 5;

/// RaBitQ packs dimensions by the byte. Vectors of other lengths, which are rare, get one byte for each number instead.
const DIMENSIONS_PACKED: usize = 8;

/// Vectors in a partition of `ivf_rq` and `ivf_sq`: a search reads all codes of some partitions.
const PARTITION_ROWS: usize = 4096;

/// An index as `assay_table_indexes` lists it.
#[derive(Serialize)]
pub struct Described {
    pub name: String,
    pub columns: Vec<String>,
    pub index_type: String,
    pub rows_unindexed: u64,
    /// Rows that each segment covers, oldest first.
    #[serde(skip)]
    pub segment_rows: Vec<u64>,
}

impl Table {
    /// Builds an index of the kind `btree`, `bitmap`, `label_list`, `fts`, `ivf_flat`, `ivf_pq`, `ivf_rq`, `ivf_sq`,
    /// `hnsw_pq` or `hnsw_sq` on a column, in place of one of the same name. Vectors are compared by `distance`.
    pub async fn create_index(
        &self,
        column: &str,
        kind: &str,
        distance: DistanceType,
        name: Option<String>,
        epochs: &Epochs,
    ) -> Result<()> {
        let _turn = self.maintenance.lock().await;
        let base = self.snapshot();
        let mut dataset = (*base).clone();
        let (index_type, params) = params_for(&dataset, column, kind, distance)?;
        let columns = [column];
        let mut build = dataset.create_index_builder(&columns, index_type, params.as_ref()).replace(true);
        if let Some(name) = name {
            build = build.name(name);
        }
        let index = build.execute_uncommitted().await?;
        self.replace_index(base, &index.name.clone(), vec![index], epochs).await
    }

    /// Puts segments of an index in the place of those that one of that name has.
    async fn replace_index(
        &self,
        base: Arc<Dataset>,
        name: &str,
        new: Vec<IndexMetadata>,
        epochs: &Epochs,
    ) -> Result<()> {
        let old = base.load_indices().await?.iter().filter(|index| index.name == name).cloned().collect();
        let operation = Operation::CreateIndex { new_indices: new, removed_indices: old };
        let transaction = TransactionBuilder::new(base.version().version, operation).build();
        self.adopt(Arc::new(commit(base, Staged::new(transaction), epochs).await?)).await
    }

    /// Builds the index of a column of vectors that are compared by cosine, in place of all others on that column.
    pub async fn index_vectors(&self, column: &str, name: &str, epochs: &Epochs) -> Result<()> {
        let packed = dimensions(&self.snapshot(), column)?.is_multiple_of(DIMENSIONS_PACKED);
        let kind = if packed { "ivf_rq" } else { "ivf_sq" };
        self.create_index(column, kind, DistanceType::Cosine, Some(name.to_owned()), epochs).await?;
        for index in self.indexes().await? {
            if index.columns == [column] && index.name != name {
                self.drop_index(&index.name, epochs).await?;
            }
        }
        Ok(())
    }

    async fn drop_index(&self, name: &str, epochs: &Epochs) -> Result<()> {
        let _turn = self.maintenance.lock().await;
        self.replace_index(self.snapshot(), name, Vec::new(), epochs).await
    }

    /// The indexes of the newest version.
    pub async fn indexes(&self) -> Result<Vec<Described>> {
        let dataset = self.snapshot();
        let described = dataset.describe_indices(None).await?;
        Ok(described.iter().filter_map(|index| describe(&dataset, index.as_ref())).collect())
    }
}

fn params_for(
    dataset: &Dataset,
    column: &str,
    kind: &str,
    distance: DistanceType,
) -> Result<(IndexType, Box<dyn IndexParams>)> {
    let ivf = IvfBuildParams::default;
    let hnsw = HnswBuildParams::default;
    let scalar = |index_type, builtin| -> Result<(IndexType, Box<dyn IndexParams>)> {
        Ok((index_type, Box::new(ScalarIndexParams::for_builtin(builtin))))
    };
    let vector = |params| -> Result<(IndexType, Box<dyn IndexParams>)> { Ok((IndexType::Vector, Box::new(params))) };
    match kind {
        "btree" => scalar(IndexType::BTree, BuiltinIndexType::BTree),
        "bitmap" => scalar(IndexType::Bitmap, BuiltinIndexType::Bitmap),
        "label_list" => scalar(IndexType::LabelList, BuiltinIndexType::LabelList),
        "fts" => Ok((IndexType::Inverted, Box::new(InvertedIndexParams::default()))),
        "ivf_flat" => vector(VectorIndexParams::with_ivf_flat_params(distance, ivf())),
        "vector" | "ivf_pq" => {
            let codes = product_quantisation(dataset, column)?;
            vector(VectorIndexParams::with_ivf_pq_params(distance, ivf(), codes))
        }
        "ivf_rq" => {
            let ivf = IvfBuildParams::with_target_partition_size(PARTITION_ROWS);
            vector(VectorIndexParams::with_ivf_rq_params(distance, ivf, RQBuildParams::new(BITS_PER_DIMENSION)))
        }
        "ivf_sq" => {
            let ivf = IvfBuildParams::with_target_partition_size(PARTITION_ROWS);
            vector(VectorIndexParams::with_ivf_sq_params(distance, ivf, SQBuildParams::default()))
        }
        "hnsw_pq" => {
            let codes = product_quantisation(dataset, column)?;
            vector(VectorIndexParams::with_ivf_hnsw_pq_params(distance, ivf(), hnsw(), codes))
        }
        "hnsw_sq" => {
            let codes = SQBuildParams::default();
            vector(VectorIndexParams::with_ivf_hnsw_sq_params(distance, ivf(), hnsw(), codes))
        }
        _ => Err(Error::invalid(format!("there is no kind of index named {kind:?}"))),
    }
}

fn product_quantisation(dataset: &Dataset, column: &str) -> Result<PQBuildParams> {
    Ok(PQBuildParams::new((dimensions(dataset, column)? / DIMENSIONS_PER_CODE).max(1), 8))
}

/// The length of the vectors in a column.
fn dimensions(dataset: &Dataset, column: &str) -> Result<usize> {
    let field = dataset.schema().field(column).ok_or_else(|| Error::invalid(format!("there is no column {column}")))?;
    match field.data_type() {
        DataType::FixedSizeList(_, dimensions) => Ok(dimensions as usize),
        other => Err(Error::invalid(format!("column {column} holds {other}, not vectors"))),
    }
}

fn describe(dataset: &Dataset, index: &dyn lance::index::IndexDescription) -> Option<Described> {
    let columns = index
        .field_ids()
        .iter()
        .map(|id| dataset.schema().field_path(*id as i32))
        .collect::<lance::Result<Vec<_>>>()
        .ok()?;
    let rows_where = |wanted: &dyn Fn(u32) -> bool| -> u64 {
        let fragments = dataset.fragments().iter().filter(|fragment| wanted(fragment.id as u32));
        fragments.map(|fragment| fragment.num_rows().unwrap_or(0) as u64).sum()
    };
    let covers = |segment: &IndexMetadata, fragment| {
        segment.fragment_bitmap.as_ref().is_some_and(|bitmap| bitmap.contains(fragment))
    };
    let segments = index.segments();
    let rows_unindexed = rows_where(&|fragment| !segments.iter().any(|segment| covers(segment, fragment)));
    let segment_rows = segments.iter().map(|segment| rows_where(&|fragment| covers(segment, fragment))).collect();
    Some(Described {
        name: index.name().to_owned(),
        columns,
        index_type: index.index_type().to_owned(),
        rows_unindexed,
        segment_rows,
    })
}
