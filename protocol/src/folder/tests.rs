use std::fs::Permissions;

use getrandom::SysRng;
use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion};
use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, FolderLayout) {
    let dir = tempfile::tempdir().unwrap();
    let layout = FolderLayout::new(dir.path());
    write_marker(&layout, FORMAT);
    let root =
        RootKey::generate(KeyId::from_bytes([1; 16]), KeyVersion::FIRST, &mut SysRng).unwrap();
    let document = RootKeyDocument::new(&root, Timestamp::UNIX_EPOCH);
    fs::write(layout.root_key(), document.to_json()).unwrap();
    fs::set_permissions(layout.root_key(), Permissions::from_mode(0o600)).unwrap();
    (dir, layout)
}

fn write_marker(layout: &FolderLayout, format: &str) {
    let json =
        format!(r#"{{"format": "{format}", "installId": "00000000-0000-0000-0000-000000000007"}}"#);
    fs::write(layout.format(), json).unwrap();
}

#[test]
fn reads_a_folder_that_has_only_just_begun() {
    let (_dir, layout) = folder();
    let snapshot = layout.snapshot().unwrap();
    assert_eq!(snapshot.marker.install_id, Uuid::from_u128(7));
    assert!(snapshot.keys.is_empty() && snapshot.strays.is_empty());
}

#[test]
fn refuses_what_is_not_a_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("absent")] {
        let error = FolderLayout::new(&path).snapshot().unwrap_err();
        assert!(
            matches!(error, FolderError::NotADataFolder { .. }),
            "{error}"
        );
    }
}

#[test]
fn refuses_another_format_even_with_fields_of_its_own() {
    let (_dir, layout) = folder();
    let json = r#"{"format": "sealward.dev/data/v2", "installId": "00000000-0000-0000-0000-000000000007", "new": 1}"#;
    fs::write(layout.format(), json).unwrap();
    let error = layout.snapshot().unwrap_err();
    assert!(
        matches!(&error, FolderError::OtherFormat { format, .. } if format == "sealward.dev/data/v2"),
        "{error}"
    );
    assert!(error.to_string().contains("use the release that wrote it"));
}

#[test]
fn refuses_a_damaged_marker() {
    let (_dir, layout) = folder();
    fs::write(layout.format(), "{").unwrap();
    assert!(matches!(
        layout.snapshot(),
        Err(FolderError::Document { .. })
    ));
}

#[test]
fn says_that_the_root_key_is_missing_damaged_or_exposed() {
    let (_dir, layout) = folder();
    fs::set_permissions(layout.root_key(), Permissions::from_mode(0o640)).unwrap();
    let error = layout.read_root_key().unwrap_err();
    assert!(
        matches!(error, FolderError::RootKeyExposed { mode: 0o640, .. }),
        "{error}"
    );

    fs::set_permissions(layout.root_key(), Permissions::from_mode(0o600)).unwrap();
    let json = fs::read(layout.root_key()).unwrap();
    for length in [0, 1, json.len() / 2, json.len() - 3] {
        fs::write(layout.root_key(), &json[..length]).unwrap();
        assert!(
            matches!(layout.read_root_key(), Err(FolderError::Document { .. })),
            "cut at {length}"
        );
    }

    fs::remove_file(layout.root_key()).unwrap();
    let error = layout.snapshot().unwrap_err();
    assert!(matches!(error, FolderError::NoRootKey { .. }), "{error}");
    assert!(error.to_string().contains("backup"));
}

#[test]
fn files_that_are_none_of_ours_are_told_and_files_in_the_making_are_not() {
    let (_dir, layout) = folder();
    fs::create_dir(layout.records()).unwrap();
    fs::create_dir(layout.versions()).unwrap();
    fs::write(layout.records().join(".new"), "{").unwrap();
    fs::write(layout.records().join("notes.txt"), "").unwrap();
    fs::write(layout.records().join("cmk.shop.web.00000000.json"), "{").unwrap();
    fs::write(
        layout.versions().join("cmk.shop.gone.00000000.v1.r1.json"),
        "{",
    )
    .unwrap();
    let snapshot = layout.snapshot().unwrap();
    let strays: Vec<_> = snapshot
        .strays
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        strays,
        [
            "notes.txt",
            "cmk.shop.web.00000000.json",
            "cmk.shop.gone.00000000.v1.r1.json"
        ]
    );
    assert!(snapshot.keys.is_empty());
}

#[test]
fn reads_no_more_than_a_document_has() {
    let (_dir, layout) = folder();
    fs::create_dir(layout.records()).unwrap();
    let path = layout.records().join("cmk.shop.web.00000000.json");
    fs::write(path, vec![b' '; DOCUMENT_MAX + 1]).unwrap();
    let snapshot = layout.snapshot().unwrap();
    assert!(matches!(
        snapshot.strays[..],
        [(_, DocumentError::TooLarge { .. })]
    ));
}
