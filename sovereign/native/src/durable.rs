//! Putting commits on disk: Lance writes its files without asking the system to sync them, so a power failure could take
//! rows, or leave a version whose files are empty, although the write had returned.
//!
//! Nor does it notice every failure to write: lance-io 14.0.2 drops the error of a local file's last flush
//! (`LocalWriter::poll_shutdown`), and with it what a full disk took off the file's end. So nothing is committed here whose
//! files were not looked at.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance::io::ObjectStore;
use lance_table::format::{Fragment, IndexMetadata, Manifest, Transaction};
use lance_table::io::commit::{
    CommitError, CommitHandler, ConditionalPutCommitHandler, ManifestLocation, ManifestNamingScheme, ManifestWriter,
};
use lance_table::io::deletion::{read_deletion_file, relative_deletion_file_path};
use lance_table::io::manifest::read_manifest;
use object_store::path::Path as StorePath;

use crate::error::{Code, Error, Result};
use crate::fence::admit;

/// Commits versions of one table as Lance does, but none of a writer whose time is over, and none before its files are whole and on
/// disk. Every commit passes here, whatever wrote the files; the error of one that may not pass is that of the write.
#[derive(Debug)]
pub struct Committer {
    /// Where the table lies if it is a folder. An object store answers a write only when it is whole and kept.
    folder: Option<PathBuf>,
    newest: Mutex<Version>,
}

/// What a version is made of, as far as it has files.
#[derive(Clone, Debug, Default)]
struct Version {
    fragments: Arc<Vec<Fragment>>,
    indexes: Vec<IndexMetadata>,
}

/// A file of a version, with its length where the version tells.
struct Part {
    path: PathBuf,
    bytes: Option<u64>,
}

impl Committer {
    /// For a table of which no version is known yet.
    pub fn new(folder: Option<&Path>) -> Arc<Self> {
        Arc::new(Self { folder: folder.map(Path::to_owned), newest: Mutex::default() })
    }

    /// Takes the files of a version for granted that was loaded. What is wrong with them, reads tell.
    pub async fn trust(&self, dataset: &Dataset) -> Result<()> {
        let indexes = dataset.load_indices().await?.to_vec();
        self.settled(Version { fragments: dataset.fragments().clone(), indexes });
        Ok(())
    }

    fn settled(&self, version: Version) {
        *self.newest.lock().expect("no panic while locked") = version;
    }

    /// Looks at the files that the version `new` has and the newest one had not, and syncs them.
    async fn settle(&self, new: &Version, base: &StorePath, store: &ObjectStore) -> Result<()> {
        let Some(root) = self.folder.clone() else { return Ok(()) };
        let old = self.newest.lock().expect("no panic while locked").clone();
        let fragments = new_fragments(&old, new);
        for fragment in &fragments {
            check_deletions(fragment, base, store).await?;
        }
        let mut parts: Vec<Part> = fragments.iter().flat_map(|fragment| fragment_parts(&root, fragment)).collect();
        for index in new_indexes(&old, new) {
            parts.extend(index_parts(&root, index)?);
        }
        in_background(move || {
            parts.iter().try_for_each(check_length)?;
            sync_files(&root, parts.into_iter().map(|part| part.path).collect())
        })
        .await
    }
}

#[async_trait]
impl CommitHandler for Committer {
    fn is_version_not_found_definitive(&self) -> bool {
        ConditionalPutCommitHandler.is_version_not_found_definitive()
    }

    fn propagate_commit_error_after_success(&self) -> bool {
        ConditionalPutCommitHandler.propagate_commit_error_after_success()
    }

    async fn commit(
        &self,
        manifest: &mut Manifest,
        indices: Option<Vec<IndexMetadata>>,
        base: &StorePath,
        store: &ObjectStore,
        writer: ManifestWriter,
        naming: ManifestNamingScheme,
        transaction: Option<Transaction>,
    ) -> std::result::Result<ManifestLocation, CommitError> {
        admit(manifest, transaction.as_ref(), base, store, naming).await?;
        let version = Version { fragments: manifest.fragments.clone(), indexes: indices.clone().unwrap_or_default() };
        self.settle(&version, base, store).await.map_err(|err| lance::Error::io(err.message))?;
        let committed =
            ConditionalPutCommitHandler.commit(manifest, indices, base, store, writer, naming, transaction).await;
        let location = match committed {
            Err(err) if self.folder.is_none() => already_committed(manifest, base, store, naming).await.ok_or(err)?,
            committed => committed?,
        };
        self.settled(version);
        Ok(location)
    }
}

