//! Putting commits on disk: Lance writes its files without asking the system to sync them, so a power failure could take
//! rows, or leave a version whose files are empty, although the write had returned.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance_table::format::Fragment;
use lance_table::io::deletion::relative_deletion_file_path;

use crate::error::{Code, Error, Result};

/// Syncs the files in `root` that the version `new` of a dataset has and the version `old` had not.
pub async fn sync_changes(root: &Path, old: &Dataset, new: &Dataset) -> Result<()> {
    let mut files = changed_files(root, old, new);
    for index in new_indexes(old, new).await? {
        files.extend(files_in(&root.join("_indices").join(index))?);
    }
    in_background(move || sync_files(&files)).await
}

/// Syncs all files of a new dataset, and its place in its parent folder.
pub async fn sync_created(root: &Path) -> Result<()> {
    let mut files = vec![root.to_owned()];
    for folder in ["_versions", "_transactions"] {
        files.extend(files_in(&root.join(folder))?);
    }
    in_background(move || sync_files(&files)).await
}

fn changed_files(root: &Path, old: &Dataset, new: &Dataset) -> Vec<PathBuf> {
    let before: HashMap<u64, &Fragment> = old.fragments().iter().map(|f| (f.id, f)).collect();
    let mut files = Vec::new();
    for fragment in new.fragments().iter().filter(|f| before.get(&f.id) != Some(f)) {
        files.extend(fragment.files.iter().map(|file| root.join("data").join(&file.path)));
        if let Some(deletions) = &fragment.deletion_file {
            files.push(root.join(relative_deletion_file_path(fragment.id, deletions)));
        }
    }
    if let Some(transaction) = &new.manifest().transaction_file {
        files.push(root.join("_transactions").join(transaction));
    }
    if let Some(manifest) = new.manifest_location().path.filename() {
        files.push(root.join("_versions").join(manifest)); // last: it makes the others part of the table
    }
    files
}

async fn new_indexes(old: &Dataset, new: &Dataset) -> Result<Vec<String>> {
    let before: HashSet<_> = old.load_indices().await?.iter().map(|index| index.uuid).collect();
    let now = new.load_indices().await?;
    Ok(now.iter().filter(|index| !before.contains(&index.uuid)).map(|index| index.uuid.to_string()).collect())
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(err) => Err(err.into()),
    }
}

/// Syncs files in their order, and then the folders that list them.
fn sync_files(files: &[PathBuf]) -> Result<()> {
    let folders: HashSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    for path in files.iter().map(PathBuf::as_path).chain(folders) {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|err| Error::new(Code::Io, format!("sync {}: {err}", path.display())))?;
    }
    Ok(())
}

async fn in_background(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| Err(Error::new(Code::Internal, err.to_string())))
}
