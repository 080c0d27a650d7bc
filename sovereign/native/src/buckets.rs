//! Object stores: S3, Google Cloud Storage and Azure Blob Storage, straight over the crate `object_store`.
//!
//! Lance's own providers bring the AWS SDK and opendal along for what is not needed here. Credentials come from the usual
//! environment variables, files and instance roles, as `object_store` finds them, or from the options given for a store.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use lance::io::{ObjectStore, ObjectStoreParams, ObjectStoreRegistry};
use lance_io::object_store::{DEFAULT_CLOUD_IO_PARALLELISM, DEFAULT_DOWNLOAD_RETRY_COUNT, ObjectStoreProvider};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore as Bucket, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use url::Url;

use crate::cache::Cached;
use crate::error::{Code, Error, Result};

/// The schemes of URLs that name a bucket.
pub const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// How long one request may take, connecting included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request is repeated that a store answers with an error or not at all, unless an option says otherwise. Whoever called
/// then tries later.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_TIMEOUT_OPTION: &str = "retry_timeout_s";
const RETRIES_MAX: usize = 8;

/// So many writers create one object at once to find out whether exactly one of them may.
const PROBE_WRITERS: usize = 8;

/// The options given for a store, by its URL.
static OPTIONS: LazyLock<Mutex<HashMap<String, HashMap<String, String>>>> = LazyLock::new(Default::default);

/// The stores whose conditional writes were found to work.
static PROVEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Default::default);

/// Remembers options for the store at `root` and everything below it.
pub fn remember_options(root: &Url, options: HashMap<String, String>) {
    OPTIONS.lock().expect("no panic while locked").insert(root.to_string(), options);
}

/// The options of the store that `url` lies in.
pub fn options(url: &Url) -> Option<HashMap<String, String>> {
    let known = OPTIONS.lock().expect("no panic while locked");
    known.iter().find(|(root, _)| url.as_str().starts_with(root.as_str())).map(|(_, options)| options.clone())
}

/// A registry that knows the local file system and the buckets.
pub fn registry() -> Arc<ObjectStoreRegistry> {
    let registry = ObjectStoreRegistry::default();
    for scheme in SCHEMES {
        registry.insert(scheme, Arc::new(Provider));
    }
    Arc::new(registry)
}

#[derive(Debug)]
struct Provider;

#[async_trait]
impl ObjectStoreProvider for Provider {
    async fn new_store(&self, url: Url, params: &ObjectStoreParams) -> lance::Result<ObjectStore> {
        let nothing = HashMap::new();
        let options = params.storage_options().unwrap_or(&nothing);
        let bucket = connect(&url, options).map_err(|err| lance::Error::invalid_input(err.to_string()))?;
        let name = format!("{}://{}", url.scheme(), url.authority());
        Ok(ObjectStore::new(
            Arc::new(Cached::new(bucket, name)),
            url,
            params.block_size,
            params.object_store_wrapper.clone(),
            needs_equal_parts(options),
            true,
            DEFAULT_CLOUD_IO_PARALLELISM,
            DEFAULT_DOWNLOAD_RETRY_COUNT,
            params.storage_options(),
        ))
    }
}

/// Connects to the bucket of `url`. Options come before what the environment says.
fn connect(url: &Url, options: &HashMap<String, String>) -> object_store::Result<Arc<dyn Bucket>> {
    use_tls();
    let retry_timeout = options.get(RETRY_TIMEOUT_OPTION).and_then(|seconds| seconds.parse().ok());
    let retry_timeout = retry_timeout.map_or(RETRY_TIMEOUT, Duration::from_secs);
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout, ..Default::default() };
    let limits = [("timeout", REQUEST_TIMEOUT), ("connect_timeout", CONNECT_TIMEOUT)];
    let limits = limits.iter().map(|(key, limit)| (*key, format!("{} seconds", limit.as_secs())));
    let settings = limits.chain(options.iter().map(|(key, value)| (key.as_str(), value.clone())));
    macro_rules! build {
        ($builder:ty) => {{
            let mut builder = <$builder>::from_env().with_url(url.as_str()).with_retry(retry);
            for (key, value) in settings {
                if let Ok(key) = key.to_ascii_lowercase().parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok(Arc::new(builder.build()?))
        }};
    }
    match url.scheme() {
        "s3" => build!(AmazonS3Builder),
        "gs" => build!(GoogleCloudStorageBuilder),
        _ => build!(MicrosoftAzureBuilder),
    }
}

/// Cloudflare's R2 takes only parts of one size in an upload.
fn needs_equal_parts(options: &HashMap<String, String>) -> bool {
    let of_option =
        options.iter().find(|(key, _)| key.to_ascii_lowercase().ends_with("endpoint")).map(|(_, v)| v.clone());
    of_option
        .or_else(|| std::env::var("AWS_ENDPOINT_URL").ok())
        .or_else(|| std::env::var("AWS_ENDPOINT").ok())
        .is_some_and(|endpoint| endpoint.contains("r2.cloudflarestorage.com"))
}

/// The HTTP client leaves the choice of a TLS library to the program.
fn use_tls() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default(); // somebody else's choice serves as well
    });
}

/// Finds out whether a store lets exactly one of several writers create an object, and refuses to create it again. A commit
/// rests on that; some gateways ignore the condition, and two writers would overwrite each other there.
pub async fn probe(url: &Url, bucket: &dyn Bucket, root: &Path) -> Result<()> {
    if PROVEN.lock().expect("no panic while locked").contains(url.as_str()) {
        return Ok(());
    }
    let key = root.clone().join(format!("_assay_probe_{}", nonce()));
    let create = || bucket.put_opts(&key, "probe".into(), PutOptions { mode: PutMode::Create, ..Default::default() });
    let mut outcomes = join_all((0..PROBE_WRITERS).map(|_| create())).await;
    outcomes.push(create().await);
    let deleted = bucket.delete(&key).await;
    let mut created = 0;
    for outcome in outcomes {
        match outcome {
            Ok(_) => created += 1,
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
            Err(err) => return Err(Error::new(code_of(&err), format!("{url} cannot be written: {err}"))),
        }
    }
    if created > 1 {
        return Err(Error::invalid(format!(
            "{url} let {created} of {} writers create one object: it ignores If-None-Match, so commits would overwrite each \
             other; use a store, or a version of it, with conditional writes",
            PROBE_WRITERS + 1
        )));
    }
    deleted.map_err(|err| Error::new(Code::Io, format!("{url} lets nothing be deleted: {err}")))?;
    PROVEN.lock().expect("no panic while locked").insert(url.to_string());
    Ok(())
}

/// Waiting does not help where a store answers that there is no such bucket, or that somebody else may write to it.
fn code_of(err: &StoreError) -> Code {
    match err {
        StoreError::NotFound { .. } | StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Code::Invalid
        }
        _ => Code::Io,
    }
}

/// A number that no other probe has.
fn nonce() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}_{:x}", since.as_nanos(), std::process::id())
}
