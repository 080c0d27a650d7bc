//! A cache on the local disk of what never changes in an object store: files of rows, of deleted rows and of indexes, whose names no
//! other file ever has. What tells which version is the newest is always asked for.
//!
//! ```text
//!   read a range ──► its blocks are here ──────────────────────────────► answer
//!                └─► one request for those that are not ──► keep them ──► answer
//! ```
//!
//! A block is a file, named by its object, its number there and the object's size, with a digest at its end. It is written under another
//! name first, and its digest is compared when it is first read after a start; so whatever a crash leaves of it, no other bytes are
//! answered than those of the store. Where the disk fails, the store is read as without a cache.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display, Formatter};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use async_trait::async_trait;
use chrono::DateTime;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::Result;

/// Bytes of a block: what Lance reads from an object store at least.
const BLOCK: u64 = 64 << 10;

/// Bytes of the digest at the end of a block's file.
const DIGEST: usize = 8;

/// An object that is read as a whole is kept if it is no larger.
const WHOLE_MAX: u64 = 1 << 20;

/// Answers whose blocks are being written at the same time. What comes while there are so many is not kept.
const KEEPING_MAX: usize = 16;

/// The folders of a table whose files never change.
const IMMUTABLE: [&str; 3] = ["data", "_indices", "_deletions"];

/// The cache of the process, if it has one.
static CACHE: RwLock<Option<Arc<Cache>>> = RwLock::new(None);

/// Keeps up to `limit` bytes in a folder, which nobody else uses. No bytes: without a cache from now on.
pub fn keep_in(folder: &FilePath, limit: u64) -> Result<()> {
    let mut cache = CACHE.write().expect("no panic while locked");
    if limit == 0 {
        *cache = None;
    } else if cache.as_ref().is_none_or(|cache| cache.folder != folder || cache.limit != limit) {
        *cache = Some(Arc::new(Cache::open(folder, limit)?));
    }
    Ok(())
}

/// Removes all that is kept, and what is being read now is not kept.
pub fn clear() {
    if let Some(cache) = current() {
        cache.clear();
    }
}

fn current() -> Option<Arc<Cache>> {
    CACHE.read().expect("no panic while locked").clone()
}

/// A block of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    object: u128,
    number: u64,
}

/// What is known of a block that is kept.
#[derive(Clone, Copy)]
struct Block {
    /// Bytes of the whole object.
    size: u64,
    /// When it was used last, by the clock of `State`.
    used: u64,
    /// Whether its digest was found right, or it was written by this process.
    sound: bool,
}

struct Cache {
    folder: PathBuf,
    limit: u64,
    keeping: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blocks: BTreeMap<Key, Block>,
    /// The blocks by when they were used last.
    order: BTreeMap<u64, Key>,
    clock: u64,
    /// Of all files.
    bytes: u64,
    /// How often all was removed.
    cleared: u64,
    /// How many files were begun.
    begun: u64,
}

impl Key {
    /// The bytes of the block in an object of that size.
    fn bytes(&self, size: u64) -> usize {
        size.saturating_sub(self.number * BLOCK).min(BLOCK) as usize
    }

    fn file(&self, size: u64) -> String {
        format!("{:032x}-{:x}-{size:x}", self.object, self.number)
    }

    /// The block, and its object's size, of a file's name.
    fn of_file(name: &str) -> Option<(Self, u64)> {
        let mut parts = name.split('-');
        let object = u128::from_str_radix(parts.next()?, 16).ok()?;
        let number = u64::from_str_radix(parts.next()?, 16).ok()?;
        let size = u64::from_str_radix(parts.next()?, 16).ok()?;
        let key = Self { object, number };
        (parts.next().is_none() && key.file(size) == name).then_some((key, size))
    }
}

impl State {
    fn insert(&mut self, key: Key, size: u64, sound: bool) {
        self.clock += 1;
        self.bytes += (key.bytes(size) + DIGEST) as u64;
        self.blocks.insert(key, Block { size, used: self.clock, sound });
        self.order.insert(self.clock, key);
    }

    /// Finds a block, which is then the one that was used last.
    fn touch(&mut self, key: Key) -> Option<Block> {
        let block = self.blocks.get_mut(&key)?;
        self.clock += 1;
        self.order.remove(&block.used);
        block.used = self.clock;
        self.order.insert(self.clock, key);
        Some(*block)
    }

    fn remove(&mut self, key: Key, folder: &FilePath) {
        if let Some(block) = self.blocks.remove(&key) {
            self.order.remove(&block.used);
            self.bytes -= (key.bytes(block.size) + DIGEST) as u64;
            let _ = std::fs::remove_file(folder.join(key.file(block.size))); // else it is found again, or replaced
        }
    }

    /// Removes what was not used for the longest time until there is room.
    fn make_room(&mut self, bytes: u64, limit: u64, folder: &FilePath) {
        while self.bytes + bytes > limit {
            let Some((_, &oldest)) = self.order.first_key_value() else { return };
            self.remove(oldest, folder);
        }
    }
}

