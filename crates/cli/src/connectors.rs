//! `hostlink connectors`: the connectors of this build, and the host data that they read.

use std::sync::Arc;

use hostlink::connector::{About, Connector, DataField, Kind};
use hostlink::{Data, Registry, Result};
use serde_json::{Value, json};

/// The format of the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// One object per line.
    Json,
}

/// Returns the text for all connectors, or for the one of this name.
pub(crate) fn describe(registry: &Registry, name: Option<&str>, format: Format) -> Result<String> {
    let connectors: Vec<&Arc<dyn Connector>> = match name {
        None => registry.connectors().collect(),
        Some(name) => vec![registry.get(name.trim_start_matches('@'))?],
    };
    let about = connectors.iter().map(|connector| connector.about());
    Ok(match format {
        Format::Json => about.map(|about| format!("{}\n", object(&about))).collect(),
        Format::Text => about.map(|about| text(&about)).collect::<Vec<_>>().join("\n"),
    })
}

fn text(about: &About<'_>) -> String {
    let mut text = format!("@{}\n    {}\n", about.name, about.description);
    text.push_str(match (about.kind, about.needs_outer(&Data::new())) {
        (Kind::Lists { .. }, _) => "    It lists hosts and runs nothing itself.\n",
        (Kind::Reaches(_), _) => {
            "    It reaches its targets directly: it cannot follow another target.\n"
        }
        (Kind::Wraps(_), false) => "    It may follow another target.\n",
        (Kind::Wraps(_), true) => "    It follows another target: @local if the name gives none.\n",
    });
    if about.fields.is_empty() {
        text.push_str("    It reads no host data.\n");
    }
    text.extend(about.fields.iter().map(field_text));
    text
}

fn field_text(field: &DataField) -> String {
    let secret = if field.secret { ", secret" } else { "" };
    let (key, what) = (field.key, field.type_and_default());
    format!("    {key} ({what}{secret})\n        {}\n", field.description)
}

fn object(about: &About<'_>) -> Value {
    json!({
        "name": about.name,
        "description": about.description,
        "handles_execution": !about.only_lists(),
        "is_wrapper": about.is_wrapper(),
        "needs_outer": about.needs_outer(&Data::new()),
        "data": about.fields.iter().map(field_object).collect::<Vec<_>>(),
    })
}

fn field_object(field: &DataField) -> Value {
    let default = Some(field.default).filter(|default| !default.is_empty());
    json!({
        "key": field.key,
        "description": field.description,
        "type": field.type_name,
        "default": default,
        "secret": field.secret,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_described_whole() {
        let field = DataField::new("x_password", "text", "The password.");
        let field = DataField { default: "none", secret: true, ..field };
        let text = field_text(&field);
        assert_eq!(text, "    x_password (text, default none, secret)\n        The password.\n");
        assert_eq!(field_object(&field)["secret"], true);
        assert_eq!(field_object(&DataField { default: "", ..field })["default"], Value::Null);
    }

    #[test]
    fn an_unknown_connector_is_an_error() {
        assert!(describe(&Registry::new(), Some("@nowhere"), Format::Text).is_err());
    }
}
