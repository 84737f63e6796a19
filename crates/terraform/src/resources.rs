//! The resources of a state, in the form of the file and in that of `show -json`.

use hostlink_core::Value;

use crate::tree::{as_text, get, items, text};

/// One instance of a managed resource that exists.
pub(crate) struct Resource {
    /// Its place in the configuration, like `module.web["a"].aws_instance.x[0]`.
    pub(crate) address: String,
    /// The module, without a dot at the end; empty for the outermost one.
    pub(crate) module: String,
    /// The type, like `aws_instance`.
    pub(crate) kind: String,
    /// The key of `count` or `for_each`.
    pub(crate) key: Option<String>,
    /// To be replaced.
    pub(crate) is_tainted: bool,
    /// Without those that are sensitive.
    pub(crate) attributes: Value,
}

/// The resources of a state of version 4.
pub(crate) fn of_state(document: &Value) -> Vec<Resource> {
    let managed = items(document, "resources").iter().filter(|it| is_managed(it));
    managed.flat_map(of_instances).collect()
}

fn of_instances(resource: &Value) -> Vec<Resource> {
    let (Some(kind), Some(name)) = (text(resource, "type"), text(resource, "name")) else {
        return Vec::new();
    };
    let module = text(resource, "module").unwrap_or_default();
    let prefix = if module.is_empty() { String::new() } else { format!("{module}.") };
    // What is deposed waits to be destroyed: another instance has taken its place.
    let instances = items(resource, "instances").iter().filter(|it| get(it, "deposed").is_none());
    let found = instances.map(|instance| {
        let key = get(instance, "index_key");
        Resource {
            address: format!("{prefix}{kind}.{name}{}", key.map(bracketed).unwrap_or_default()),
            module: module.to_owned(),
            kind: kind.to_owned(),
            key: key.map(plain),
            is_tainted: text(instance, "status") == Some("tainted"),
            attributes: public_of_state(instance),
        }
    });
    found.collect()
}

/// The resources of a module as `show -json` writes it, and those of the modules in it.
pub(crate) fn of_show(module: &Value) -> Vec<Resource> {
    let path = text(module, "address").unwrap_or_default();
    let is_current = |it: &&Value| is_managed(it) && get(it, "deposed_key").is_none();
    let own = items(module, "resources").iter().filter(is_current);
    let mut found: Vec<Resource> = own.filter_map(|it| of_values(it, path)).collect();
    found.extend(items(module, "child_modules").iter().flat_map(of_show));
    found
}

fn of_values(resource: &Value, module: &str) -> Option<Resource> {
    let mut attributes = get(resource, "values").cloned().unwrap_or(Value::Null);
    if let Some(marks) = get(resource, "sensitive_values") {
        remove_marked(&mut attributes, marks);
    }
    Some(Resource {
        address: text(resource, "address")?.to_owned(),
        module: module.to_owned(),
        kind: text(resource, "type")?.to_owned(),
        key: get(resource, "index").map(plain),
        is_tainted: get(resource, "tainted") == Some(&Value::Bool(true)),
        attributes,
    })
}

/// Data sources are what the configuration reads, not what it makes.
fn is_managed(resource: &Value) -> bool {
    text(resource, "mode") == Some("managed")
}

fn plain(key: &Value) -> String {
    as_text(key).map_or_else(|| key.to_string(), str::to_owned)
}

fn bracketed(key: &Value) -> String {
    format!("[{key}]")
}

/// The attributes of an instance, without those at the paths of `sensitive_attributes`.
fn public_of_state(instance: &Value) -> Value {
    let mut attributes = get(instance, "attributes").cloned().unwrap_or(Value::Null);
    for path in items(instance, "sensitive_attributes") {
        let Value::List(steps) = path else { continue };
        remove_at(&mut attributes, steps);
    }
    attributes
}

/// A step is `{"type": "get_attr", "value": "name"}` or `{"type": "index", "value": {"value": 0,
/// "type": "number"}}`. Where one cannot be followed, everything there goes: a set's items have no
/// place that could be named.
fn remove_at(value: &mut Value, steps: &[Value]) {
    let step = steps.first().and_then(|step| get(step, "value"));
    let key = step.map(|step| get(step, "value").unwrap_or(step));
    let inner = match (&mut *value, key) {
        (Value::Map(entries), Some(Value::String(key))) => entries.get_mut(key),
        (Value::List(items), Some(Value::Int(index))) => {
            usize::try_from(*index).ok().and_then(|index| items.get_mut(index))
        }
        _ => {
            *value = Value::Null;
            return;
        }
    };
    if let Some(inner) = inner {
        remove_at(inner, &steps[1..]);
    }
}

