//! One run of Terraform, and what it says when it fails.

use std::collections::BTreeMap;
use std::path::Path;

use hostlink_core::{Error, ErrorKind, Result};
use hostlink_local::Program;

/// The most that is taken of a document, from a program or a file: 32 MiB.
pub(crate) const MOST: usize = 32 << 20;

/// Runs `program WORDS` in a directory and returns its standard output. It may take 60 s: reading a
/// state from afar takes seconds.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: it does not start, does not end in time, fails (with what it said), or
/// writes too much.
///
/// # Cancel safety
///
/// When it is dropped, the program and its plugins are killed.
pub(crate) async fn output(
    program: &Path,
    words: &[&str],
    directory: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let name = program.file_name().unwrap_or(program.as_os_str()).display();
    let shown = format!("{}: {name} {}", directory.display(), words.join(" "));
    let failed = |problem: String| Error::new(ErrorKind::Inventory, format!("{shown} {problem}"));
    let program =
        Program::new(program, environment).args(words).directory(directory).max_output(MOST);
    let program = program.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0");
    let written = program.output().await.map_err(|problem| failed(problem.to_string()))?;
    if !written.status.success() {
        let error = failed(format!("failed ({})", written.status));
        return Err(error.with_stderr_tail(faults(&written.stderr).as_bytes()));
    }
    Ok(written.stdout)
}

/// Maximum number of errors of one run that are reported.
const MOST_FAULTS: usize = 3;

/// The maximum number of characters of each.
const FAULT_LENGTH: usize = 400;

/// The errors among what Terraform said, each as one sentence, in one line. What it quotes of the
/// configuration is left out, since that may hold secrets. All of it where there is no error that
/// can be recognised.
fn faults(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut faults: Vec<String> = Vec::new();
    let mut in_error = false;
    for line in
        text.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || "╷│╵".contains(c)))
    {
        if line.starts_with("Error:") {
            faults.push(String::new());
        }
        in_error = line.starts_with("Error:") || (in_error && !line.starts_with("Warning:"));
        if let Some(fault) = faults.last_mut().filter(|_| in_error && !is_quoted(line)) {
            fault.push_str(if fault.is_empty() || line.is_empty() { "" } else { " " });
            fault.push_str(line);
        }
    }
    if faults.is_empty() {
        return text.into_owned();
    }
    let told = faults.iter().take(MOST_FAULTS).map(|fault| shortened(fault));
    let more = faults.len().saturating_sub(MOST_FAULTS);
    let more = (more > 0).then(|| format!("and {more} more"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

/// Returns whether this is a line of the configuration, as in `  12: password = "x"`.
fn is_quoted(line: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn shortened(fault: &str) -> String {
    match fault.char_indices().nth(FAULT_LENGTH) {
        Some((at, _)) => format!("{} …", fault[..at].trim_end()),
        None => fault.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_runs_unattended_and_its_failure_is_told() {
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
        let script = "echo $TF_IN_AUTOMATION $TF_INPUT; pwd; echo last >&2; exit 3";
        let environment = &environment;
        let ran = async |script: &str| {
            output(Path::new("/bin/sh"), &["-c", script], Path::new("/"), environment).await
        };
        let document = ran("echo $TF_IN_AUTOMATION $TF_INPUT; pwd").await.unwrap();
        assert_eq!(document, b"1 0\n/\n");
        let error = ran(script).await.unwrap_err();
        assert!(error.to_string().ends_with("failed (exit status: 3): last"), "{error}");
    }

    #[test]
    fn errors_are_one_line_without_the_configuration() {
        let text = "There are some problems with the CLI configuration:\n╷\n│ Warning: x\n╵\n\n\
                    Error: Invalid expression\n\n  on m.tf line 1, in output \"x\":\n   1: password = \"hunter2\"\n\n\
                    Expected the start\nof an expression.\n╷\n│ Error: Second\n│ \n│ More.\n╵\nWarning: Late\n\nx\n";
        assert_eq!(
            faults(text.as_bytes()),
            "Error: Invalid expression on m.tf line 1, in output \"x\": \
             Expected the start of an expression.; Error: Second More."
        );
        assert_eq!(faults(b"sh: not found\n"), "sh: not found\n");
        let many = faults("Error: x\n".repeat(5).as_bytes());
        assert_eq!(many, "Error: x; Error: x; Error: x; and 2 more");
        let long = faults(format!("Error: {}", "ü".repeat(1000)).as_bytes());
        assert!(long.ends_with("ü …") && long.chars().count() == FAULT_LENGTH + 2, "{long}");
    }
}
