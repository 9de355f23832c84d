//! The examples in `tests/data`, which a real API server judges in the same way.
//!
//! The documents of a file are applied in their order. All are accepted, but for the last one in a file
//! of `refused`: its error contains what the comment `# expect:` of the file says.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use sealward_crds::{CUSTOMERMASTERKEY_YAML, admit, generate, manifest};
use serde_json::Value;

#[test]
fn committed_yaml_is_what_the_types_generate() {
    assert_eq!(
        generate().unwrap(),
        CUSTOMERMASTERKEY_YAML,
        "run `cargo run -p sealward-crds --bin crdgen > crds/customermasterkey.yaml`"
    );
}

#[test]
fn accepts_the_accepted_examples() {
    for file in examples("accepted") {
        assert_eq!(apply(&file), None, "{}", file.display());
    }
}

#[test]
fn refuses_the_refused_examples_and_says_why() {
    for file in examples("refused") {
        let text = fs::read_to_string(&file).unwrap();
        let expected = text
            .lines()
            .find_map(|line| line.strip_prefix("# expect: "))
            .unwrap_or_else(|| panic!("{} has no `# expect:`", file.display()));
        let Some(error) = apply(&file) else {
            panic!("{} is accepted", file.display());
        };
        assert!(
            error.contains(expected),
            "{}:\n  expected {expected}\n  got      {error}",
            file.display()
        );
    }
}

/// The same files through the door that `sealward dev` uses, where each is one state of things: no updates in it.
#[test]
fn manifests_agree_with_the_examples() {
    for (folder, is_accepted) in [("accepted", true), ("refused", false)] {
        for file in examples(folder) {
            let text = fs::read_to_string(&file).unwrap();
            if text.contains("An update:") {
                continue;
            }
            let read = manifest::parse(&text, &file.display().to_string());
            assert_eq!(read.is_ok(), is_accepted, "{}: {read:?}", file.display());
        }
    }
}

/// Applies the documents of `file` in their order, as kubectl would. The error of the last one, if it has one.
fn apply(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).expect("example is readable");
    let documents: Vec<&str> = text.split("\n---\n").collect();
    let mut stored: HashMap<String, Value> = HashMap::new();
    for (index, document) in documents.iter().enumerate() {
        let object: Value = serde_saphyr::from_str(document).expect("example is YAML");
        if object.is_null() {
            continue;
        }
        let name = object["metadata"]["name"].to_string();
        match admit(&object, stored.get(&name)) {
            Ok(object) => {
                stored.insert(name, object);
            }
            Err(violations) => {
                let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
                assert_eq!(index + 1, documents.len(), "{}: {texts:?}", file.display());
                return Some(texts.join("; "));
            }
        }
    }
    None
}

fn examples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("folder of examples")
        .map(|entry| entry.expect("folder of examples").path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "examples are missing");
    files
}
