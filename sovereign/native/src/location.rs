//! Where a database lies: a folder, or a prefix of a bucket in an object store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use lance::io::{ObjectStore, ObjectStoreParams};
use lance_io::object_store::StorageOptionsAccessor;
use lance_io::traits::Writer;
use object_store::path::Path as StorePath;
use url::Url;

use crate::buckets;
use crate::error::{Code, Error, Result};
use crate::registry::session;

/// The root of a database. A dataset is `NAME.lance` below it.
#[derive(Clone, Debug)]
pub enum Location {
    Folder(PathBuf),
    Bucket(Url),
}

impl Location {
    /// Reads a path, `file://`, or the URL of a bucket: `s3://`, `gs://` or `az://`.
    pub fn parse(uri: &str) -> Result<Self> {
        match uri.split_once("://") {
            None => Ok(Self::Folder(PathBuf::from(uri))),
            Some(("file", path)) => Ok(Self::Folder(PathBuf::from(path))),
            Some((scheme, _)) if buckets::SCHEMES.contains(&scheme) => {
                let url =
                    Url::parse(uri.trim_end_matches('/')).map_err(|err| Error::invalid(format!("{uri}: {err}")))?;
                if url.host_str().is_none_or(str::is_empty) {
                    return Err(Error::invalid(format!("{uri} names no bucket: give {scheme}://BUCKET/PREFIX")));
                }
                Ok(Self::Bucket(url))
            }
            Some((scheme, _)) => Err(Error::invalid(format!(
                "{scheme}:// is no kind of store: give a folder, or a URL that begins with {}",
                buckets::SCHEMES.map(|scheme| format!("{scheme}://")).join(", ")
            ))),
        }
    }

    /// The dataset of that name, whether it exists or not.
    pub fn dataset(&self, name: &str) -> Result<Self> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(legal) {
            return Err(Error::invalid(format!(
                "{name:?} is no table name: use letters, digits, '_', '-' and '.', not '.' first"
            )));
        }
        let file = format!("{name}.lance");
        match self {
            Self::Folder(dir) => Ok(Self::Folder(dir.join(file))),
            Self::Bucket(url) => {
                let mut url = url.clone();
                let mut segments =
                    url.path_segments_mut().map_err(|()| Error::invalid(format!("{self} has no path")))?;
                segments.pop_if_empty().push(&file);
                drop(segments);
                Ok(Self::Bucket(url))
            }
        }
    }

    /// The same place by the one name that all handles share. `NotFound` if it is a folder that does not exist.
    pub fn canonical(&self) -> Result<Self> {
        match self {
            Self::Folder(dir) => dir
                .canonicalize()
                .map(Self::Folder)
                .map_err(|_| Error::new(Code::NotFound, format!("there is no {}", dir.display()))),
            Self::Bucket(_) => Ok(self.clone()),
        }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(dir) => Some(dir),
            Self::Bucket(_) => None,
        }
    }

    pub fn uri(&self) -> Result<&str> {
        match self {
            Self::Folder(dir) => {
                dir.to_str().ok_or_else(|| Error::invalid(format!("the path {} is not UTF-8", dir.display())))
            }
            Self::Bucket(url) => Ok(url.as_str()),
        }
    }

    /// How Lance is to open this place: with the options that were given for its bucket.
    pub fn params(&self) -> ObjectStoreParams {
        let options = match self {
            Self::Folder(_) => None,
            Self::Bucket(url) => buckets::options(url),
        };
        ObjectStoreParams {
            storage_options_accessor: options.map(|o| Arc::new(StorageOptionsAccessor::with_static_options(o))),
            ..Default::default()
        }
    }

    /// The names of the tables below that have a version, sorted. A process that is killed while it makes a table leaves one
    /// without.
    pub async fn tables(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = match self {
            Self::Folder(dir) => {
                let entries = std::fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
                let whole = entries.into_iter().filter(|entry| has_version(&entry.path()));
                whole.filter_map(|entry| table_name(&entry.file_name().to_string_lossy())).collect()
            }
            Self::Bucket(url) => {
                let (store, root) = open(url.as_str(), &self.params()).await?;
                let mut names = Vec::new();
                for name in store.read_dir(root.clone()).await?.iter().filter_map(|entry| table_name(entry)) {
                    let versions = root.clone().join(format!("{name}.lance")).join("_versions");
                    if !store.read_dir(versions).await?.is_empty() {
                        names.push(name);
                    }
                }
                names
            }
        };
        names.sort();
        Ok(names)
    }

    /// Makes the place where tables are to lie, if it is a folder, and finds out whether a bucket keeps what a commit rests on.
    pub async fn prepare(&self) -> Result<()> {
        match self {
            Self::Folder(dir) => Ok(std::fs::create_dir_all(dir)?),
            Self::Bucket(url) => {
                let (store, root) = open(url.as_str(), &self.params()).await?;
                buckets::probe(url, store.inner.as_ref(), &root).await
            }
        }
    }

    /// How many bytes everything below takes, old versions included.
    pub async fn bytes(&self) -> Result<u64> {
        let (store, root) = open(self.uri()?, &self.params()).await?;
        let sizes = store.inner.list(Some(&root)).map_ok(|object| object.size);
        sizes
            .try_fold(0, |sum, size| std::future::ready(Ok(sum + size)))
            .await
            .map_err(|err| Error::new(Code::Io, err.to_string()))
    }

    /// Puts the tables of a folder in the place of those below. What is interrupted may be begun again.
    pub async fn replace(&self, from: &Path) -> Result<()> {
        for name in Self::Folder(from.to_owned()).tables().await? {
            let place = self.dataset(&name)?;
            place.remove().await?;
            let (store, root) = open(place.uri()?, &place.params()).await?;
            let dataset = from.join(format!("{name}.lance"));
            // A table is there once it has a version, so these come last.
            let (versions, parts): (Vec<_>, Vec<_>) =
                files_below(&dataset)?.into_iter().partition(|file| file.starts_with(dataset.join("_versions")));
            for file in parts.iter().chain(&versions) {
                let below = file.strip_prefix(&dataset).expect("it is below").components();
                let key = below.fold(root.clone(), |key, part| key.join(part.as_os_str().to_string_lossy().as_ref()));
                upload(file, store.as_ref(), &key).await?;
            }
        }
        Ok(())
    }

    /// Removes everything below.
    pub async fn remove(&self) -> Result<()> {
        match self {
            Self::Folder(dir) => Ok(std::fs::remove_dir_all(dir)?),
            Self::Bucket(url) => {
                let (store, root) = open(url.as_str(), &self.params()).await?;
                Ok(store.remove_dir_all(root).await?)
            }
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(dir) => dir.display().fmt(f),
            Self::Bucket(url) => url.fmt(f),
        }
    }
}

