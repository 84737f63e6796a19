//! The argument of `@chroot/`.

use hostlink_core::{Error, ErrorKind, NameData, Result};

use crate::fields::{PATH, root_path};

/// The directory that the argument names.
///
/// # Errors
///
/// [`ErrorKind::Inventory`]: there is no argument, or it is no path of a root.
pub(crate) fn parse(argument: Option<&str>) -> Result<NameData> {
    let refused = |message: String| Error::new(ErrorKind::Inventory, message);
    let path = argument.ok_or_else(|| {
        refused("@chroot stands for no directory: write @chroot/ and its absolute path".to_owned())
    })?;
    let name = format!("@chroot/{path}");
    let path = root_path(path).map_err(|problem| refused(format!("{name}: {problem}")))?;
    Ok(NameData::new(name).with_data(PATH.key, path))
}
