//! What Customerp answers when it does not do what was asked.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use thiserror::Error;

/// What is wrong with one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FieldCode {
    TooLong,
    Required,
    UnknownProperty,
    ReadOnly,
    WrongType,
    UnknownValue,
    OutOfRange,
    NoSuchRecord,
    Duplicate,
}

/// One property that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldProblem {
    pub(crate) property: String,
    pub(crate) code: FieldCode,
    pub(crate) message: String,
}

/// A refusal: nothing was done.
#[derive(Debug, Clone, Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Vec<FieldProblem>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldProblem],
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn unauthorized() -> Self {
        let message = "Send `Authorization: Bearer <token>` with the token of one of the users.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    pub(crate) fn deleted(type_name: &str, id: u64) -> Self {
        Self::new(
            StatusCode::GONE,
            "deleted",
            format!("{type_name} {id} was deleted."),
        )
    }

    pub(crate) fn late() -> Self {
        let message =
            "The request could not be carried out within 5 seconds of its arrival; nothing was done.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "deadline", message)
    }

    /// All that is wrong with the properties of a write at once. Duplicates alone are a conflict, anything else is invalid.
    /// In the order of the properties' names, however the body was ordered.
    pub(crate) fn of_fields(mut fields: Vec<FieldProblem>) -> Self {
        fields.sort_by(|a, b| a.property.cmp(&b.property));
        let duplicates = fields.iter().all(|field| field.code == FieldCode::Duplicate);
        let (status, code) = if duplicates {
            (StatusCode::CONFLICT, "duplicate")
        } else {
            (StatusCode::UNPROCESSABLE_ENTITY, "validation")
        };
        let sentences: Vec<_> = fields
            .iter()
            .map(|field| format!("{} {}", field.property, field.message))
            .collect();
        let message = format!("Nothing was stored: {}.", sentences.join("; "));
        Self {
            status,
            code,
            message,
            fields,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = Detail {
            code: self.code,
            message: &self.message,
            fields: &self.fields,
        };
        (self.status, Json(Body { error })).into_response()
    }
}
