// placeholder
pub use lance::Dataset;
