//! Prints the path of the `protoc` that the crate `protoc-bin-vendored` carries, so that building the lance
//! crates needs no system package.

fn main() {
    match protoc_bin_vendored::protoc_bin_path() {
        Ok(path) => println!("{}", path.display()),
        Err(err) => {
            eprintln!("no protoc for this platform: {err}; install one and set PROTOC to its path");
            std::process::exit(1);
        }
    }
}
