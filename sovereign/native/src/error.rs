//! Errors as the C interface tells them: a code to act on and a message to read.

use arrow_schema::ArrowError;
use lance_core::error::CommitStatusUnknownError;

/// What went wrong, as far as a caller can act on it. The numbers are those of `assay_code` in `assay_native.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Invalid = 1,
    NotFound = 2,
    Exists = 3,
    Schema = 4,
    Conflict = 5,
    Io = 6,
    Internal = 7,
    Fenced = 8,
}

#[derive(Debug)]
pub struct Error {
    pub code: Code,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }
}

impl From<lance::Error> for Error {
    fn from(err: lance::Error) -> Self {
        Self::new(code_of(&err), without_source_locations(&err.to_string()))
    }
}

impl From<ArrowError> for Error {
    fn from(err: ArrowError) -> Self {
        match err {
            ArrowError::SchemaError(message) => Self::new(Code::Schema, message),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(err: std::io::Error) -> Self {
        Self::new(Code::Io, err.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(err: serde_json::Error) -> Self {
        Self::invalid(err.to_string())
    }
}

fn code_of(err: &lance::Error) -> Code {
    use lance::Error as E;
    match err {
        E::InvalidInput { .. }
        | E::NotSupported { .. }
        | E::Unprocessable { .. }
        | E::FieldNotFound { .. }
        | E::InvalidTableLocation { .. }
        | E::Index { .. }
        | E::IndexNotFound { .. }
        | E::Arrow { .. } => Code::Invalid,
        E::DatasetNotFound { .. } => Code::NotFound,
        E::DatasetAlreadyExists { .. } => Code::Exists,
        E::SchemaMismatch { .. } | E::Schema { .. } => Code::Schema,
        E::CommitConflict { .. }
        | E::RetryableCommitConflict { .. }
        | E::IncompatibleTransaction { .. }
        | E::TooMuchWriteContention { .. } => Code::Conflict,
        // NotFound is a file of a table that is gone, for example because its version was pruned.
        E::IO { .. } | E::NotFound { .. } | E::CorruptFile { .. } | E::DiskCapExceeded { .. } | E::Timeout { .. } => {
            Code::Io
        }
        // The answer of an object store is missing.
        E::Wrapped { error, .. } if error.is::<CommitStatusUnknownError>() => Code::Io,
        E::Fenced { .. } => Code::Fenced,
        E::Shared { source } => code_of(source),
        _ => Code::Internal,
    }
}

/// Lance ends its messages with places in its source code (`, /home/…/scanner.rs:12:3`); they tell a user nothing.
fn without_source_locations(message: &str) -> String {
    message.split(", ").filter(|part| !is_source_location(part)).collect::<Vec<_>>().join(", ")
}

fn is_source_location(part: &str) -> bool {
    let part = part.strip_prefix("location: ").unwrap_or(part);
    match part.split_once(".rs:") {
        Some((path, rest)) => {
            !path.contains(' ') && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b':')
        }
        None => false,
    }
}
