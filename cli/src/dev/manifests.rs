//! The CMK YAML files of local mode, read again whenever they change.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sealward_crds::manifest::{self, ManifestError};
use sealward_operator::local::Manifest;

/// Why the YAML cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a file says is not valid; the message names file, line and field.
    #[error(transparent)]
    Invalid(#[from] ManifestError),
}

/// The files and what they said when they were last read.
#[derive(Debug)]
pub(crate) struct Manifests {
    paths: Vec<PathBuf>,
    /// By content, not by time of modification: a file written twice within one tick of the clock differs too.
    contents: Vec<String>,
}

impl Manifests {
    /// Nothing is read yet.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            contents: Vec::new(),
        }
    }

    /// What the files say, if it is something else than last time. What was refused is not looked at again until it changes.
    pub(crate) fn changed(&mut self) -> Result<Option<Vec<Manifest>>, ManifestsError> {
        let contents: Vec<String> = self
            .paths
            .iter()
            .map(|path| read(path))
            .collect::<Result<_, _>>()?;
        if contents == self.contents {
            return Ok(None);
        }
        self.contents = contents;
        self.parse().map(Some)
    }

    fn parse(&self) -> Result<Vec<Manifest>, ManifestsError> {
        let mut manifests = Vec::new();
        for (path, content) in self.paths.iter().zip(&self.contents) {
            let source = path.display().to_string();
            for object in manifest::parse(content, &source)? {
                manifests.push(Manifest {
                    source: source.clone(),
                    object,
                });
            }
        }
        Ok(manifests)
    }
}

/// Reads one byte more than a manifest may have: that there are too many is for the parser to say.
fn read(path: &Path) -> Result<String, ManifestsError> {
    let mut content = String::new();
    File::open(path)
        .and_then(|file| {
            file.take(manifest::MAX_BYTES as u64 + 1)
                .read_to_string(&mut content)
        })
        .map_err(|source| ManifestsError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const KEY: &str = "apiVersion: sealward.dev/v1alpha1\nkind: CustomerMasterKey\nmetadata:\n  name: a\nspec: {}\n";

    #[test]
    fn says_what_is_new_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, KEY).unwrap();
        let mut manifests = Manifests::new(vec![path.clone()]);
        assert_eq!(manifests.changed().unwrap().unwrap().len(), 1);
        assert!(manifests.changed().unwrap().is_none());
        fs::write(&path, KEY.replace("spec: {}", "spec: {wrong: 1}")).unwrap();
        assert!(matches!(
            manifests.changed(),
            Err(ManifestsError::Invalid(_))
        ));
        assert!(manifests.changed().unwrap().is_none());
        fs::write(&path, KEY).unwrap();
        assert!(manifests.changed().unwrap().is_some());
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            manifests.changed(),
            Err(ManifestsError::Read { .. })
        ));
    }
}
