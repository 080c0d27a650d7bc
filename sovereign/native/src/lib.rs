//! The native half of the sovereign store: LanceDB tables behind a small C interface.
//!
//! ```text
//!   lancedb-go (Go) ──► lancedb_go.rs ──┐
//!                                       ├──► registry ──► dataset ──► lance ──► NAME.lance/
//!   sovereign  (Go) ──► table.rs ───────┘        one shared table per place
//! ```
//!
//! A LanceDB database is a folder of `NAME.lance` datasets, so the `lance` crate is all that it takes. Two sets of
//! C functions stand on it: those that the Go code of lancedb-go calls (`lancedb.h`) and those it lacks
//! (`assay_native.h`). Both find their tables in one registry, so every handle sees the newest version.

mod buckets;
mod cache;
mod dataset;
mod durable;
mod error;
mod export;
mod fence;
mod ffi;
mod import;
mod index;
mod lancedb_go;
mod location;
mod maintain;
mod query;
mod ranked;
mod registry;
mod table;
mod tail;
mod write;
