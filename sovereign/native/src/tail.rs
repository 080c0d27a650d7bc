//! The tail of a table: the fragments that an index does not cover yet, indexed in memory, so that a ranked query need not read
//! them.
//!
//! ```text
//!   append ──► fragment ──► warm ──► part (words, or vectors) ──┐
//!                 │                                             ├──► best rows of the tail
//!   upkeep ──► index covers it: its parts go        query ──────┘
//! ```
//!
//! A fragment never changes but for rows that are deleted, so a part is made once and asked together with the deletions of the
//! version that is queried.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use ahash::RandomState;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use futures::{StreamExt, TryStreamExt, stream};
use lance::Dataset;
use lance::dataset::ROW_ID;
use lance::index::DatasetIndexExt;
use lance_index::scalar::InvertedIndexParams;
use lance_index::scalar::inverted::tokenizer::document_tokenizer::LanceTokenizer;
use lance_table::format::{Fragment, IndexMetadata};
use tokio::sync::OnceCell;

use crate::dataset::Table;
use crate::error::{Code, Error, Result};

/// Rows that the parts of one column hold at most where nobody has set a limit; what is longer is not kept in memory.
const ROWS_MAX: usize = 48 << 10;

/// Parts that are made at the same time.
const PARALLEL: usize = 2;

/// A row is named by its fragment and its place there, as in Lance.
const OFFSET_BITS: u32 = 32;

static ROWS_LIMIT: AtomicUsize = AtomicUsize::new(ROWS_MAX);

/// The parts of all tables: by table, then by column and data file, whose name no other file ever has.
static PARTS: LazyLock<Mutex<HashMap<String, Parts>>> = LazyLock::new(Default::default);

type Parts = HashMap<(String, String), Arc<OnceCell<Arc<Part>>>>;

/// Bounds the rows that the parts of a column may have.
pub fn limit_tail(rows: usize) {
    ROWS_LIMIT.store(rows, Ordering::Relaxed);
}

/// One column of one fragment.
pub enum Part {
    Words(Words),
    Vectors(Vectors),
}

/// Which rows of a fragment a word occurs in, and how often.
#[derive(Default)]
pub struct Words {
    places: HashMap<Box<str>, usize, RandomState>,
    rows: Vec<Vec<(u32, u32)>>,
    /// Words of each row.
    pub lengths: Vec<u32>,
    pub total: u64,
}

/// The vectors of the rows that have one, one after the other.
#[derive(Default)]
pub struct Vectors {
    pub offsets: Vec<u32>,
    pub values: Vec<f32>,
}

/// What of a column an index covers and what it does not.
pub struct Coverage {
    pub segments: Vec<IndexMetadata>,
    pub tail: Vec<Fragment>,
}

impl Coverage {
    /// Whether the index holds any row of this version.
    pub fn covers_any(&self, dataset: &Dataset) -> bool {
        self.tail.len() < dataset.fragments().len()
    }

    /// Whether the tail can be kept in memory.
    pub fn is_short(&self) -> bool {
        let rows: usize = self.tail.iter().map(|fragment| fragment.physical_rows.unwrap_or(usize::MAX / 2)).sum();
        rows <= ROWS_LIMIT.load(Ordering::Relaxed)
    }
}

/// Tells what the indexes on a column cover.
pub async fn coverage(dataset: &Dataset, column: &str) -> Result<Coverage> {
    let field = dataset.schema().field(column).ok_or_else(|| Error::invalid(format!("there is no column {column}")))?;
    let indices = dataset.load_indices().await?;
    let segments: Vec<_> = indices.iter().filter(|index| index.fields == [field.id]).cloned().collect();
    let covered = |fragment: &Fragment| {
        let covers = |index: &IndexMetadata| {
            index.fragment_bitmap.as_ref().is_some_and(|fragments| fragments.contains(fragment.id as u32))
        };
        segments.iter().any(covers)
    };
    let tail = dataset.fragments().iter().filter(|fragment| !covered(fragment)).cloned().collect();
    Ok(Coverage { segments, tail })
}

/// The parts of a tail, with those made that are missing.
pub async fn parts(dataset: &Arc<Dataset>, column: &str, tail: &[Fragment]) -> Result<Vec<Arc<Part>>> {
    let cells: Vec<_> = {
        let mut all = PARTS.lock().expect("no panic while locked");
        let of_table = all.entry(dataset.uri().to_owned()).or_default();
        tail.iter().map(|fragment| of_table.entry(key(column, fragment)).or_default().clone()).collect()
    };
    let made = tail.iter().zip(cells).map(|(fragment, cell)| async move {
        cell.get_or_try_init(|| async { Ok(Arc::new(make(dataset, column, fragment).await?)) }).await.cloned()
    });
    stream::iter(made).buffered(PARALLEL).try_collect().await
}

fn key(column: &str, fragment: &Fragment) -> (String, String) {
    let files: Vec<_> = fragment.files.iter().map(|file| file.path.as_str()).collect();
    (column.to_owned(), files.join(" "))
}

