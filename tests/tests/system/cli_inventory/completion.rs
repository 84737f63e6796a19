//! Completions in real shells.

use std::path::Path;
use std::process::Command;

use hostlink_tests::binary;
use hostlink_tests::cli::{code, run, stderr, stdout, wait_until};
use hostlink_tests::terminal::Terminal;

use crate::cli_inventory::{Files, TEXT};

/// `PATH` with hostlink on it.
fn path() -> String {
    format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap())
}

/// How a shell completes a line at the Tab key, on a terminal.
struct Shell {
    terminal: Terminal,
    /// The keys that write the words of the completed line to a file.
    keys: &'static str,
}

impl Shell {
    fn bash(files: &Files) -> Self {
        let begin = "source <(hostlink completions bash)";
        // The line becomes the arguments of a command: Ctrl-A goes to its start, Ctrl-E to its end.
        let keys = "\t\x01printf '%s\\n' \x05 >w; mv w written\r";
        Self::start(Path::new("/bin/bash"), ["--norc", "-i"], begin, keys, files)
    }

    fn zsh(files: &Files) -> Self {
        // Calls the key's own function, then writes the words of the completed line.
        let begin = "autoload -U compinit; compinit -u -D; source <(hostlink completions zsh); \
                     tab() { zle expand-or-complete; eval \"print -rl -- $BUFFER\" >w; mv w written; BUFFER= }; \
                     zle -N tab; bindkey '^I' tab";
        Self::start(Path::new("/usr/bin/zsh"), ["-f", "-i"], begin, "\t", files)
    }

    fn start(
        shell: &Path,
        words: [&str; 2],
        begin: &str,
        keys: &'static str,
        files: &Files,
    ) -> Self {
        let (path, home) = (path(), files.path("home").display().to_string());
        let variables = [("PATH", path.as_str()), ("HOME", &home), ("INPUTRC", "/dev/null")];
        let terminal = Terminal::start(shell, words, &variables);
        let directory = files.0.path().display().to_string();
        terminal.type_in(&format!("cd '{directory}'; {begin}; PS1='re''ady '\r"));
        terminal.wait_for("ready ");
        Self { terminal, keys }
    }

    /// Returns the words of the line after the first, once Tab was pressed.
    fn completed(&self, files: &Files, line: &str) -> String {
        let written = files.path("written");
        self.terminal.type_in(&format!("{line}{}", self.keys));
        wait_until("the line is run", || written.exists());
        let words = std::fs::read_to_string(&written).unwrap();
        std::fs::remove_file(written).unwrap();
        words.lines().skip(1).collect::<Vec<_>>().join(" ")
    }
}

/// Completions in bash and zsh.
const COMPLETED: &[(&str, &str)] = &[
    ("hostlink inv.", "inv.yaml"),
    ("hostlink bu", "build"),
    ("hostlink w1,ba", "w1,bastion"),
    ("hostlink @loc", "@local"),
    ("hostlink w1,@loc", "w1,@local"),
    ("hostlink w1,@ansible/in", "w1,@ansible/inv.yaml"),
    ("hostlink @chr", "@chroot/"),
    ("hostlink conn", "connectors"),
    ("hostlink inv.yaml ex", "inv.yaml exec"),
    ("hostlink inv.yaml inventory --gr", "inv.yaml inventory --gr"),
    ("hostlink inv.yaml inventory --gra", "inv.yaml inventory --graph"),
    ("hostlink inv.yaml inventory --limit ed", "inv.yaml inventory --limit edge"),
    ("hostlink inv.yaml exec --limit web,d1", "inv.yaml exec --limit web,d1"),
    ("hostlink inv.yaml exec --limit web,ed", "inv.yaml exec --limit web,edge"),
    ("hostlink inv.yaml exec --limit nothing-like-it", "inv.yaml exec --limit nothing-like-it"),
    ("hostlink completions z", "completions zsh"),
    ("hostlink --limi", "--limit"),
    ("hostlink --sudo --chd", "--sudo --chdir"),
    ("hostlink -nothing", "-nothing"),
    ("hostlink --limit web --data x=y inv.", "--limit web --data x=y inv.yaml"),
    ("hostlink --sudo in", "--sudo inv.yaml"),
    ("hostlink 'inv.yaml' exec --limit 'web:!ed", "inv.yaml exec --limit web:!edge"),
    ("hostlink in\\v.yaml exec --limit \"web,&ed", "inv.yaml exec --limit web,&edge"),
    ("hostlink  inv.yaml  exec  --limit=ed", "inv.yaml exec --limit=edge"),
    ("hostlink inv.yaml exec --limit web:\\!ed", "inv.yaml exec --limit web:!edge"),
];

