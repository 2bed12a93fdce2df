//! The parser held to `docs/contract/rating.schema.json`: the same fields, the same limits, and the
//! same refusals wherever the schema's verdict is about a required field.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};
use zhenping::rating::{self, Field, Shape};

fn schema() -> Value {
    let text = include_str!("../docs/contract/rating.schema.json");
    serde_json::from_str(text).expect("the schema is JSON")
}

fn validator() -> Validator {
    jsonschema::options().should_validate_formats(true).build(&schema()).expect("a valid schema")
}

/// Every property of the schema, with its own schema and whether it is required.
fn properties(schema: &Value) -> BTreeMap<String, (Value, bool)> {
    fn walk(root: &Value, object: &Value, path: &str, found: &mut BTreeMap<String, (Value, bool)>) {
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in object["properties"].as_object().into_iter().flatten() {
            let property = match property["$ref"].as_str() {
                Some(reference) => {
                    root.pointer(reference.trim_start_matches('#')).expect("a known reference")
                }
                None => property,
            };
            let path = format!("{path}.{name}");
            walk(root, property, &path, found);
            found.insert(path, (property.clone(), required.contains(&name.as_str())));
        }
    }
    let mut found = BTreeMap::new();
    walk(schema, schema, "$", &mut found);
    found
}

/// What a shape of ours says in the schema's words.
fn in_schema(shape: Shape) -> Value {
    match shape {
        Shape::Text(max) | Shape::LongText(max) | Shape::Address(max) => {
            json!({"type": "string", "maxLength": max})
        }
        Shape::Name(max) => json!({
            "type": "string", "minLength": 1, "maxLength": max, "pattern": "^[A-Za-z0-9._:-]+$",
        }),
        Shape::Choice(names) => json!({"enum": names}),
        Shape::Time => json!({"type": "string", "format": "date-time"}),
        Shape::Whole(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Texts(items, max) => {
            json!({"type": "array", "maxItems": items, "items": {"type": "string", "maxLength": max}})
        }
        Shape::Object => json!({"type": "object"}),
    }
}

#[test]
fn the_parser_knows_every_property_of_the_schema_with_its_limits() {
    let mut expected = properties(&schema());
    for (property, _) in expected.values_mut() {
        let property = property.as_object_mut().expect("an object");
        for key in ["description", "properties", "required", "additionalProperties"] {
            property.remove(key);
        }
    }
    let known: BTreeMap<String, (Value, bool)> = rating::fields()
        .into_iter()
        .map(|Field { path, required, shape }| (path.to_owned(), (in_schema(shape), required)))
        .collect();
    assert_eq!(known, expected);
}

fn valid() -> Value {
    json!({
        "rating_id": "r-1", "submitted_at": "2026-03-01T08:00:00+08:00", "channel": "portal", "stars": 5,
        "service": {"matter": "m1", "department": "d1"},
        "rater": {}, "device": {}, "network": {}, "aspects": {},
    })
}

/// Values that each kind of schema may meet, on both sides of its limits.
fn probes(property: &Value) -> Vec<Value> {
    let max = property["maxLength"].as_u64().unwrap_or(8) as usize;
    let mut probes = vec![
        json!(0),
        json!(-1),
        json!(1),
        json!(5),
        json!(6),
        json!(5.0),
        json!(4.5),
        json!(4_294_967_295_u64),
        json!(4_294_967_296_u64),
        json!(true),
        json!("x"),
        json!("部".repeat(max)),
        json!("部".repeat(max + 1)),
        json!("a".repeat(max)),
        json!("a b"),
        json!([]),
        json!(["x"]),
        json!([7]),
        json!(vec!["x"; 21]),
        json!({}),
        json!({"x": 1}),
        json!("2026-03-01T08:00:00+08:00"),
        json!("2026-03-01T08:00:00"),
        json!("2026-02-30T08:00:00Z"),
        json!("203.0.113.9"),
    ];
    probes.extend(property["enum"].as_array().into_iter().flatten().cloned());
    probes
}

#[test]
fn schema_and_parser_agree_on_every_probe() {
    let validator = validator();
    for (path, (property, required)) in properties(&schema()) {
        for probe in probes(&property) {
            let mut rating = valid();
            let pointer = path.trim_start_matches('$').replace('.', "/");
            let (parent, key) = pointer.rsplit_once('/').expect("a path");
            rating.pointer_mut(parent).expect("an object")[key] = probe.clone();
            let is_valid = validator.is_valid(&rating);
            let line = rating.to_string();
            match rating::parse(line.as_bytes()) {
                // The two leniencies about required fields that the contract states or implies:
                // an unknown channel reads as `other`, and an address is checked beyond its length.
                Ok(read) if path == "$.channel" && probe.is_string() => {
                    assert_eq!(read.warnings.is_empty(), is_valid, "{path} {probe}");
                }
                Ok(read) if path == "$.network.ip" && probe.is_string() => {
                    assert!(is_valid || !read.warnings.is_empty(), "{path} {probe}");
                }
                Ok(read) if required => assert!(is_valid && read.warnings.is_empty(), "{path} {probe}"),
                Ok(read) => {
                    assert_eq!(read.warnings.is_empty(), is_valid, "{path} {probe}: {:?}", read.warnings)
                }
                Err(error) => {
                    assert!(required && !is_valid, "{path} {probe}: {error}");
                    assert!(error.path.starts_with(path.as_str()), "{path} {probe}: {error}");
                }
            }
        }
    }
}

#[test]
fn whole_examples_agree() {
    let validator = validator();
    let mut without_service = valid();
    without_service.as_object_mut().expect("an object").remove("service");
    for (rating, accepted) in [
        (valid(), true),
        (without_service, false),
        (json!({}), false),
        (json!([]), false),
        (json!(null), false),
    ] {
        assert_eq!(validator.is_valid(&rating), accepted, "{rating}");
        assert_eq!(rating::parse(rating.to_string().as_bytes()).is_ok(), accepted, "{rating}");
    }
}
