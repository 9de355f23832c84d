use proptest::prelude::*;

use super::*;

fn strings(body: &str) -> Result<Vec<(String, String)>, JsonError> {
    let mut body = body.as_bytes().to_vec();
    let mut members = Members::of(&mut body)?;
    let mut read = Vec::new();
    while let Some(name) = members.name()? {
        read.push((name.to_owned(), members.string()?.to_owned()));
    }
    Ok(read)
}

fn syntax(body: &str) -> (usize, &'static str) {
    match strings(body) {
        Err(JsonError::Syntax { at, expected }) => (at, expected),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn reads_every_escape() {
    let read =
        strings(r#" { "a" : "\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é€😀" , "":"" } "#);
    let expected = "\"\\/\u{8}\u{c}\n\r\tAé€😀é€😀";
    assert_eq!(
        read.unwrap(),
        [
            ("a".to_owned(), expected.to_owned()),
            (String::new(), String::new())
        ]
    );
    assert_eq!(strings("{}").unwrap(), []);
}

#[test]
fn says_where_it_is_not_json() {
    assert_eq!(syntax(""), (0, "an object, the body is empty"));
    assert_eq!(syntax("hello"), (0, "an object"));
    assert_eq!(syntax("[]"), (0, "an object"));
    assert_eq!(syntax("{"), (1, "a name in quotes"));
    assert_eq!(syntax("{,}"), (1, "a name in quotes"));
    assert_eq!(syntax(r#"{"a"}"#), (4, "a colon"));
    assert_eq!(
        syntax(r#"{"a":"b""#),
        (8, "a comma or the end of the object")
    );
    assert_eq!(syntax(r#"{"a":"b",}"#), (9, "a name in quotes"));
    assert_eq!(syntax(r#"{"a":"b"} x"#), (10, "the end of the body"));
    assert_eq!(syntax(r#"{"a":"b"#), (7, "a closing quote"));
    assert_eq!(syntax(r#"{"a":?}"#), (5, "a value"));
    assert_eq!(
        syntax("{\"a\":\"x\ny\"}"),
        (7, "control characters to be escaped")
    );
    assert_eq!(syntax(r#"{"a":"\x"}"#), (6, "one of the escapes of JSON"));
    assert_eq!(syntax(r#"{"a":"\u12g4"}"#), (6, "four hexadecimal digits"));
}

#[test]
fn refuses_lone_surrogates() {
    for lone in [
        r"\ud800",
        r"\udc00",
        r"\ud800\ud800",
        r"\ud800A",
        r"\ud800\n",
        r"\ud83d\u",
    ] {
        assert_eq!(
            syntax(&format!("{{\"a\":\"{lone}\"}}")),
            (6, "surrogates in pairs"),
            "{lone}"
        );
    }
}

#[test]
fn refuses_bytes_that_are_not_utf8() {
    let mut body = b"{\"a\":\"ok\xff\"}".to_vec();
    let mut members = Members::of(&mut body).unwrap();
    members.name().unwrap();
    assert_eq!(
        members.string(),
        Err(JsonError::Syntax {
            at: 8,
            expected: "UTF-8"
        })
    );
}

#[test]
fn an_escape_does_not_complete_a_broken_character() {
    // The lead byte of é, raw, before an escape whose own bytes begin with one.
    let mut body = b"{\"a\":\"\xc3\\u00a9\"}".to_vec();
    let mut members = Members::of(&mut body).unwrap();
    members.name().unwrap();
    assert!(members.string().is_err());
}

#[test]
fn names_the_type_that_it_found() {
    for (value, found) in [
        ("null", "null"),
        ("1", "a number"),
        ("-1", "a number"),
        ("true", "a boolean"),
        ("[]", "an array"),
        ("{}", "an object"),
    ] {
        assert_eq!(
            strings(&format!("{{\"a\":{value}}}")),
            Err(JsonError::Type { found })
        );
    }
}

#[test]
fn reads_pairs_between_strings() {
    let mut body = br#"{"x":"1","c":{"b":"2", "a":"1","a":"3"},"y":"2"}"#.to_vec();
    let mut members = Members::of(&mut body).unwrap();
    assert_eq!(members.name().unwrap(), Some("x"));
    assert_eq!(members.string().unwrap(), "1");
    assert_eq!(members.name().unwrap(), Some("c"));
    assert_eq!(
        members.pairs().unwrap(),
        [("b", "2"), ("a", "1"), ("a", "3")]
    );
    assert_eq!(members.name().unwrap(), Some("y"));
    assert_eq!(members.string().unwrap(), "2");
    assert_eq!(members.name().unwrap(), None);
}

#[test]
fn pairs_may_be_none_and_must_be_strings() {
    let pairs = |body: &str| {
        let mut body = body.as_bytes().to_vec();
        let mut members = Members::of(&mut body).unwrap();
        members.name().unwrap();
        members.pairs().map(|pairs| pairs.len())
    };
    assert_eq!(pairs(r#"{"c":{}}"#), Ok(0));
    assert_eq!(
        pairs(r#"{"c":"x"}"#),
        Err(JsonError::Type { found: "a string" })
    );
    assert_eq!(
        pairs(r#"{"c":{"a":1}}"#),
        Err(JsonError::Type { found: "a number" })
    );
    assert_eq!(
        pairs(r#"{"c":{"a":{}}}"#),
        Err(JsonError::Type { found: "an object" })
    );
}

/// What `serde_json` makes of an object of strings, duplicates kept.
fn oracle(body: &[u8]) -> Option<Vec<(String, String)>> {
    struct Pairs(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Pairs {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Pairs;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object of strings")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Pairs, A::Error> {
                    let mut pairs = Vec::new();
                    while let Some(pair) = map.next_entry()? {
                        pairs.push(pair);
                    }
                    Ok(Pairs(pairs))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_slice::<Pairs>(body)
        .ok()
        .map(|pairs| pairs.0)
}

fn ours(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut body = body.to_vec();
    let mut members = Members::of(&mut body).ok()?;
    let mut read = Vec::new();
    while let Some(name) = members.name().ok()? {
        read.push((name.to_owned(), members.string().ok()?.to_owned()));
    }
    Some(read)
}

/// Text that is nearly JSON, so that a good part of it is.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("\""),
        Just(":"),
        Just(","),
        Just(" "),
        Just("\n"),
        Just("{\""),
        Just("\":\""),
        Just("\",\""),
        Just("\"}"),
        Just("\\"),
        Just("\\n"),
        Just("\\u0041"),
        Just("\\ud83d\\ude00"),
        Just("\\ud800"),
        Just("\\udc00"),
        Just("\\u00"),
        Just("é"),
        Just("😀"),
        Just("abc"),
        Just("\u{1}"),
        Just("null"),
        Just("1"),
        Just("[]"),
        Just("the quick brown fox jumps over it"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_serde_json_on_what_is_nearly_json(body in nearly_json()) {
        prop_assert_eq!(ours(&body), oracle(&body));
    }

    #[test]
    fn agrees_with_serde_json_on_any_bytes_in_a_string(
        inner in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let body = [b"{\"a\":\"", inner.as_slice(), b"\"}"].concat();
        prop_assert_eq!(ours(&body), oracle(&body));
    }

    #[test]
    fn agrees_with_serde_json_on_every_string(name in ".{0,40}", value in "\\PC{0,100}") {
        let body = serde_json::to_vec(&std::collections::BTreeMap::from([(name, value)])).unwrap();
        prop_assert_eq!(ours(&body), oracle(&body));
        prop_assert!(ours(&body).is_some());
    }

    #[test]
    fn finds_the_first_byte_that_must_be_escaped(
        mut bytes in prop::collection::vec(0x20_u8..0x7f, 0..200),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let must = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        let first = bytes.iter().position(must).unwrap_or(bytes.len());
        prop_assert_eq!(plain_prefix(&bytes), first);
        prop_assert_eq!(count_special(&bytes), bytes.iter().filter(|byte| must(byte)).count());
    }

    #[test]
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ours(&body);
    }
}
