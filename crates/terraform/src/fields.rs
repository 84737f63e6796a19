//! The settings that `@terraform` reads.

use hostlink_core::DataField;

const fn field(
    key: &'static str,
    type_name: &'static str,
    default: &'static str,
    description: &'static str,
) -> DataField {
    DataField { key, description, type_name, default, secret: false }
}

pub(crate) const DIRECTORY: DataField = field(
    "terraform_directory",
    "path",
    "the current directory",
    "Directory of the configuration that Terraform or OpenTofu is asked in.",
);
pub(crate) const STATE: DataField = field(
    "terraform_state",
    "path",
    "",
    "A terraform.tfstate, or what show -json or output -json has written: it is read in the place of a directory, without Terraform.",
);
pub(crate) const PROGRAM: DataField = field(
    "terraform_program",
    "path or name",
    "terraform, then tofu",
    "The program that is asked; a name is looked for on PATH.",
);

/// Every field, in the order of help texts.
pub(crate) const FIELDS: &[DataField] = &[DIRECTORY, STATE, PROGRAM];

/// All of them: they say what is run here, or which file is read.
pub(crate) const GUARDED: [&str; 3] = [DIRECTORY.key, STATE.key, PROGRAM.key];
