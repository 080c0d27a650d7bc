//! The fence: who may write. A duty, such as a partition, has one owner at a time. Whoever takes it over claims it under a higher
//! epoch, and what the owner before still writes is refused, however long it slept in between.
//!
//! ```text
//!   config of the table      assay.epoch.7 = 12
//!   properties of a commit   assay.fence   = {"7": 12}    written by the owner of 7 in epoch 12
//!                            assay.claim   = {"7": 13}    the next owner takes over
//! ```
//!
//! Both are compared where the next manifest is put. It is derived from its predecessor, whose config it carries on, and is put only
//! if nobody else made that version meanwhile, so nothing comes between the comparison and the commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lance::Dataset;
use lance::dataset::transaction::{Operation, UpdateMap};
use lance::io::ObjectStore;
use lance_table::format::{Fragment, Manifest, Transaction};
use lance_table::io::commit::ManifestNamingScheme;
use lance_table::io::deletion::deletion_file_path;
use lance_table::io::manifest::read_manifest;
use object_store::path::Path;

use crate::error::{Error, Result};

/// The keys of a table's config that hold epochs begin with this; the duty follows.
const EPOCH: &str = "assay.epoch.";

/// The properties of a transaction that name the epochs it is made under, and those that it begins.
const FENCE: &str = "assay.fence";
const CLAIM: &str = "assay.claim";

/// The properties of a transaction.
pub type Properties = Arc<HashMap<String, String>>;

/// Epochs by duty.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Epochs(BTreeMap<String, u64>);

impl Epochs {
    /// Reads JSON, an object of numbers. No text means no epochs: who writes without a fence is never refused.
    pub fn parse(json: &str) -> Result<Self> {
        match json {
            "" | "null" => Ok(Self::default()),
            json => Ok(serde_json::from_str(json)?),
        }
    }

    /// The epochs that a version of a table is in.
    pub fn of(manifest: &Manifest) -> Result<Self> {
        let epochs = manifest.config.iter().filter_map(|(key, value)| Some((key.strip_prefix(EPOCH)?, value)));
        let parsed = epochs.map(|(duty, value)| match value.parse() {
            Ok(epoch) => Ok((duty.to_owned(), epoch)),
            Err(_) => {
                Err(Error::invalid(format!("the table's config says that {EPOCH}{duty} is {value:?}, no number")))
            }
        });
        Ok(Self(parsed.collect::<Result<_>>()?))
    }

    /// The properties of a commit made under these epochs.
    pub fn fence(&self) -> Result<Option<Properties>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.property(FENCE).map(Some)
    }

    /// What sets these epochs, and the properties of the commit that does.
    pub fn claim(&self) -> Result<(Operation, Properties)> {
        let entries = self.0.iter().map(|(duty, epoch)| (format!("{EPOCH}{duty}"), epoch.to_string()).into());
        let config = UpdateMap { update_entries: entries.collect(), replace: false };
        let operation = Operation::UpdateConfig {
            config_updates: Some(config),
            table_metadata_updates: None,
            schema_metadata_updates: None,
            field_metadata_updates: HashMap::new(),
        };
        Ok((operation, self.property(CLAIM)?))
    }

    fn property(&self, key: &str) -> Result<Properties> {
        Ok(Arc::new(HashMap::from([(key.to_owned(), serde_json::to_string(self)?)])))
    }

    fn named_by(transaction: &Transaction, key: &str) -> Result<Self> {
        Self::parse(transaction.inner.transaction_properties.get(key).map_or("", String::as_str))
    }
}

/// Refuses a commit that was made under epochs which are over, or that would begin one which is not the newest. `manifest` is what
/// is to be put next.
pub async fn admit(
    manifest: &Manifest,
    transaction: Option<&Transaction>,
    base: &Path,
    store: &ObjectStore,
    naming: ManifestNamingScheme,
) -> lance::Result<()> {
    let current = Epochs::of(manifest).map_err(unreadable)?;
    let Some(transaction) = transaction else {
        return match current.0.is_empty() {
            true => Ok(()),
            false => Err(lance::Error::not_supported("the commit is too large to tell under which epochs it was made")),
        };
    };
    for (duty, epoch) in Epochs::named_by(transaction, FENCE).map_err(unreadable)?.0 {
        match current.0.get(&duty) {
            Some(&now) if now == epoch => {}
            now => return Err(refused(&duty, epoch, now)),
        }
    }
    let claimed = Epochs::named_by(transaction, CLAIM).map_err(unreadable)?;
    if claimed.0.is_empty() {
        return Ok(());
    }
    let predecessor = read_manifest(store, &naming.manifest_path(base, manifest.version - 1), None).await?;
    let before = Epochs::of(&predecessor).map_err(unreadable)?;
    for (duty, epoch) in claimed.0 {
        if let Some(&now) = before.0.get(&duty).filter(|&&now| now >= epoch) {
            return Err(refused(&duty, epoch, Some(&now)));
        }
    }
    Ok(())
}

fn unreadable(err: Error) -> lance::Error {
    lance::Error::invalid_input(err.message)
}

fn refused(duty: &str, epoch: u64, now: Option<&u64>) -> lance::Error {
    let now = now.map_or("has never been claimed".to_owned(), |now| format!("is in epoch {now}"));
    lance::Error::fenced_by_peer(format!("the duty {duty} {now}; what was to be written belongs to epoch {epoch}"))
}

/// Removes the files of an operation that was refused. What cannot be removed is no part of any version, and goes with the old
/// versions.
pub async fn discard(dataset: &Dataset, operation: &Operation) {
    let before: HashMap<u64, &Fragment> = dataset.fragments().iter().map(|fragment| (fragment.id, fragment)).collect();
    let (new, changed): (&[Fragment], &[Fragment]) = match operation {
        Operation::Append { fragments } => (fragments, &[]),
        Operation::Update { new_fragments, updated_fragments, .. } => (new_fragments, updated_fragments),
        Operation::Delete { updated_fragments, .. } => (&[], updated_fragments),
        _ => (&[], &[]),
    };
    let base = dataset.branch_location().path;
    let data =
        new.iter().flat_map(|fragment| &fragment.files).map(|file| base.clone().join("data").join(file.path.as_str()));
    let deletions = changed.iter().filter_map(|fragment| {
        let file = fragment.deletion_file.as_ref()?;
        let known = before.get(&fragment.id).is_some_and(|before| before.deletion_file.as_ref() == Some(file));
        (!known).then(|| deletion_file_path(&base, fragment.id, file))
    });
    let Ok(store) = dataset.object_store(None).await else { return };
    if let Operation::CreateIndex { new_indices, .. } = operation {
        for index in new_indices {
            let _ = store.remove_dir_all(base.clone().join("_indices").join(index.uuid.to_string())).await;
        }
    }
    for path in data.chain(deletions) {
        let _ = store.delete(&path).await;
    }
}
