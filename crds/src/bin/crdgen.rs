//! Prints the custom resource definition of `CustomerMasterKey`, as committed in
//! `crds/customermasterkey.yaml`.

use std::error::Error;
use std::io::Write as _;

fn main() -> Result<(), Box<dyn Error>> {
    std::io::stdout()
        .lock()
        .write_all(sealward_crds::generate()?.as_bytes())?;
    Ok(())
}
