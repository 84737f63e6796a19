//! The JSON Schema and the reader agree on what an inventory is.

use hostlink_inventory::{Definition, Format, schema};

use crate::scene::registry;

#[test]
fn the_schema_takes_what_is_read_and_refuses_what_is_not() {
    let schema = schema(&registry(None));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (text, is_taken) in [
        ("{}", true),
        ("null", true),
        (r#"{"hosts": ["w1", "5", {"name": "w2"}], "data": {"x": [1, {"y": null}]}}"#, true),
        (r#"{"hosts": null, "groups": null, "data": null}"#, true),
        (
            r#"{"groups": {"web": {"hosts": ["w[1-3]"], "children": ["db"], "data": {}}, "db": null}}"#,
            true,
        ),
        (r#"{"groups": {"@docker": {"data": {"docker_user": "x"}}}}"#, true),
        (
            r#"{"hosts": [{"name": "w1", "target": "@docker/x", "data": {"ssh_password": "x"}}]}"#,
            true,
        ),
        (r#"{"hots": []}"#, false),
        (r#"{"hosts": "w1"}"#, false),
        (r#"{"hosts": [true]}"#, false),
        (r#"{"hosts": [5]}"#, false),
        (r#"{"hosts": [{"name": 5}]}"#, false),
        (r#"{"hosts": [["w1"]]}"#, false),
        (r#"{"hosts": [""]}"#, false),
        (r#"{"hosts": ["a b"]}"#, false),
        (r#"{"hosts": ["w*"]}"#, false),
        (r#"{"hosts": ["!w"]}"#, false),
        (r#"{"hosts": ["@sshconfig/w*", "h/@chroot//a*b", "[::1]", "u@h:22"]}"#, true),
        ("{\"hosts\": [\"a\\u0001\"]}", false),
        ("{\"groups\": {\"a\\u0001\": {}}}", false),
        (r#"{"hosts": [{"data": {}}]}"#, false),
        (r#"{"hosts": [{"name": "w1", "port": 22}]}"#, false),
        (r#"{"hosts": [{"name": "w1", "target": 5}]}"#, false),
        (r#"{"groups": ["web"]}"#, false),
        (r#"{"groups": {"all": {}}}"#, false),
        (r#"{"groups": {"a,b": {}}}"#, false),
        (r#"{"groups": {"": {}}}"#, false),
        (r#"{"groups": {"web": {"host": []}}}"#, false),
        (r#"{"groups": {"web": {"children": "db"}}}"#, false),
        (r#"{"groups": {"web": {"children": [[]]}}}"#, false),
        (r#"{"data": 5}"#, false),
        (r#"[]"#, false),
    ] {
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), is_taken, "the schema: {text}");
        let read = Definition::read(text, Format::Json, "f");
        assert_eq!(read.is_ok(), is_taken, "the reader: {text}: {read:?}");
    }
    let properties = &schema["$defs"]["data"]["properties"];
    assert_eq!(properties["ssh_password"]["writeOnly"], true);
    assert!(properties["_sudo"]["description"].as_str().unwrap().contains("sudo"));
}