/// Completions of names that would be special to a shell.
const ODD_NAMES: &[(&str, &str)] = &[
    ("hostlink a", "a b.yaml"),
    ("hostlink a\\ ", "a b.yaml"),
    ("hostlink 'a ", "a b.yaml"),
    ("hostlink \"a b", "a b.yaml"),
    ("hostlink x", "x;touch PWN;.yaml"),
    ("hostlink w1,x", "w1,x;touch PWN;.yaml"),
    ("hostlink \"x", "x;touch PWN;.yaml"),
    ("hostlink \\$", "$(touch PWN).yaml"),
    ("hostlink '$", "$(touch PWN).yaml"),
    ("hostlink q", "q'r\"s.yaml"),
    ("hostlink b", "b\\,c.yaml"),
    ("hostlink 'a 'b", "a b.yaml"),
    ("hostlink plain.yaml exec --limit z", "plain.yaml exec --limit zeta"),
    ("hostlink @local put w,1/", "@local put w,1/$(touch PWN)"),
];

#[test]
fn bash_and_zsh_complete_subcommands_hosts_groups_and_files() {
    let files = Files::new(&[
        ("inv.yaml", TEXT),
        ("home/.ssh/config", "Host bastion build\n"),
        ("-nothing-like-an-option", ""),
    ]);
    for shell in [Shell::bash(&files), Shell::zsh(&files)] {
        for (line, wanted) in COMPLETED {
            assert_eq!(shell.completed(&files, line), *wanted, "{line}");
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(files.shown(&["completions", shell]).contains("HOSTLINK_COMPLETE"), "{shell}");
    }
}

#[test]
fn odd_names_of_files_and_hosts_are_text_to_bash_and_zsh() {
    let names = ["a b.yaml", "x;touch PWN;.yaml", "$(touch PWN).yaml", "q'r\"s.yaml", "b\\,c.yaml"];
    let hosts = "hosts: [zeta, 'z$(touch${IFS}PWN)', 'z;touch${IFS}PWN', \"z`touch${IFS}PWN`\"]\n";
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, hosts)).collect();
    let files =
        Files::new(&[&files[..], &[("plain.yaml", hosts), ("w,1/$(touch PWN)", "")]].concat());
    for shell in [Shell::bash(&files), Shell::zsh(&files)] {
        for (line, wanted) in ODD_NAMES {
            assert_eq!(shell.completed(&files, line), *wanted, "{line}");
            assert!(!files.path("PWN").exists() && !files.path("PWN;.yaml").exists(), "{line}");
        }
        // The control: the same text, typed unquoted, is executed.
        shell.completed(&files, "hostlink $(touch PWN).yaml");
        std::fs::remove_file(files.path("PWN")).unwrap();
    }
}

#[test]
fn fish_completes_subcommands_hosts_groups_and_files() {
    let files = Files::new(&[("inv.yaml", TEXT), ("home/.ssh/config", "Host bastion build\n")]);
    let completed = |line: &str| {
        let script = "hostlink completions fish | source; complete -C $argv[1]";
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", script, line]).current_dir(files.path(""));
        fish.env("PATH", path()).env("HOME", files.path("home"));
        let output = run(fish);
        assert_eq!((code(&output), &*stderr(&output)), (0, ""), "{line}");
        let lines = stdout(&output);
        // A description may follow after a tab.
        let mut words: Vec<&str> =
            lines.lines().map(|line| line.split('\t').next().unwrap_or(line)).collect();
        words.sort_unstable();
        words.join(" ")
    };
    for (line, wanted) in [
        ("hostlink inv.", "inv.yaml"),
        ("hostlink bu", "build"),
        ("hostlink w1,ba", "w1,bastion"),
        ("hostlink @loc", "@local"),
        ("hostlink w1,@loc", "w1,@local"),
        ("hostlink w1,@ansible/in", "w1,@ansible/inv.yaml"),
        ("hostlink conn", "connectors"),
        ("hostlink inv.yaml ex", "exec"),
        ("hostlink --sudo inv.yaml ex", "exec"),
        ("hostlink --limi", "--limit"),
        ("hostlink in", "inv.yaml"),
        ("hostlink inv.yaml inventory --gra", "--graph"),
        ("hostlink inv.yaml inventory --limit w", "w1 w2 web"),
        ("hostlink inv.yaml exec --limit e", "e1 e2 edge"),
        ("hostlink inv.yaml exec --limit web,ed", "web,edge"),
        ("hostlink inv.yaml exec --exclude 'web:!ed", "'web:!edge"),
        ("hostlink inv.yaml exec --limit=ed", "--limit=edge"),
        ("hostlink inv.yaml exec --limit nothing-like-it", ""),
    ] {
        assert_eq!(completed(line), wanted, "{line}");
    }
}
