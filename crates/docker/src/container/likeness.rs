//! Compares an image's configuration with the expected one.

use serde_json::{Map, Value};

use super::owner::{HALF_MADE_LABEL, OWNER_LABEL, RUN_LABEL};

/// The parts that decide how an image behaves, as named in `Config` and in a Dockerfile.
const PARTS: [(&str, &str); 8] = [
    ("Entrypoint", "ENTRYPOINT"),
    ("Cmd", "CMD"),
    ("User", "USER"),
    ("WorkingDir", "WORKDIR"),
    ("Env", "ENV"),
    ("Labels", "LABEL"),
    ("Volumes", "VOLUME"),
    ("ExposedPorts", "EXPOSE"),
];

/// Variables that Podman gives every container, and so what is committed of it, if its image has
/// Variables that Podman sets in every container, and so in images committed from it, if the
/// original image does not set them.
const PODMANS: [&str; 3] = ["container", "TERM", "PATH"];

/// Returns the configuration without our labels.
pub(super) fn without_ours(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(labels) = config["Labels"].as_object_mut() {
        for label in [RUN_LABEL, OWNER_LABEL, HALF_MADE_LABEL] {
            labels.remove(label);
        }
    }
    config
}

/// Returns the names of the parts in which an image's configuration differs from `wanted`. Our
/// labels without a value are ignored.
pub(super) fn differences(wanted: &Value, found: &Value, is_podman: bool) -> Vec<String> {
    let differs = |(key, _): &&(&str, &str)| match *key {
        "Env" => !same_variables(&wanted["Env"], &found["Env"], is_podman),
        "Labels" => other_labels(&wanted["Labels"]) != other_labels(&found["Labels"]),
        // An empty directory is the root.
        "WorkingDir" => directory(&wanted["WorkingDir"]) != directory(&found["WorkingDir"]),
        key => something(&wanted[key]) != something(&found[key]),
    };
    PARTS.iter().filter(differs).map(|(_, name)| (*name).to_owned()).collect()
}

/// Empty values have many spellings.
fn something(value: &Value) -> Option<&Value> {
    let is_nothing = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    (!is_nothing).then_some(value)
}

fn directory(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("/")
}

fn other_labels(labels: &Value) -> Map<String, Value> {
    let mut labels = labels.as_object().cloned().unwrap_or_default();
    for label in [RUN_LABEL, OWNER_LABEL] {
        if labels.get(label).is_some_and(|value| value == "") {
            labels.remove(label);
        }
    }
    labels
}

fn same_variables(wanted: &Value, found: &Value, is_podman: bool) -> bool {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let (wanted, found) = (texts(wanted), texts(found));
    let is_added = |variable: &String| {
        let name = name_of(variable);
        is_podman && PODMANS.contains(&name) && !wanted.iter().any(|other| name_of(other) == name)
    };
    wanted.iter().all(|variable| found.contains(variable))
        && found.iter().all(|variable| wanted.contains(variable) || is_added(variable))
}

fn name_of(variable: &str) -> &str {
    variable.split('=').next().unwrap_or(variable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_and_podmans_own_variables_are_no_difference() {
        let wanted = json!({ "Entrypoint": null, "Cmd": ["x"], "WorkingDir": "", "Env": ["A=1"], "Labels": {} });
        let found = json!({
            "Entrypoint": [], "Cmd": ["x"], "WorkingDir": "/", "User": "", "Volumes": {},
            "Env": ["TERM=xterm", "A=1", "container=podman"],
            "Labels": { "hostlink": "", "hostlink.owner": "" },
        });
        assert_eq!(differences(&wanted, &found, true), [""; 0]);
        assert_eq!(differences(&wanted, &found, false), ["ENV"]);
    }

    #[test]
    fn what_an_image_would_do_otherwise_is_named() {
        let wanted = json!({ "Cmd": ["x"], "Env": ["TERM=dumb"], "Labels": { "a": "1" } });
        let found = json!({
            "Entrypoint": ["sh"], "User": "1", "WorkingDir": "/srv", "Env": ["TERM=dumb", "TERM=xterm"],
            "Labels": { "a": "1", "hostlink.owner": "m/b/1/2" }, "Volumes": { "/v": {} }, "ExposedPorts": { "1/tcp": {} },
        });
        let all = ["ENTRYPOINT", "CMD", "USER", "WORKDIR", "ENV", "LABEL", "VOLUME", "EXPOSE"];
        assert_eq!(differences(&wanted, &found, true), all);
        let proxy =
            json!({ "Cmd": ["x"], "Env": ["TERM=dumb", "http_proxy=x"], "Labels": { "a": "1" } });
        assert_eq!(differences(&wanted, &proxy, true), ["ENV"]);
    }

    #[test]
    fn labels_of_ours_are_in_no_configuration_that_is_wanted() {
        let config = json!({ "Labels": { "a": "1", "hostlink": "r", "hostlink.owner": "m", "hostlink.half-made": "" } });
        assert_eq!(without_ours(&config), json!({ "Labels": { "a": "1" } }));
        assert_eq!(without_ours(&json!({ "Labels": null })), json!({ "Labels": null }));
    }
}