impl Table {
    /// Makes the parts that the newest version needs and drops those that it does not need any more.
    pub async fn warm(&self) -> Result<()> {
        let dataset = self.snapshot();
        let mut needed = HashSet::new();
        for column in ranked_columns(&dataset) {
            let coverage = coverage(&dataset, &column).await?;
            if coverage.is_short() {
                parts(&dataset, &column, &coverage.tail).await?;
                needed.extend(coverage.tail.iter().map(|fragment| key(&column, fragment)));
            }
        }
        if let Some(of_table) = PARTS.lock().expect("no panic while locked").get_mut(dataset.uri()) {
            of_table.retain(|key, _| needed.contains(key));
        }
        Ok(())
    }
}

/// The columns that a query can be ranked by: vectors, and the text beside them.
fn ranked_columns(dataset: &Dataset) -> Vec<String> {
    let is_vector =
        |kind: &DataType| matches!(kind, DataType::FixedSizeList(item, _) if item.data_type() == &DataType::Float32);
    let fields = &dataset.schema().fields;
    if !fields.iter().any(|field| is_vector(&field.data_type())) {
        return Vec::new();
    }
    let ranked = fields.iter().filter(|field| is_vector(&field.data_type()) || field.name == "text");
    ranked.map(|field| field.name.clone()).collect()
}

async fn make(dataset: &Arc<Dataset>, column: &str, fragment: &Fragment) -> Result<Part> {
    let mut scanner = dataset.scan();
    scanner.project(&[column])?.with_row_id().with_fragments(vec![fragment.clone()]);
    let batches: Vec<RecordBatch> = scanner.try_into_stream().await?.try_collect().await?;
    let (column, rows) = (column.to_owned(), fragment.physical_rows.unwrap_or(0));
    let work = move || match batches.first().map(|batch| batch[column.as_str()].data_type().clone()) {
        Some(DataType::Utf8) => words(&batches, &column, rows).map(Part::Words),
        Some(DataType::FixedSizeList(_, _)) => Ok(Part::Vectors(vectors(&batches, &column))),
        None => Ok(Part::Vectors(Vectors::default())), // every row was deleted
        Some(other) => Err(Error::invalid(format!("column {column} holds {other}: neither text nor vectors"))),
    };
    tokio::task::spawn_blocking(work).await.map_err(|err| Error::new(Code::Internal, err.to_string()))?
}

/// The tokenizer of the index of texts, so that the tail finds what the index would.
pub fn tokenizer() -> Result<Box<dyn LanceTokenizer>> {
    Ok(InvertedIndexParams::default().build()?)
}

fn words(batches: &[RecordBatch], column: &str, rows: usize) -> Result<Words> {
    let mut words = Words { lengths: vec![0; rows], ..Default::default() };
    let mut reader = Reader { tokenizer: tokenizer()?, known: HashMap::default() };
    for batch in batches {
        let ids = batch[ROW_ID].as_primitive::<UInt64Type>();
        let texts = batch[column].as_string::<i32>();
        for (id, text) in ids.values().iter().zip(texts.iter()) {
            words.add(*id as u32, text.unwrap_or_default(), &mut reader);
        }
    }
    Ok(words)
}

/// What makes words of texts. A word is a run of letters and digits, whatever stands beside it, and few words make up most of
/// the texts; so the tokenizer, which reduces a word to its stem, is asked about each only once.
struct Reader {
    tokenizer: Box<dyn LanceTokenizer>,
    /// Places in `Words` of words as they are written; none for those that are left out.
    known: HashMap<Box<str>, Option<usize>, RandomState>,
}

impl Words {
    /// The rows with a word, and how often they have it.
    pub fn rows_with(&self, word: &str) -> &[(u32, u32)] {
        self.places.get(word).map_or(&[], |&place| self.rows[place].as_slice())
    }

    fn add(&mut self, row: u32, text: &str, reader: &mut Reader) {
        let mut length = 0;
        for written in text.split(|c: char| !c.is_alphanumeric()).filter(|written| !written.is_empty()) {
            let Some(place) = self.place(written, reader) else { continue };
            length += 1;
            match self.rows[place].last_mut() {
                Some((last, times)) if *last == row => *times += 1,
                _ => self.rows[place].push((row, 1)),
            }
        }
        self.total += u64::from(length);
        if let Some(place) = self.lengths.get_mut(row as usize) {
            *place = length;
        }
    }

    fn place(&mut self, written: &str, reader: &mut Reader) -> Option<usize> {
        if let Some(place) = reader.known.get(written) {
            return *place;
        }
        let mut stream = reader.tokenizer.token_stream_for_doc(written);
        let place = stream.next().map(|token| {
            let next = self.places.len();
            *self.places.entry(token.text.as_str().into()).or_insert(next)
        });
        drop(stream);
        self.rows.resize_with(self.places.len(), Vec::new);
        reader.known.insert(written.into(), place);
        place
    }
}

fn vectors(batches: &[RecordBatch], column: &str) -> Vectors {
    let mut vectors = Vectors::default();
    for batch in batches {
        let ids = batch[ROW_ID].as_primitive::<UInt64Type>();
        let lists = batch[column].as_fixed_size_list();
        for row in (0..lists.len()).filter(|&row| lists.is_valid(row)) {
            vectors.offsets.push(ids.value(row) as u32);
            vectors.values.extend_from_slice(lists.value(row).as_primitive::<Float32Type>().values());
        }
    }
    vectors
}

/// The name of a row of a fragment.
pub fn row_id(fragment: &Fragment, offset: u32) -> u64 {
    fragment.id << OFFSET_BITS | u64::from(offset)
}
