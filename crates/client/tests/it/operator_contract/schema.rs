//! Operations and schemas of an OpenAPI document: the fields of a request, and samples of a reply.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// More than any schema of the document has variants.
pub(crate) const VARIANTS_MAX: usize = 8;

/// An operation of the operator API.
pub(crate) struct Operation {
    /// Method and path template.
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    object: Value,
}

pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, object) in methods.as_object().unwrap() {
            // The document itself is public.
            if object["tags"][0] == "operator" && object["security"].is_array() {
                operations.push(Operation {
                    name: format!("{method} {path}"),
                    method: method.clone(),
                    path: path.clone(),
                    object: object.clone(),
                });
            }
        }
    }
    assert!(operations.len() >= 13, "{}", operations.len());
    operations
}

impl Operation {
    /// Query parameters as `?name`, fields of the body as `name`, and `name=value` for each value of a closed list.
    pub(crate) fn request_fields(&self, document: &Value) -> BTreeSet<String> {
        let parameters = self.object["parameters"].as_array().unwrap();
        let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let mut fields: BTreeSet<String> =
            query.map(|parameter| format!("?{}", parameter["name"].as_str().unwrap())).collect();
        let body = &self.object["requestBody"]["content"]["application/json"]["schema"];
        if body.is_object() {
            let body = resolve(document, body);
            let body = if body["type"] == "array" { resolve(document, &body["items"]) } else { body };
            for (name, schema) in body["properties"].as_object().unwrap() {
                fields.insert(name.clone());
                let values = closed_list(document, schema);
                fields.extend(values.iter().map(|value| format!("{name}={value}")));
            }
        }
        fields
    }

    /// The values that a field of the body may have, if they are a closed list.
    pub(crate) fn lists_values(&self, document: &Value, name: &str) -> bool {
        self.request_fields(document).iter().any(|field| field.starts_with(&format!("{name}=")))
    }

    /// The reply's schema.
    pub(crate) fn reply(&self) -> &Value {
        &self.object["responses"]["200"]["content"]["application/json"]["schema"]
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

/// The values of a closed list of names; the environment is left out, which every call has.
fn closed_list(document: &Value, schema: &Value) -> Vec<String> {
    let schema = resolve(document, schema);
    let names = match (&schema["oneOf"], &schema["enum"]) {
        (Value::Array(variants), _) => {
            variants.iter().filter_map(|variant| variant["const"].as_str()).map(str::to_owned).collect()
        }
        (_, Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    if names.iter().any(|name| name == "sandbox") { Vec::new() } else { names }
}

/// An instance of a schema. An even `variant` has all optional fields, an odd one none.
pub(crate) fn sample(document: &Value, schema: &Value, variant: usize) -> Value {
    let schema = resolve(document, schema);
    if let Some(variants) = schema["oneOf"].as_array() {
        return sample(document, &variants[variant % variants.len()], variant);
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        return sample(document, &forms[variant % forms.len()], variant);
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[variant % values.len()].clone();
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        other => vec![other.as_str().unwrap_or_else(|| panic!("no type: {schema}"))],
    };
    match types[variant % types.len()] {
        "object" => Value::Object(object(document, schema, variant)),
        "array" => json!([sample(document, &schema["items"], variant)]),
        "integer" => schema["minimum"].as_u64().map_or(json!(-7), |minimum| json!(minimum + 7)),
        "boolean" => json!(variant.is_multiple_of(2)),
        "null" => Value::Null,
        "string" => json!(text(schema)),
        other => panic!("a type that no sample is made of: {other}"),
    }
}

fn object(document: &Value, schema: &Value, variant: usize) -> Map<String, Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let is_present = |name: &String| variant.is_multiple_of(2) || required.iter().any(|field| field == name);
    let properties = schema["properties"].as_object().unwrap();
    let present = properties.iter().filter(|(name, _)| is_present(name));
    present.map(|(name, schema)| (name.clone(), sample(document, schema, variant))).collect()
}

fn text(schema: &Value) -> &'static str {
    match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("date"), _) => "2017-10-09",
        (_, Some(pattern)) if pattern.contains("{8}-") => super::RID,
        (_, Some(pattern)) if pattern.starts_with("^(0|") => "340282366920938463463374607431768211455",
        (_, Some(_)) => "1",
        (_, None) => "text",
    }
}
