//! The JSON Schema of inventory files.

use hostlink_core::{ConnectorArguments, DataField, Registry};
use serde_json::{Map, Value, json};

/// The schema (JSON Schema 2020-12) of the tree that inventory files have, whichever format they
/// are in. The keys of data that the connectors of `registry` read are described; any other key may
/// be there too.
#[must_use]
pub fn schema(registry: &Registry) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hostlink inventory",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "data": {"$ref": "#/$defs/data", "description": "Data of every host."},
            "hosts": {"$ref": "#/$defs/hosts", "description": "Hosts that are in no further group."},
            "groups": {
                "description": "The groups, by name.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": "^[^\\s\\u0000-\\u001f\\u007f-\\u009f,:!&*?\\[\\]/]+$", "not": {"const": "all"}},
                "additionalProperties": {"$ref": "#/$defs/group"},
            },
        },
        "$defs": {
            "group": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "hosts": {"$ref": "#/$defs/hosts", "description": "The group's hosts, without those of its children."},
                    "children": {
                        "description": "Groups whose hosts are this group's, too.",
                        "type": ["array", "null"],
                        "items": {"type": "string"},
                    },
                    "data": {"$ref": "#/$defs/data", "description": "Data of the group's hosts."},
                },
            },
            "hosts": {"type": ["array", "null"], "items": {"$ref": "#/$defs/host"}},
            "host": {
                "anyOf": [
                    {"$ref": "#/$defs/name"},
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["name"],
                        "properties": {
                            "name": {"$ref": "#/$defs/name"},
                            "target": {
                                "type": "string",
                                "description": "How the host is reached, if not by its name: @docker/web1, h/@chroot//srv.",
                            },
                            "data": {"$ref": "#/$defs/data", "description": "The host's own data."},
                        },
                    },
                ],
            },
            "name": {
                "type": "string",
                "pattern": "^(@[^\\s\\u0000-\\u001f\\u007f-\\u009f]*|[^@\\s\\u0000-\\u001f\\u007f-\\u009f!&*?][^\\s\\u0000-\\u001f\\u007f-\\u009f!&*?]*(/@[^\\s\\u0000-\\u001f\\u007f-\\u009f]*)?)$",
                "description": "A host, or several by ranges (web[01-50]) or by what a connector lists (@terraform).",
            },
            "data": {"type": ["object", "null"], "properties": properties(registry)},
        },
    })
}

fn properties(registry: &Registry) -> Map<String, Value> {
    let connectors = registry.connectors().flat_map(|connector| connector.about().fields);
    let fields = connectors.chain(ConnectorArguments::FIELDS);
    fields.map(|field| (field.key.to_owned(), property(field))).collect()
}

/// Values may be text wherever a command line gives them, so no type is asked for.
fn property(field: &DataField) -> Value {
    let description = format!("{} ({})", field.description, field.type_and_default());
    match field.secret {
        true => json!({"description": description, "writeOnly": true}),
        false => json!({"description": description}),
    }
}
