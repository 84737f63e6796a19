//! The host data that the connectors read.

mod checks;

use std::sync::LazyLock;

use hostlink_core::{DataField, DataReader, FromValue, Secret, Value, data_fields};

use crate::brand::Brand;

data_fields! {
    /// The data as given.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Given from DataReader<'_>;

    /// Name or ID of a container or, if there is none, of an image.
    IDENTIFIER = "docker_identifier", "text"
        => identifier: Option<String>, checked(checks::identifier);
    /// Name or ID of an existing container.
    CONTAINER_ID = "docker_container_id", "text"
        => container_id: Option<String>, checked(checks::identifier);
    /// Image to make a container from.
    IMAGE = "docker_image", "text" => image: Option<String>, checked(checks::identifier);
    /// User in the container, USER or USER:GROUP, by name or number; the container's own if not
    /// given.
    USER = "docker_user", "text" => user: Option<String>, checked(checks::user);
    /// Directory in the container that commands start in; the container's own if not given.
    WORKDIR = "docker_workdir", "path" => workdir: Option<String>, checked(checks::workdir);
    /// Platform of the image, OS/ARCHITECTURE[/VARIANT]; the engine's own if not given. No effect
    /// on an existing container.
    ///
    /// Guarded, because an image that is pulled for it takes the name from the one that is here.
    PLATFORM = "docker_platform", "text", guarded: true
        => platform: Option<String>, checked(checks::platform);
    /// Architecture of the image, as in docker_platform.
    ARCHITECTURE = "docker_architecture", "text", guarded: true
        => architecture: Option<String>, checked(checks::architecture);
    /// Address of the engine: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT; as seen from the
    /// host that it is reached through.
    HOST = "docker_host", "text", guarded: true => host: Option<String>, get();
    /// Socket of Podman. Default: CONTAINER_HOST, then the usual sockets.
    SOCKET = "podman_socket", "path", guarded: true => socket: Option<String>, get();
    /// Reach the engine by its command and sudo, for users who may not open its socket.
    SUDO = "docker_sudo", "true or false", default: "false", guarded: true
        => sudo: bool, or_default();
    /// The password for this sudo, used when it prompts; _sudo_password is for commands in the
    /// container.
    SUDO_PASSWORD = "docker_sudo_password", "text", secret: true
        => sudo_password: Option<Secret>, get();
    /// When to commit the container of an image to a new image, at the end. An existing container
    /// is never committed.
    COMMIT = "docker_commit", CommitPolicy::EXPECTED, default: "always"
        => commit: CommitPolicy, or_default();
    /// Name for the new image, NAME[:TAG]. No effect on an existing container.
    TAG = "docker_tag", "text", guarded: true
        => tag: Option<(String, String)>, checked(checks::new_image);
}

static DOCKER: LazyLock<Vec<DataField>> = LazyLock::new(|| all_but(&SOCKET));
static PODMAN: LazyLock<Vec<DataField>> = LazyLock::new(|| all_but(&HOST));

fn all_but(other: &DataField) -> Vec<DataField> {
    FIELDS.iter().filter(|field| field.key != other.key).copied().collect()
}

/// Returns every field of a connector, in the order of help texts.
pub(crate) fn of(brand: Brand) -> &'static [DataField] {
    match brand {
        Brand::Docker => &DOCKER,
        Brand::Podman => &PODMAN,
    }
}

/// Returns the field with the engine's address.
pub(crate) fn place(brand: Brand) -> &'static DataField {
    match brand {
        Brand::Docker => &HOST,
        Brand::Podman => &SOCKET,
    }
}

/// When a container made from an image is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitPolicy {
    Always,
    /// If no command, put or get has failed.
    OnSuccess,
    Never,
}

impl FromValue for CommitPolicy {
    const EXPECTED: &'static str = "always, on-success or never";

    fn from_value(value: &Value) -> Option<Self> {
        value.choice(&[
            ("always", Self::Always),
            ("true", Self::Always),
            ("yes", Self::Always),
            ("on-success", Self::OnSuccess),
            ("never", Self::Never),
            ("false", Self::Never),
            ("no", Self::Never),
        ])
    }
}
