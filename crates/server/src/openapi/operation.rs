//! How an operator endpoint describes itself: by its handler's own parameter and reply types.
//!
//! A parameter of a handler is a [`HandlerArg`], its reply a [`HandlerReply`]. [`describe_handler`] puts them
//! together, with the problem responses that follow from them.

use std::future::Future;

use axum::extract::State;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::operator::extract::{JsonBody, JsonList, Path, Query};
use crate::operator::problem::{Problem, ProblemDetails};

/// One method of one path.
pub(crate) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) object: Value,
}

/// Named schemas, apart for requests and responses: a field that is optional in a request may always be present in a
/// response.
pub(crate) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
    named: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            responses: settings.for_serialize().into_generator(),
            named: Map::new(),
        }
    }

    fn response_schema<T: JsonSchema>(&mut self) -> Schema {
        self.responses.subschema_for::<T>()
    }

    /// Names a schema that no type describes. Returns a reference to it.
    pub(super) fn register(&mut self, name: String, schema: Value) -> Value {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.named.insert(name, schema);
        reference
    }

    /// All schemas by name.
    pub(super) fn components(mut self) -> Map<String, Value> {
        let mut components = self.named;
        for (name, schema) in
            self.requests.take_definitions(true).into_iter().chain(self.responses.take_definitions(true))
        {
            let earlier = components.insert(name.clone(), schema);
            assert!(
                earlier.is_none_or(|earlier| earlier == components[&name]),
                "two schemas have the name {name}"
            );
        }
        components
    }
}

pub(super) fn describe_handler<P, H: Handler<P>>(
    schemas: &mut Schemas,
    method: &'static str,
    path: &'static str,
    summary: &str,
    handler: H,
) -> Operation {
    let object = json!({
        "tags": ["operator"],
        "summary": summary,
        "security": [{ "operator": [] }],
        "parameters": [],
        "responses": {},
    });
    let mut operation = Operation { method, path, object };
    handler.describe(&mut operation, schemas);
    operation.with_problem(schemas, 401, "The operator's token is missing or wrong.").with_problem(
        schemas,
        503,
        "The bank is unavailable; the same request may be sent again.",
    )
}

impl Operation {
    /// Adds a problem response.
    pub(super) fn with_problem(mut self, schemas: &mut Schemas, status: u16, when: &str) -> Self {
        self.add_problem(schemas, status, when);
        self
    }

    fn add_problem(&mut self, schemas: &mut Schemas, status: u16, when: &str) {
        let schema = schemas.response_schema::<ProblemDetails<'_>>();
        self.object["responses"][status.to_string()] = json!({
            "description": when,
            "content": { "application/problem+json": { "schema": schema } },
        });
    }

    pub(crate) fn add_response<T: JsonSchema>(&mut self, schemas: &mut Schemas, status: u16, when: &str) {
        let schema = schemas.response_schema::<T>();
        self.object["responses"][status.to_string()] =
            json!({ "description": when, "content": { "application/json": { "schema": schema } } });
    }

    /// Adds the fields of `T` as parameters in `place`: `path` or `query`.
    fn add_parameters<T: JsonSchema>(&mut self, schemas: &mut Schemas, place: &str) {
        let Value::Object(mut object) = T::json_schema(&mut schemas.requests).to_value() else { return };
        let needed = object.remove("required").unwrap_or_default();
        let Some(Value::Object(fields)) = object.remove("properties") else { return };
        let parameters = fields.into_iter().map(|(name, mut schema)| {
            let required = needed.as_array().is_some_and(|needed| needed.iter().any(|field| *field == *name));
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({ "name": name, "in": place, "required": required, "schema": schema });
            if let Some(about) = about {
                parameter["description"] = about;
            }
            parameter
        });
        self.object["parameters"].as_array_mut().expect("an operation begins with none").extend(parameters);
    }

    fn add_parse_problems(&mut self, schemas: &mut Schemas) {
        self.add_problem(schemas, 400, "The request cannot be parsed.");
        self.add_problem(schemas, 422, "A field is missing, unknown or wrong; the problem says which.");
    }
}

pub(super) trait HandlerArg {
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

impl<S> HandlerArg for State<S> {
    fn describe(_: &mut Operation, _: &mut Schemas) {}
}

impl<T: JsonSchema> HandlerArg for Path<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.add_parameters::<T>(schemas, "path");
        operation.add_parse_problems(schemas);
        operation.add_problem(schemas, 404, "The resource does not exist.");
    }
}

impl<T: JsonSchema> HandlerArg for Query<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.add_parameters::<T>(schemas, "query");
        operation.add_parse_problems(schemas);
    }
}

impl<T: JsonSchema> HandlerArg for JsonBody<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.requests.subschema_for::<T>();
        operation.object["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        operation.add_parse_problems(schemas);
    }
}

impl<T: JsonSchema, const MAX: usize> HandlerArg for JsonList<T, MAX> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let item = schemas.requests.subschema_for::<T>();
        let schema = json!({ "type": "array", "items": item, "maxItems": MAX });
        operation.object["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        operation.add_parse_problems(schemas);
    }
}

/// The success response of a handler.
pub(crate) trait HandlerReply {
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

impl<T: JsonSchema> HandlerReply for axum::Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.add_response::<T>(schemas, 200, "Done.");
    }
}

pub(super) trait Handler<Parts> {
    fn describe(self, operation: &mut Operation, schemas: &mut Schemas);
}

macro_rules! handlers {
    ($(($($part:ident)*))*) => {$(
        impl<H, F, A, $($part),*> Handler<($($part,)*)> for H
        where
            H: Fn($($part),*) -> F,
            F: Future<Output = Result<A, Problem>>,
            A: HandlerReply,
            $($part: HandlerArg,)*
        {
            fn describe(self, operation: &mut Operation, schemas: &mut Schemas) {
                A::describe(operation, schemas);
                $($part::describe(operation, schemas);)*
            }
        }
    )*};
}

handlers! { (P1) (P1 P2) (P1 P2 P3) (P1 P2 P3 P4) }
