//! `ssh_proxy_jump`.

use crate::destination::Destination;

/// The hops in the plain form, which every version of ssh reads.
pub(super) fn parse(text: &str) -> Result<String, String> {
    if is_none(text) {
        return Ok("none".to_owned());
    }
    let hops: Vec<&str> = text.split(',').map(str::trim).collect();
    let several = hops.len() > 1;
    let hops = hops.iter().enumerate().map(|(at, hop)| {
        parse_hop(hop).map_err(|problem| match several {
            true => format!("is not valid: in hop {}, {problem}", at + 1),
            false => format!("is not a valid hop: {problem}"),
        })
    });
    Ok(hops.collect::<Result<Vec<_>, _>>()?.join(","))
}

/// Returns whether this overrides ssh's configuration with no hop.
pub(crate) fn is_none(text: &str) -> bool {
    text.eq_ignore_ascii_case("none")
}

fn parse_hop(text: &str) -> Result<String, String> {
    let hop = Destination::parse(text)?;
    if let Some(user) = &hop.user {
        check_for_shell(user).map_err(|problem| format!("the user {problem}"))?;
    }
    check_for_shell(&hop.host).map_err(|problem| format!("the host {problem}"))?;
    Ok(hop.to_string())
}

/// ssh makes each hop a `ProxyCommand` without quotes (`ssh.c`, "Setting implicit ProxyCommand"):
/// a shell reads it, and `%` starts a token.
fn check_for_shell(word: &str) -> Result<(), String> {
    match word.chars().find(|c| !c.is_alphanumeric() && !"._-:@/+=".contains(*c)) {
        None => Ok(()),
        Some(found) => Err(format!(
            "holds the character {found}, which a shell would read: name the hop in ssh's configuration"
        )),
    }
}
