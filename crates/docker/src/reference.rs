//! Names of containers and images, by the grammar of the engines.

/// Checks that a text can be the name or ID of a container or image. It is then also valid in a
/// path of the engine's API.
pub(crate) fn check_identifier(text: &str) -> Result<(), String> {
    const FORMS: &str = "write the name or ID of a container, or IMAGE[:TAG]";
    if text.is_empty() {
        return Err(format!("the name is empty: {FORMS}"));
    }
    let strange = |c: &char| !(c.is_ascii_alphanumeric() || "._/:@-".contains(*c));
    if let Some(found) = text.chars().find(strange) {
        return Err(format!("{found:?} is not valid in a name of a container or image: {FORMS}"));
    }
    let odd = text.contains("..") || text.contains("//") || text.contains("/.");
    if odd || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.ends_with(['/', ':']) {
        return Err(format!("this is not a name of a container or image: {FORMS}"));
    }
    Ok(())
}

/// Checks that an image can have this name, by the engines' grammar.
pub(crate) fn check_new_image(repository: &str, tag: &str) -> Result<(), String> {
    const FORM: &str = "write NAME[:TAG], the name in lower case";
    const LONGEST_TAG: usize = 128;
    const LONGEST_NAME: usize = 255;
    let is_tag = tag.len() <= LONGEST_TAG
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !is_tag {
        return Err(format!("{tag:?} is not a valid tag: {FORM}"));
    }
    let (registry, path) = match repository.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), path)
        }
        _ => (None, repository),
    };
    // A name of 64 hexadecimal digits would be an ID.
    let is_id = path.len() == 64 && path.chars().all(|c| c.is_ascii_hexdigit());
    let is_name = repository.len() <= LONGEST_NAME
        && registry.is_none_or(is_registry)
        && path.split('/').all(is_component);
    if !is_name || is_id {
        return Err(format!("{repository:?} is not a valid image name: {FORM}"));
    }
    Ok(())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_part = |part: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !part.is_empty()
            && part.chars().all(is_inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    host.split('.').all(is_part) && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

/// Returns whether a text is letters and digits, with `.`, `_`, `__` or any number of `-` between
/// them.
fn is_component(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut between = text.split(is_plain);
    // The text before the first and after the last separator.
    text.starts_with(is_plain)
        && text.ends_with(is_plain)
        && between.all(|it| matches!(it, "" | "." | "_" | "__") || it.chars().all(|c| c == '-'))
}

/// Returns whether a valid text can be a container's name or ID.
pub(crate) fn may_be_container(text: &str) -> bool {
    !text.contains(['/', ':', '@'])
}
