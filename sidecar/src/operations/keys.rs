//! What there is: `describe-key`, `list-keys`, and the versions of the API.

use std::sync::Arc;

use sealward_core::KeyId;

use super::{Operations, number};
use crate::audit::Use;
use crate::erased::Erased;
use crate::error::{ApiError, Code};
use crate::source::{Cmk, CmkState, SourceError};
use crate::wire::request::{DescribeKey, ListKeys};
use crate::wire::write::{Object, Text, id_text};

/// Keys on a page, unless the caller wants another number.
const PAGE: usize = 100;

/// The most keys on a page.
const MAX_PAGE: usize = 1000;

/// About as long as the details of a key are.
const DETAILS: usize = 640;

impl Operations {
    pub(super) async fn describe_key(
        &self,
        request: DescribeKey<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let cmk = self.named(request.key_id, &mut used.key).await?;
        Ok(Object::with_capacity(DETAILS)
            .with("key_info", |out| details(Object::onto(out), &cmk).end())
            .end())
    }

    pub(super) async fn list_keys(&self, request: ListKeys<'_>) -> Result<Erased, ApiError> {
        let filter = Filter::parse(&request)?;
        let all = self
            .keyring
            .source()
            .list()
            .await
            .map_err(|error| match error {
                SourceError::Unavailable { reason } => ApiError::new(Code::Unavailable, reason),
                SourceError::Unknown => ApiError::new(Code::Internal, "the keys cannot be listed"),
            })?;
        let fitting: Vec<_> = all.into_iter().filter(|cmk| filter.fits(cmk)).collect();
        let total = fitting.len();
        let mut rest = fitting
            .into_iter()
            .filter(|cmk| filter.after.is_none_or(|id| cmk.id > id));
        let page: Vec<_> = rest.by_ref().take(filter.limit).collect();
        let truncated = rest.next().is_some();
        let marker = page
            .last()
            .filter(|_| truncated)
            .map(|cmk| cmk.id.to_string());
        Ok(Object::with_capacity(160 + page.len() * (DETAILS + 40))
            .with("keys", |out| {
                array(out, &page, |mut out, cmk| {
                    out.extend(b"\"");
                    out.extend(&id_text(&cmk.id));
                    out.extend(b"\"");
                    out
                })
            })
            .with("key_details", |out| {
                array(out, &page, |out, cmk| details(Object::onto(out), cmk).end())
            })
            // The id of the last key: keys that come and go shift no page.
            .plain("next_marker", marker.as_deref().unwrap_or_default())
            // SDKs turn a boolean into the text "False".
            .plain("truncated", if truncated { "true" } else { "false" })
            .number("total", total as u64)
            .end())
    }
}

/// What a caller of `list-keys` wants to see. Empty strings are as good as none.
struct Filter {
    limit: usize,
    after: Option<KeyId>,
    state: Option<char>,
    /// Keys of another kind or project: there are none.
    none: bool,
}

impl Filter {
    fn parse(request: &ListKeys<'_>) -> Result<Self, ApiError> {
        let given =
            |field: Option<&'_ str>| field.filter(|text| !text.is_empty()).map(str::to_owned);
        let limit = match given(request.limit) {
            None => PAGE,
            Some(text) => number(&text)
                .filter(|limit| (1..=MAX_PAGE).contains(limit))
                .ok_or_else(|| ApiError::new(Code::BadLimit, "limit must be 1 to 1000"))?,
        };
        let after = match given(request.marker) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                ApiError::new(
                    Code::BadMarker,
                    "marker must be next_marker of the page before",
                )
            })?),
        };
        let state = match given(request.key_state).as_deref() {
            None => None,
            Some(text @ ("1" | "2" | "3" | "4" | "5")) => text.chars().next(),
            Some(_) => return Err(ApiError::field("key_state", "be 1 to 5")),
        };
        let spec = given(request.key_spec).is_none_or(|spec| spec == "AES_256" || spec == "ALL");
        let project =
            given(request.enterprise_project_id).is_none_or(|id| id == "0" || id == "all");
        Ok(Self {
            limit,
            after,
            state,
            none: !spec || !project,
        })
    }

    fn fits(&self, cmk: &Cmk) -> bool {
        let state = state(cmk);
        // A destroyed key is no key any more.
        !self.none && state.is_some_and(|state| self.state.is_none_or(|wanted| wanted == state))
    }
}

/// `key_state` of a key that is not destroyed.
fn state(cmk: &Cmk) -> Option<char> {
    match cmk.state {
        CmkState::Enabled => Some('2'),
        CmkState::Disabled => Some('3'),
        CmkState::PendingDeletion { .. } => Some('4'),
        CmkState::Destroyed { .. } => None,
    }
}

fn details(object: Object, cmk: &Cmk) -> Object {
    let deletion = match cmk.state {
        CmkState::PendingDeletion { destroy_at } => destroy_at.as_millisecond().to_string(),
        _ => String::new(),
    };
    object
        .id("key_id", &cmk.id)
        .plain("domain_id", "")
        .plain("key_alias", &cmk.name.to_string())
        .plain("realm", "")
        .plain("key_spec", "AES_256")
        .plain("key_usage", "ENCRYPT_DECRYPT")
        .string("key_description", Text::new(&cmk.description))
        .plain(
            "creation_date",
            &cmk.created_at.as_millisecond().to_string(),
        )
        .plain("scheduled_deletion_date", &deletion)
        .plain(
            "key_state",
            state(cmk).unwrap_or('4').encode_utf8(&mut [0; 4]),
        )
        .plain("default_key_flag", "0")
        .plain("key_type", "1")
        .plain("expiration_time", "")
        .plain("origin", "kms")
        .plain(
            "key_rotation_enabled",
            if cmk.rotates { "true" } else { "false" },
        )
        .plain("sys_enterprise_project_id", "0")
        .plain("keystore_id", "")
        // Not a field of the API, whose clients pass over what they do not know.
        .plain(
            "primary_version",
            &cmk.primary
                .map(|version| version.to_string())
                .unwrap_or_default(),
        )
}

fn array(
    mut out: Erased,
    cmks: &[Arc<Cmk>],
    mut each: impl FnMut(Erased, &Cmk) -> Erased,
) -> Erased {
    out.extend(b"[");
    for (number, cmk) in cmks.iter().enumerate() {
        if number > 0 {
            out.extend(b",");
        }
        out = each(out, cmk);
    }
    out.extend(b"]");
    out
}

/// `GET /`
pub(super) fn list_versions() -> Erased {
    Erased::new(format!("{{\"versions\":[{VERSION}]}}").into_bytes())
}

/// `GET /v1.0`
pub(super) fn show_version() -> Erased {
    Erased::new(format!("{{\"version\":{VERSION}}}").into_bytes())
}

/// The one version of the API. Links are relative: the caller knows the rest.
const VERSION: &str = "{\"id\":\"v1.0\",\"links\":[{\"href\":\"/v1.0\",\"rel\":\"self\"}],\
     \"version\":\"\",\"status\":\"CURRENT\",\"updated\":\"2026-01-01T00:00:00Z\",\
     \"min_version\":\"\"}";
