use super::{MAX_BYTES, parse};

fn key(name: &str) -> String {
    format!(
        "apiVersion: sealward.dev/v1alpha1\nkind: CustomerMasterKey\nmetadata:\n  name: {name}\nspec: {{}}\n"
    )
}

fn error(yaml: &str) -> String {
    let error = parse(yaml, "shop.yaml")
        .expect_err("should be refused")
        .to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn reads_all_documents_and_skips_empty_ones() {
    let yaml = format!(
        "\u{feff}# a comment\n---\n{}---\n---  \n# nothing\n--- # note\r\n{}...\nnull\n---",
        key("one"),
        key("two")
    );
    let keys = parse(&yaml, "shop.yaml").unwrap();
    let names: Vec<_> = keys
        .iter()
        .map(|key| key.metadata.name.as_deref())
        .collect();
    assert_eq!(names, [Some("one"), Some("two")]);
    assert_eq!(parse("", "shop.yaml"), Ok(Vec::new()));
}

#[test]
fn fills_in_defaults_and_namespace() {
    let keys = parse(&key("web"), "shop.yaml").unwrap();
    assert_eq!(keys[0].metadata.namespace.as_deref(), Some("default"));
    assert_eq!(keys[0].spec, crate::CustomerMasterKeySpec::default());
    let elsewhere = key("web\n  namespace: shop");
    assert_eq!(
        parse(&elsewhere, "x").unwrap()[0]
            .metadata
            .namespace
            .as_deref(),
        Some("shop")
    );
}

#[test]
fn drops_the_status() {
    let yaml = key("web") + "status:\n  keyId: 6fb156d6-d350-4c92-96f1-337bceea4310\n";
    assert_eq!(parse(&yaml, "shop.yaml").unwrap()[0].status, None);
}

#[test]
fn says_which_file_document_line_and_field() {
    let bad = key("two").replace("spec: {}", "spec:\n  rotationDays: 0\n  enabled: 5");
    let yaml = format!("---\n\n{}---\n# the second\n{bad}", key("one"));
    assert_eq!(
        error(&yaml),
        "shop.yaml: document 2 (line 10): spec.enabled: Invalid value: \"integer\": spec.enabled in body must \
         be of type boolean: \"integer\"; spec.rotationDays: Invalid value: 0: spec.rotationDays in body \
         should be greater than or equal to 1"
    );
    let violations = parse(&yaml, "shop.yaml").unwrap_err().violations().len();
    assert_eq!(violations, 2);
}

#[test]
fn says_where_yaml_is_broken() {
    let yaml = format!("{}---\napiVersion: v1\nkind: [\n", key("one"));
    let error = error(&yaml);
    assert!(error.starts_with("shop.yaml: document 2 (line "), "{error}");
}

#[test]
fn refuses_duplicate_keys() {
    let yaml = key("web").replace("spec: {}", "spec:\n  enabled: true\n  enabled: false");
    let error = error(&yaml);
    assert!(
        error.starts_with("shop.yaml: document 1 (line 7): "),
        "{error}"
    );
    assert!(error.contains("enabled"), "{error}");
}

#[test]
fn refuses_a_name_twice() {
    let yaml = format!("{}---\n{}", key("web"), key("web\n  namespace: default"));
    let error = error(&yaml);
    assert!(
        error.contains("document 2 (line 7): metadata.name: Duplicate value: \"default/web\""),
        "{error}"
    );
    let elsewhere = format!("{}---\n{}", key("web"), key("web\n  namespace: shop"));
    assert_eq!(parse(&elsewhere, "shop.yaml").unwrap().len(), 2);
}

#[test]
fn refuses_what_is_no_object() {
    for yaml in ["5", "- 1", "just a text", "\"\""] {
        let error = error(yaml);
        assert!(
            error.starts_with("shop.yaml: document 1 (line 1): Invalid value: "),
            "{error}"
        );
    }
}

#[test]
fn refuses_huge_input() {
    let yaml = key("web") + &"#".repeat(MAX_BYTES);
    assert_eq!(
        error(&yaml),
        "shop.yaml: larger than 4194304 bytes; split it into several files"
    );
}

#[test]
fn refuses_alias_bombs() {
    let mut yaml = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, previous) in "bcdefgh".chars().zip("abcdefg".chars()) {
        let items = vec![format!("*{previous}"); 10].join(", ");
        yaml = format!("{yaml}{name}: &{name} [{items}]\n");
    }
    let error = error(&yaml);
    assert!(error.starts_with("shop.yaml: document 1 (line "), "{error}");
}

#[test]
fn refuses_deep_nesting_without_overflowing_the_stack() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        error(&(open.repeat(100_000) + &close.repeat(100_000)));
    }
    let block: Vec<String> = (0..1_000).map(|depth| " ".repeat(depth) + "a:").collect();
    error(&block.join("\n"));
}

#[test]
fn never_panics_on_cut_or_changed_input() {
    let yaml = format!(
        "{}---\n{}",
        key("one"),
        key("two").replace("{}", "{rotationDays: 5}")
    );
    for end in 0..yaml.len() {
        let _ = parse(&yaml[..end], "shop.yaml");
        for byte in ["\0", "\u{feff}", "&", "*", "!", "%", "---", "\t", "🔑"] {
            let _ = parse(
                &format!("{}{byte}{}", &yaml[..end], &yaml[end + 1..]),
                "shop.yaml",
            );
        }
    }
}

#[test]
fn reads_scalars_as_api_servers_do() {
    let spec = |text: &str| key("web").replace("spec: {}", &format!("spec: {{{text}}}"));
    assert!(!parse(&spec("enabled: no"), "x").unwrap()[0].spec.enabled);
    assert_eq!(
        parse(&spec("rotationDays: 010"), "x").unwrap()[0]
            .spec
            .rotation_days,
        Some(8)
    );
    error(&spec("rotationDays: .inf"));
    error(&spec("rotationDays: 99999999999999999999"));
    error(&spec("description: !secret x"));
}
