//! Recognizes the three forms of JSON that outputs and resources come in.

use std::path::Path;

use hostlink_core::{Error, ErrorKind, Result, Value};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::outputs::Outputs;
use crate::process::MOST;
use crate::resources::{self, Resource};
use crate::source::Source;
use crate::tree::{get, text};

/// The version of states that is read.
const STATE_VERSION: i64 = 4;

/// Outputs and resources at one time.
pub(crate) struct Snapshot {
    pub(crate) outputs: Outputs,
    /// `None` where the document has no place for them: it is the output of `output -json`.
    pub(crate) resources: Option<Vec<Resource>>,
}

impl Snapshot {
    /// Reads a state of version 4, the output of `show -json`, or that of `output -json`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Inventory`]: it is none of these, or of a version that is not known.
    pub(crate) fn read(document: Value, source: &Source) -> Result<Self> {
        let refused = |problem: &str| Err(source.refused(problem));
        if get(&document, "encrypted_data").is_some() {
            return refused(
                "this state is encrypted: set terraform_directory=DIRECTORY, or save what tofu show -json says",
            );
        }
        if get(&document, "planned_values").is_some()
            || get(&document, "resource_changes").is_some()
        {
            return refused(
                "this is a plan, and a state is required: save what show -json says without a plan",
            );
        }
        match (get(&document, "version"), text(&document, "format_version")) {
            (Some(Value::Int(STATE_VERSION)), _) => Ok(Self::of_state(document)),
            (Some(Value::Int(version)), _) => refused(&format!(
                "this state is of version {version}, and hostlink reads {STATE_VERSION}: \
                 Terraform 0.12 or later and OpenTofu write it"
            )),
            (_, Some(format)) if format.starts_with("0.") || format.starts_with("1.") => {
                Ok(Self::of_show(document))
            }
            (_, Some(format)) => refused(&format!(
                "this is of format {format:?} of show -json, and hostlink reads 1"
            )),
            (_, None) => Ok(Self { outputs: Outputs::read(document, source)?, resources: None }),
        }
    }

    fn of_state(document: Value) -> Self {
        let resources = Some(resources::of_state(&document));
        Self { outputs: Outputs::of(document), resources }
    }

    fn of_show(document: Value) -> Self {
        // Without any resource or output there are no values.
        let values = get(&document, "values").cloned().unwrap_or(Value::Null);
        let resources = get(&values, "root_module").map(resources::of_show).unwrap_or_default();
        Self { outputs: Outputs::of(values), resources: Some(resources) }
    }
}

/// Reads a file.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: it cannot be read, is too large, or holds no JSON (with line and
/// column).
pub(crate) async fn of_file(path: &Path) -> Result<Value> {
    let shown = path.display();
    let failed = |error| {
        Error::from_io(format!("terraform_state: {shown} cannot be read"), error)
            .with_kind(ErrorKind::Inventory)
    };
    let file = File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > MOST {
        let message = format!("terraform_state: {shown} is larger than {} MiB", MOST >> 20);
        return Err(Error::new(ErrorKind::Inventory, message));
    }
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(json).map_err(|error| no_json(&shown.to_string(), &error))
}

/// Reads what a program wrote to standard output. Terraform's errors go to standard error, but its
/// warnings go here: text around the document is skipped.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there is no document.
pub(crate) fn of_program(written: &[u8], source: &Source) -> Result<Value> {
    let is_start = |at: &usize| written[*at] == b'{' && (*at == 0 || written[at - 1] == b'\n');
    let Some(start) = (0..written.len()).find(is_start) else {
        return Err(source.refused("the program wrote no JSON"));
    };
    let mut documents = serde_json::Deserializer::from_slice(&written[start..]).into_iter();
    let document = documents.next().expect("a brace begins a document");
    document.map_err(|error| no_json(&format!("{source}: what the program wrote"), &error))
}

fn no_json(place: &str, error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Inventory, format!("{place} is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::File("x".into())
    }

    fn snapshot(json: &str) -> Result<Snapshot> {
        Snapshot::read(serde_json::from_str(json).unwrap(), &source())
    }

    #[test]
    fn the_three_forms_are_told_from_one_another() {
        let output = r#"{"value":"x","type":"string"}"#;
        for (json, resources) in [
            (format!(r#"{{"version":4,"outputs":{{"o":{output}}},"resources":[]}}"#), Some(0)),
            (
                format!(r#"{{"format_version":"1.0","values":{{"outputs":{{"o":{output}}}}}}}"#),
                Some(0),
            ),
            (format!(r#"{{"o":{output}}}"#), None),
            // An output may have any name.
            (format!(r#"{{"o":{output},"version":{output},"format_version":{output}}}"#), None),
        ] {
            let found = snapshot(&json).unwrap();
            assert_eq!(found.resources.map(|it| it.len()), resources, "{json}");
            assert_eq!(found.outputs.get("o"), Some(&"x".into()), "{json}");
        }
        assert_eq!(snapshot(r#"{"format_version":"1.0"}"#).unwrap().resources.unwrap().len(), 0);
        assert_eq!(snapshot("{}").unwrap().resources.map(|it| it.len()), None);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (json, problem) in [
            (
                r#"{"version":3,"modules":[]}"#,
                "x: this state is of version 3, and hostlink reads 4",
            ),
            (r#"{"version":5}"#, "x: this state is of version 5, and hostlink reads 4"),
            (r#"{"format_version":"2.0"}"#, "x: this is of format \"2.0\" of show -json"),
            (r#"{"format_version":"1.2","planned_values":{}}"#, "x: this is a plan"),
            (r#"{"encrypted_data":"x","serial":1}"#, "x: this state is encrypted"),
            (r#"{"hosts":["a"]}"#, "x: this is neither"),
            ("[]", "x: this is neither"),
        ] {
            let error = snapshot(json).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Inventory);
            assert!(error.to_string().starts_with(problem), "{error}");
        }
    }

    #[test]
    fn warnings_around_a_document_are_passed_over() {
        for text in ["{}\n", "\n│ Warning: {x}\n╵\n{\n  \n}\n", "{}\n\nWarning: x\n{"] {
            assert_eq!(
                of_program(text.as_bytes(), &source()).unwrap(),
                Value::Map(hostlink_core::Map::new())
            );
        }
        for (text, problem) in [
            ("", "x: the program wrote no JSON"),
            ("Warning: {}", "x: the program wrote no JSON"),
            (
                "{\n \"a\" 1}",
                "x: what the program wrote is no JSON: expected `:` at line 2 column 6",
            ),
        ] {
            assert_eq!(of_program(text.as_bytes(), &source()).unwrap_err().to_string(), problem);
        }
    }
}