async fn open(uri: &str, params: &ObjectStoreParams) -> Result<(Arc<ObjectStore>, StorePath)> {
    Ok(ObjectStore::from_uri_and_params(session().store_registry(), uri, params).await?)
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files.extend(files_below(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    files.sort();
    Ok(files)
}

/// Copies a file to an object, a piece at a time.
async fn upload(file: &Path, store: &ObjectStore, key: &StorePath) -> Result<()> {
    let mut source = tokio::fs::File::open(file).await?;
    let mut target = store.create(key).await?;
    tokio::io::copy(&mut source, &mut target).await?;
    Writer::shutdown(target.as_mut()).await?;
    Ok(())
}

fn table_name(entry: &str) -> Option<String> {
    entry.strip_suffix(".lance").map(str::to_owned)
}

fn has_version(dataset: &Path) -> bool {
    let is_manifest = |path: PathBuf| path.extension().is_some_and(|extension| extension == "manifest");
    std::fs::read_dir(dataset.join("_versions"))
        .is_ok_and(|versions| versions.flatten().any(|entry| is_manifest(entry.path())))
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn a_dataset_lies_below_its_root() {
        let dataset = |root: &str| Location::parse(root).unwrap().dataset("traces").unwrap().to_string();
        assert_eq!(dataset("/data/store"), "/data/store/traces.lance");
        assert_eq!(dataset("file:///data/store"), "/data/store/traces.lance");
        assert_eq!(dataset("s3://bucket/memory/"), "s3://bucket/memory/traces.lance");
        assert_eq!(dataset("s3://bucket"), "s3://bucket/traces.lance");
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for uri in ["ftp://host/x", "s3://", "s3:///x"] {
            assert!(Location::parse(uri).is_err(), "{uri}");
        }
        assert!(Location::parse("/x").unwrap().dataset("../y").is_err());
    }
}
