//! The settings that `@terraform` reads. All of them say what is run here, or which file is read.

use hostlink_core::{DataReader, data_fields};

data_fields! {
    /// The settings as they are given.
    pub(crate) struct Given from DataReader<'_>;

    /// Directory of the configuration that Terraform or OpenTofu is asked in; the current directory
    /// if not given.
    DIRECTORY = "terraform_directory", "path", guarded: true => directory: Option<String>, get();
    /// A terraform.tfstate, or what show -json or output -json has written: it is read in the place
    /// of a directory, without Terraform.
    STATE = "terraform_state", "path", guarded: true => state: Option<String>, get();
    /// The program that is asked; a name is looked for on PATH. Without it terraform is looked for,
    /// then tofu.
    PROGRAM = "terraform_program", "path or name", guarded: true => program: Option<String>, get();
}
