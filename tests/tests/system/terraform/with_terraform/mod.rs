//! Tests that need Terraform itself. Its built-in `terraform_data` and outputs need no provider,
//! and so no network.

mod commands;
mod failures;
mod files;
mod inventory;
mod outputs;
mod programs;