impl Cache {
    /// Takes up what the last run left, and removes what is no whole block.
    fn open(folder: &FilePath, limit: u64) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let (entry, path) = entry.map(|entry| (entry.metadata(), entry.path()))?;
            let (Ok(about), Some(name)) = (entry, path.file_name()) else { continue };
            match Key::of_file(&name.to_string_lossy()) {
                Some((key, size)) if about.len() == (key.bytes(size) + DIGEST) as u64 => {
                    found.push((about.modified()?, key, size))
                }
                _ => std::fs::remove_file(&path)?,
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        let mut state = State::default();
        for (_, key, size) in found {
            state.insert(key, size, false);
        }
        state.make_room(0, limit, folder);
        Ok(Self {
            folder: folder.to_owned(),
            limit,
            keeping: Arc::new(Semaphore::new(KEEPING_MAX)),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while locked")
    }

    fn clear(&self) {
        let mut state = self.state();
        state.cleared += 1;
        for key in state.blocks.keys().copied().collect::<Vec<_>>() {
            state.remove(key, &self.folder);
        }
    }

    /// The size of an object, where a block of it is kept.
    fn size(&self, object: u128) -> Option<u64> {
        let all = Key { object, number: 0 }..=Key { object, number: u64::MAX };
        self.state().blocks.range(all).next().map(|(_, block)| block.size)
    }

    /// The parts of a range in each of its blocks, `None` for a block that is not kept.
    fn read(&self, object: u128, range: &Range<u64>) -> Vec<Option<Vec<u8>>> {
        let parts = blocks(range).map(|number| {
            let begin = number * BLOCK;
            let part = range.start.max(begin) - begin..range.end.min(begin + BLOCK) - begin;
            self.read_block(Key { object, number }, part.start as usize..part.end as usize)
        });
        parts.collect()
    }

    fn read_block(&self, key: Key, part: Range<usize>) -> Option<Vec<u8>> {
        let block = self.state().touch(key)?;
        let read = File::open(self.folder.join(key.file(block.size))).and_then(|file| match block.sound {
            true => {
                let mut bytes = vec![0; part.len()];
                file.read_exact_at(&mut bytes, part.start as u64).map(|()| Some(bytes))
            }
            false => {
                let mut bytes = vec![0; key.bytes(block.size) + DIGEST];
                file.read_exact_at(&mut bytes, 0)?;
                let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
                Ok((digest_of(content) == digest).then(|| content[part].to_vec()))
            }
        });
        let mut state = self.state();
        match read {
            Ok(Some(bytes)) => {
                if let Some(block) = state.blocks.get_mut(&key) {
                    block.sound = true;
                }
                Some(bytes)
            }
            _ => {
                state.remove(key, &self.folder);
                None
            }
        }
    }

    /// Keeps the whole blocks of what was read from `begin`, where a block begins, unless all was removed since.
    fn keep(&self, object: u128, size: u64, begin: u64, bytes: &[u8], cleared: u64) {
        for (i, content) in bytes.chunks(BLOCK as usize).enumerate() {
            let key = Key { object, number: begin / BLOCK + i as u64 };
            let room = (content.len() + DIGEST) as u64;
            let begun = {
                let mut state = self.state();
                if content.len() != key.bytes(size) || room > self.limit || state.blocks.contains_key(&key) {
                    continue;
                }
                state.begun += 1;
                state.begun
            };
            let unfinished = self.folder.join(format!("unfinished.{begun}"));
            let written = std::fs::write(&unfinished, [content, &digest_of(content)].concat()).is_ok();
            let mut state = self.state();
            if written && state.cleared == cleared && !state.blocks.contains_key(&key) {
                state.make_room(room, self.limit, &self.folder);
                if std::fs::rename(&unfinished, self.folder.join(key.file(size))).is_ok() {
                    state.insert(key, size, true);
                    continue;
                }
            }
            let _ = std::fs::remove_file(&unfinished); // what is not kept is read again
        }
    }
}

fn digest_of(content: &[u8]) -> [u8; DIGEST] {
    *blake3::hash(content).as_bytes().first_chunk().expect("a digest is longer")
}

/// The numbers of the blocks that a range, which is not empty, touches.
fn blocks(range: &Range<u64>) -> Range<u64> {
    range.start / BLOCK..(range.end - 1) / BLOCK + 1
}

/// An object store whose immutable files are read through the cache of the process.
pub struct Cached {
    bucket: Arc<dyn ObjectStore>,
    /// What tells its objects from those of another bucket.
    name: String,
}

impl Cached {
    pub fn new(bucket: Arc<dyn ObjectStore>, name: String) -> Self {
        Self { bucket, name }
    }

    fn object(&self, location: &Path) -> u128 {
        let digest = blake3::hash(format!("{}/{location}", self.name).as_bytes());
        u128::from_be_bytes(*digest.as_bytes().first_chunk().expect("a digest is longer"))
    }

    async fn get_through(&self, cache: Arc<Cache>, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let object = self.object(location);
        let size = cache.size(object);
        let range = match (&options.range, size) {
            (_, Some(size)) if options.head => return Ok(answer(location, size, 0..0, Vec::new())),
            (_, None) if options.head => return self.bucket.get_opts(location, options).await,
            (None, None) => return self.get_whole(cache, object, location, options).await,
            (None, Some(size)) => 0..size,
            (Some(GetRange::Bounded(range)), size) => range.start..range.end.min(size.unwrap_or(u64::MAX)),
            _ => return self.bucket.get_opts(location, options).await,
        };
        if range.is_empty() {
            return self.bucket.get_opts(location, options).await;
        }
        let mut parts = Vec::new();
        if size.is_some() {
            let (cache, range) = (cache.clone(), range.clone());
            parts = spawn_blocking(move || cache.read(object, &range)).await.unwrap_or_default();
        }
        let numbers = blocks(&range);
        parts.resize((numbers.end - numbers.start) as usize, None);
        let Some(first) = parts.iter().position(Option::is_none) else {
            let content: Vec<Vec<u8>> = parts.into_iter().flatten().collect();
            return Ok(answer(location, size.unwrap_or(range.end), range, content.concat()));
        };
        let last = parts.iter().rposition(Option::is_none).unwrap_or(first);
        let begin = (numbers.start + first as u64) * BLOCK;
        let end = (numbers.start + last as u64 + 1) * BLOCK;
        let lacking = GetRange::Bounded(begin..end.min(size.unwrap_or(u64::MAX)));
        let cleared = cache.state().cleared;
        let got = self.bucket.get_opts(location, GetOptions { range: Some(lacking), ..options }).await?;
        let size = got.meta.size;
        let bytes = got.bytes().await?;
        let range = range.start..range.end.min(size);
        let fetched = (range.start.max(begin) - begin) as usize..(range.end.min(end) - begin) as usize;
        let fetched = bytes.get(fetched).ok_or_else(|| StoreError::Generic {
            store: "cache",
            source: format!("{location} was answered with {} bytes from {begin}", bytes.len()).into(),
        })?;
        let before = parts[..first].iter().flatten().map(Vec::as_slice);
        let after = parts[last + 1..].iter().flatten().map(Vec::as_slice);
        let content: Vec<&[u8]> = before.chain([fetched]).chain(after).collect();
        let answered = answer(location, size, range, content.concat());
        keep_later(cache, object, size, begin, bytes, cleared);
        Ok(answered)
    }

    /// Reads an object of a size that is not known.
    async fn get_whole(
        &self,
        cache: Arc<Cache>,
        object: u128,
        location: &Path,
        options: GetOptions,
    ) -> StoreResult<GetResult> {
        let cleared = cache.state().cleared;
        let got = self.bucket.get_opts(location, options).await?;
        let size = got.meta.size;
        if size > WHOLE_MAX {
            return Ok(got);
        }
        let bytes = got.bytes().await?;
        let content = bytes.to_vec();
        keep_later(cache, object, size, 0, bytes, cleared);
        Ok(answer(location, size, 0..size, content))
    }
}

/// Keeps what was read without having anybody wait for it.
fn keep_later(
    cache: Arc<Cache>,
    object: u128,
    size: u64,
    begin: u64,
    bytes: impl AsRef<[u8]> + Send + 'static,
    cleared: u64,
) {
    let Ok(permit) = cache.keeping.clone().try_acquire_owned() else { return };
    spawn_blocking(move || {
        cache.keep(object, size, begin, bytes.as_ref(), cleared);
        drop(permit);
    });
}

/// What the store would answer. Nobody asks when an immutable file was written.
fn answer(location: &Path, size: u64, range: Range<u64>, content: Vec<u8>) -> GetResult {
    let last_modified = DateTime::UNIX_EPOCH;
    GetResult {
        payload: GetResultPayload::Stream(stream::once(async { Ok(content.into()) }.boxed()).boxed()),
        meta: ObjectMeta { location: location.clone(), last_modified, size, e_tag: None, version: None },
        range,
        attributes: Default::default(),
        extensions: Default::default(),
    }
}

/// Whether a file is never written again, which those in some folders of a table are not.
fn is_immutable(location: &Path) -> bool {
    let mut parts = location.parts().skip_while(|part| !part.as_ref().ends_with(".lance")).skip(1);
    parts.next().is_some_and(|folder| IMMUTABLE.contains(&folder.as_ref()))
}

fn is_plain(options: &GetOptions) -> bool {
    options.if_match.is_none()
        && options.if_none_match.is_none()
        && options.if_modified_since.is_none()
        && options.if_unmodified_since.is_none()
        && options.version.is_none()
}

impl Debug for Cached {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cached({:?})", self.bucket)
    }
}

impl Display for Cached {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(&self.bucket, f)
    }
}

#[async_trait]
impl ObjectStore for Cached {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        match current() {
            Some(cache) if is_immutable(location) && is_plain(&options) => {
                self.get_through(cache, location, options).await
            }
            _ => self.bucket.get_opts(location, options).await,
        }
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        self.bucket.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.bucket.put_multipart_opts(location, opts).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.bucket.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.bucket.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.bucket.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.bucket.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.bucket.copy_opts(from, to, options).await
    }
}