/// `marks` has the form of the value, with `true` for what is sensitive.
fn remove_marked(value: &mut Value, marks: &Value) {
    match (&mut *value, marks) {
        (_, Value::Bool(true)) => *value = Value::Null,
        (Value::Map(entries), Value::Map(marks)) => {
            for (key, marks) in marks {
                if let Some(inner) = entries.get_mut(key) {
                    remove_marked(inner, marks);
                }
            }
        }
        (Value::List(items), Value::List(marks)) => {
            items.iter_mut().zip(marks).for_each(|(inner, marks)| remove_marked(inner, marks));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn of_state_json(instances: &str) -> Vec<Resource> {
        let module = r#""module":"module.a[\"x\"]""#;
        let resource = format!(
            r#"{{{module},"mode":"managed","type":"t","name":"n","instances":[{instances}]}}"#
        );
        let data = r#"{"mode":"data","type":"t","name":"d","instances":[{"attributes":{}}]}"#;
        of_state(&value(&format!(r#"{{"resources":[{data},{resource},{{"mode":"managed"}}]}}"#)))
    }

    #[test]
    fn instances_have_their_place_in_the_configuration() {
        let found = of_state_json(
            r#"{"attributes":{"a":1}},{"index_key":0,"status":"tainted"},{"index_key":"k\"y"},{"deposed":"1234abcd"}"#,
        );
        let places: Vec<_> = found
            .iter()
            .map(|it| (it.address.as_str(), it.key.as_deref(), it.is_tainted))
            .collect();
        assert_eq!(
            places,
            [
                ("module.a[\"x\"].t.n", None, false),
                ("module.a[\"x\"].t.n[0]", Some("0"), true),
                ("module.a[\"x\"].t.n[\"k\\\"y\"]", Some("k\"y"), false)
            ]
        );
        assert_eq!(found[0].module, "module.a[\"x\"]");
    }

    #[test]
    fn sensitive_attributes_of_a_state_are_not_read() {
        let attribute = |name: &str| format!(r#"{{"type":"get_attr","value":"{name}"}}"#);
        let paths = [
            format!("[{}]", attribute("password")),
            format!(
                r#"[{},{{"type":"index","value":{{"value":1,"type":"number"}}}}]"#,
                attribute("list")
            ),
            // The item of a set: all of the set goes.
            format!(
                r#"[{},{{"type":"index","value":{{"value":{{"a":1}},"type":"object"}}}},{}]"#,
                attribute("set"),
                attribute("x")
            ),
        ];
        let attributes =
            r#"{"password":"hunter2","list":["ok","hunter2"],"set":[{"x":"hunter2"}],"id":"i"}"#;
        let found = of_state_json(&format!(
            r#"{{"attributes":{attributes},"sensitive_attributes":[{}]}}"#,
            paths.join(",")
        ));
        assert_eq!(
            found[0].attributes,
            value(r#"{"password":null,"list":["ok",null],"set":null,"id":"i"}"#)
        );
        // The control: it is there without the marks.
        let found = of_state_json(&format!(r#"{{"attributes":{attributes}}}"#));
        assert!(found[0].attributes.to_string().contains("hunter2"));
    }

    #[test]
    fn sensitive_values_of_show_are_not_read() {
        let module = value(
            r#"{"resources":[{"address":"t.n","mode":"managed","type":"t",
                "values":{"password":"hunter2","list":[{"a":"hunter2","b":"ok"}],"tags":{"k":"v"}},
                "sensitive_values":{"password":true,"list":[{"a":true}],"tags":{},"gone":true}},
                {"address":"t.n","mode":"managed","type":"t","deposed_key":"1234abcd"}],
               "child_modules":[{"address":"module.m","resources":[
                {"address":"module.m.t.n[0]","mode":"managed","type":"t","index":0,"tainted":true}]}]}"#,
        );
        let found = of_show(&module);
        assert_eq!(found.len(), 2);
        let expected = r#"{"password":null,"list":[{"a":null,"b":"ok"}],"tags":{"k":"v"}}"#;
        assert_eq!(found[0].attributes, value(expected));
        assert_eq!((found[1].module.as_str(), found[1].key.as_deref()), ("module.m", Some("0")));
        assert!(found[1].is_tainted && !found[0].is_tainted);
    }
}
