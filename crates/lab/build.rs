//! Compiles the Pub/Sub API's contract: the server's half for the org, the client's half for its tests.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    println!("cargo::rerun-if-changed={folder}/pubsub_api.proto");
    let files = protox::compile(["pubsub_api.proto"], [folder])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
