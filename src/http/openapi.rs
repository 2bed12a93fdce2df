//! `GET /openapi.json`: the interface as an OpenAPI 3.1 document.
//!
//! The paths stand in `assets/openapi.json`; the two contracts are put in from `docs/contract`, so that
//! the wire formats are written down once.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::json_response;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document = embedded(include_str!("../../assets/openapi.json"));
    let schemas = &mut document["components"]["schemas"];
    schemas["Rating"] = embedded(include_str!("../../docs/contract/rating.schema.json"));
    schemas["Verdict"] = embedded(include_str!("../../docs/contract/verdict.schema.json"));
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    format!("{document:#}\n")
});

/// Parses JSON that is part of the program, which the test below proves to parse.
fn embedded(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The call.
pub(super) async fn serve() -> Response<Body> {
    json_response(DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_every_part() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["components"]["schemas"]["Rating"]["title"], "Rating");
        assert_eq!(document["components"]["schemas"]["Verdict"]["title"], "Verdict");
        insta::assert_snapshot!(*DOCUMENT);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            // The contracts have an $id, so their own references begin at themselves.
            let within = document.pointer(&reference[1..]).is_some();
            let in_rating = document["components"]["schemas"]["Rating"].pointer(&reference[1..]).is_some();
            assert!(within || in_rating, "{reference}");
        }
    }
}
