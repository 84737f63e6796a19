//! The settings that `@vagrant` reads.

use hostlink_core::{DataReader, data_fields};

data_fields! {
    /// The settings as they are given.
    pub(crate) struct Given from DataReader<'_>;

    /// Directory of the Vagrantfile; without it, VAGRANT_CWD or the current directory.
    // Guarded, because a Vagrantfile is a program.
    DIRECTORY = "vagrant_directory", "path", guarded: true => directory: Option<String>, get();
}
