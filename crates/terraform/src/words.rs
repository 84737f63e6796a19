//! Names of hosts and groups out of names that others have given.

use hostlink_core::nearest;

/// The maximum number of names in an error.
const MOST_LISTED: usize = 20;

/// The name with a dash instead of what is not safe in the name of a host; empty if nothing is
/// left.
pub(crate) fn host_name(text: &str) -> String {
    let name = replaced(text, '-');
    // A bracket that closes right before a dot needs no mark of its own.
    name.replace("-.", ".").trim_matches(['-', '.', '_']).to_owned()
}

/// The name with an underscore instead of what is not safe in the name of a group.
pub(crate) fn group_name(text: &str) -> String {
    replaced(text, '_')
}

/// Returns whether every place takes this name unchanged, a host of `@ssh/` too.
pub(crate) fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(is_safe)
}

fn is_safe(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
}

/// One mark replaces a run of characters that are not safe.
fn replaced(text: &str, mark: char) -> String {
    let mut name = String::with_capacity(text.len());
    let mut after_unsafe = false;
    for character in text.chars() {
        if is_safe(character) {
            name.push(character);
        } else if !after_unsafe {
            name.push(mark);
        }
        after_unsafe = !is_safe(character);
    }
    name
}

/// The existing names, for the error of an unknown one; first those that it may have meant.
pub(crate) fn known(wanted: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return "there are none".to_owned();
    }
    let hint = nearest::hint(wanted, names.iter().copied());
    format!("there are: {}{hint}", listed(names))
}

/// The first names, and how many more there are.
pub(crate) fn listed(names: &[&str]) -> String {
    let first = names[..names.len().min(MOST_LISTED)].join(", ");
    match names.len().saturating_sub(MOST_LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_have_nothing_that_needs_quotes() {
        for (text, name) in [
            ("web-1.example.com", "web-1.example.com"),
            ("Web server (1)", "Web-server-1"),
            ("-oProxyCommand=x", "oProxyCommand-x"),
            ("@docker/x", "docker-x"),
            ("module.a[\"k\"].aws_instance.web[0]", "module.a-k.aws_instance.web-0"),
            ("ü", ""),
        ] {
            assert_eq!(host_name(text), name);
            assert!(is_plain(&host_name(text)) || name.is_empty(), "{text}");
        }
    }

    #[test]
    fn names_of_groups_have_underscores() {
        assert_eq!(group_name("tag_role_a b/c"), "tag_role_a_b_c");
    }

    #[test]
    fn many_names_are_not_all_listed() {
        let names: Vec<String> = (0..25).map(|number| format!("output{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = known("x", &names);
        assert!(text.ends_with("output19 and 5 more"), "{text}");
        assert_eq!(known("bd", &["db"]), "there are: db (did you mean db?)");
        assert_eq!(known("x", &[]), "there are none");
    }
}
