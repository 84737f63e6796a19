//! Reads the examples of a page: blocks of code that are marked `console`, and the files that they
//! use.
//!
//! A `console` block shows what a user types after `$ ` (a line that begins with `> ` continues it)
//! and what appears. A block of any language is a file of the examples if the comment
//! `<!-- file: NAME -->` comes before it.

/// What a page says, in order.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    File { name: String, text: String },
    Command(Command),
}

/// A line that a user types, and what the page shows after it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Command {
    /// The number of its line on the page.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) shown: Vec<String>,
    /// The block is marked `console,unordered`: hosts finish in any order.
    pub(crate) unordered: bool,
}

/// # Panics
///
/// If an example begins with something other than a command.
pub(crate) fn read(page: &str) -> Vec<Step> {
    let mut lines = page.lines().enumerate();
    let (mut steps, mut file) = (Vec::new(), None);
    while let Some((number, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- file: ") {
            file = name.strip_suffix(" -->").map(str::to_owned);
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if let Some(name) = file.take() {
            steps.push(Step::File { name, text: block.join("\n") + "\n" });
        } else if language == "console" || language.starts_with("console,") {
            // The block begins on the next line, and lines are counted from 1.
            steps.extend(commands(&block, number + 2, language.ends_with(",unordered")));
        }
    }
    steps
}

fn commands(block: &[&str], first: usize, unordered: bool) -> Vec<Step> {
    let mut commands: Vec<Command> = Vec::new();
    for (line, text) in (first..).zip(block) {
        if let Some(text) = text.strip_prefix("$ ") {
            commands.push(Command { line, text: text.into(), unordered, ..Command::default() });
            continue;
        }
        let command = commands.last_mut();
        let command = command.unwrap_or_else(|| panic!("line {line}: no command before {text:?}"));
        match text.strip_prefix("> ") {
            Some(text) if command.shown.is_empty() => command.text += &format!("\n{text}"),
            _ => command.shown.push((*text).to_owned()),
        }
    }
    commands.into_iter().map(Step::Command).collect()
}

#[test]
fn commands_and_files_are_found() {
    let page = "# A page\n\n<!-- file: a.yaml -->\n```yaml\nhosts: [a]\n```\n\n```sh\nnot run\n```\n\
                ```console,unordered\n$ cat <<E\n> x\n> E\nx\n\n$ true\n```\n";
    let [file, cat, quiet] = &read(page)[..] else { panic!("{:?}", read(page)) };
    assert_eq!(*file, Step::File { name: "a.yaml".into(), text: "hosts: [a]\n".into() });
    let shown = vec!["x".to_owned(), String::new()];
    let expected = Command { line: 12, text: "cat <<E\nx\nE".into(), shown, unordered: true };
    assert_eq!(*cat, Step::Command(expected));
    let expected = Command { line: 17, text: "true".into(), unordered: true, ..Command::default() };
    assert_eq!(*quiet, Step::Command(expected));
}
