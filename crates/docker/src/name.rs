//! The argument of `@docker/` and `@podman/`.

use hostlink_core::{Error, ErrorKind, NameData, Result, refuse_unknown_link};

use crate::brand::Brand;
use crate::fields;
use crate::reference::check_identifier;

/// Parses the container or image in the argument. Without one, host data name it.
///
/// # Errors
///
/// [`ErrorKind::Inventory`] if the argument is not a valid name of either.
pub(crate) fn parse(brand: Brand, argument: Option<&str>) -> Result<NameData> {
    let word = brand.word();
    let Some(text) = argument else { return Ok(NameData::new(format!("@{word}"))) };
    refuse_unknown_link(text, || format!("{text:?}"))?;
    check_identifier(text)
        .map_err(|problem| refused(format!("@{word}/{}: {problem}", text.escape_debug())))?;
    Ok(NameData::new(format!("@{word}/{text}")).with_data(fields::IDENTIFIER.key, text))
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Inventory, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_data() {
        for text in ["web1", "debian:12", "reg.example.com:5000/a/b_c:1.2", "sha256:0a1b"] {
            let found = parse(Brand::Docker, Some(text)).unwrap();
            let expected = NameData::new(format!("@docker/{text}"));
            assert_eq!(found, expected.with_data("docker_identifier", text));
        }
        assert_eq!(parse(Brand::Podman, None).unwrap(), NameData::new("@podman"));
    }

    #[test]
    fn an_invalid_name_is_reported_in_one_line() {
        for text in
            ["", "a\nb", "a b", "-rf", "/web1", "a/../b", "a//b", "a?x=1", "a%2e", "é", "a:"]
        {
            let error = parse(Brand::Docker, Some(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Inventory);
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let error = parse(Brand::Docker, Some("c/@chrot//r")).unwrap_err().to_string();
        assert_eq!(error, "\"c/@chrot//r\": there is no connector \"chrot\"");
    }
}