/// Where a version is if this very transaction made it, although the store said that it could not: a request whose answer was
/// lost is sent again, and is then refused because of what the first one wrote.
async fn already_committed(
    manifest: &Manifest,
    base: &StorePath,
    store: &ObjectStore,
    naming_scheme: ManifestNamingScheme,
) -> Option<ManifestLocation> {
    let path = naming_scheme.manifest_path(base, manifest.version);
    let found = read_manifest(store, &path, None).await.ok()?;
    let ours = manifest.transaction_file.is_some() && found.transaction_file == manifest.transaction_file;
    ours.then_some(ManifestLocation {
        version: manifest.version,
        path,
        size: None,
        naming_scheme,
        e_tag: None,
        identity: None,
    })
}

/// Syncs what makes a version that was committed the newest one.
pub async fn sync_version(root: &Path, version: &Dataset) -> Result<()> {
    let mut files = Vec::new();
    if let Some(transaction) = &version.manifest().transaction_file {
        files.push(root.join("_transactions").join(transaction));
    }
    if let Some(manifest) = version.manifest_location().path.filename() {
        files.push(root.join("_versions").join(manifest));
    }
    let root = root.to_owned();
    in_background(move || sync_files(&root, files)).await
}

/// Syncs all files of a new dataset, and its place in its parent folder.
pub async fn sync_created(root: &Path) -> Result<()> {
    let mut files = vec![root.to_owned()];
    for folder in ["_versions", "_transactions"] {
        files.extend(files_in(&root.join(folder))?);
    }
    let parent = root.parent().unwrap_or(root).to_owned();
    in_background(move || sync_files(&parent, files)).await
}

fn new_fragments<'a>(old: &Version, new: &'a Version) -> Vec<&'a Fragment> {
    let before: HashMap<u64, &Fragment> = old.fragments.iter().map(|f| (f.id, f)).collect();
    new.fragments.iter().filter(|f| before.get(&f.id) != Some(f)).collect()
}

fn new_indexes<'a>(old: &Version, new: &'a Version) -> impl Iterator<Item = &'a IndexMetadata> {
    let before: HashSet<_> = old.indexes.iter().map(|index| index.uuid).collect();
    new.indexes.iter().filter(move |index| !before.contains(&index.uuid))
}

fn fragment_parts(root: &Path, fragment: &Fragment) -> Vec<Part> {
    let data = fragment.files.iter().map(|file| Part {
        path: root.join("data").join(&file.path),
        bytes: file.file_size_bytes.get().map(u64::from),
    });
    let deletions = fragment
        .deletion_file
        .iter()
        .map(|deletions| Part { path: root.join(relative_deletion_file_path(fragment.id, deletions)), bytes: None });
    data.chain(deletions).collect()
}

fn index_parts(root: &Path, index: &IndexMetadata) -> Result<Vec<Part>> {
    let folder = root.join("_indices").join(index.uuid.to_string());
    let bytes: HashMap<_, _> =
        index.files.iter().flatten().map(|file| (folder.join(&file.path), file.size_bytes)).collect();
    let mut paths: HashSet<PathBuf> = bytes.keys().cloned().collect();
    paths.extend(files_in(&folder)?);
    Ok(paths.into_iter().map(|path| Part { bytes: bytes.get(&path).copied(), path }).collect())
}

/// No version tells the length of such a file, but it is small enough to read it.
async fn check_deletions(fragment: &Fragment, base: &StorePath, store: &ObjectStore) -> Result<()> {
    let Some(deletions) = &fragment.deletion_file else { return Ok(()) };
    let found = read_deletion_file(fragment.id, deletions, base, store).await.map(|rows| rows.len());
    match (found, deletions.num_deleted_rows) {
        (Ok(found), Some(written)) if found != written => Err(damaged(&format!(
            "{} tells of {found} deleted rows instead of {written}",
            relative_deletion_file_path(fragment.id, deletions)
        ))),
        (Ok(_), _) => Ok(()),
        (Err(err), _) => Err(damaged(&err.to_string())),
    }
}

fn check_length(part: &Part) -> Result<()> {
    let found = part.path.metadata().map_err(|err| damaged(&format!("{}: {err}", part.path.display())))?.len();
    match part.bytes {
        Some(written) if found != written => {
            Err(damaged(&format!("{} has {found} bytes instead of {written}", part.path.display())))
        }
        _ => Ok(()),
    }
}

fn damaged(what: &str) -> Error {
    Error::new(Code::Io, format!("{what}: the disk is full or failing; nothing was committed, write again"))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(err) => Err(err.into()),
    }
}

/// Syncs files in their order, and then the folders that list them and each other, down to `root`.
fn sync_files(root: &Path, files: Vec<PathBuf>) -> Result<()> {
    let above = |file: &PathBuf| {
        file.ancestors().skip(1).take_while(|f| f.starts_with(root)).map(Path::to_owned).collect::<Vec<_>>()
    };
    let folders: HashSet<PathBuf> = files.iter().flat_map(above).collect();
    for path in files.iter().chain(&folders) {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|err| Error::new(Code::Io, format!("sync {}: {err}", path.display())))?;
    }
    Ok(())
}

async fn in_background(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| Err(Error::new(Code::Internal, err.to_string())))
}
