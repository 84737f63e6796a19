//! The host data that the connectors read.

use hostlink_core::DataField;

use crate::brand::Brand;

macro_rules! fields {
    ($($name:ident: $key:literal, $type_name:literal, $default:literal, $description:literal;)+) => {
        $(pub(crate) const $name: DataField = DataField {
            key: $key,
            description: $description,
            type_name: $type_name,
            default: $default,
            secret: false,
        };)+
    };
}

fields! {
    IDENTIFIER: "docker_identifier", "text", "",
        "Name or ID of a container or, if there is none, of an image.";
    CONTAINER_ID: "docker_container_id", "text", "",
        "Name or ID of a container that exists.";
    IMAGE: "docker_image", "text", "",
        "Image to make a container of.";
    USER: "docker_user", "text", "",
        "User in the container, USER or USER:GROUP, by name or number; the container's own if not given.";
    WORKDIR: "docker_workdir", "path", "",
        "Directory in the container that commands start in; the container's own if not given.";
    PLATFORM: "docker_platform", "text", "",
        "Platform of the image, OS/ARCHITECTURE[/VARIANT]; the engine's own if not given. Useless for a container that exists.";
    ARCHITECTURE: "docker_architecture", "text", "",
        "Architecture of the image, as in docker_platform.";
    HOST: "docker_host", "text", "",
        "Where the engine listens: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT; as seen from the host that it is reached through.";
    SUDO: "docker_sudo", "true or false", "false",
        "Reach the engine by its command and sudo, for users who may not open its socket.";
    COMMIT: "docker_commit", "always, on-success or never", "always",
        "When the container of an image is made an image in turn, at the end. A container that exists never is.";
    TAG: "docker_tag", "text", "",
        "Name for the new image, NAME[:TAG]. Useless for a container that exists.";
    SOCKET: "podman_socket", "path", "",
        "Socket of Podman; without it CONTAINER_HOST holds, then the usual places.";
}

pub(crate) const SUDO_PASSWORD: DataField = DataField {
    key: "docker_sudo_password",
    description: "The password that this sudo is given when it asks; _sudo_password is for commands in the container.",
    type_name: "text",
    default: "",
    secret: true,
};

const DOCKER: &[DataField] = &[
    IDENTIFIER,
    CONTAINER_ID,
    IMAGE,
    USER,
    WORKDIR,
    PLATFORM,
    ARCHITECTURE,
    HOST,
    SUDO,
    SUDO_PASSWORD,
    COMMIT,
    TAG,
];

const PODMAN: &[DataField] = &[
    IDENTIFIER,
    CONTAINER_ID,
    IMAGE,
    USER,
    WORKDIR,
    PLATFORM,
    ARCHITECTURE,
    SOCKET,
    SUDO,
    SUDO_PASSWORD,
    COMMIT,
    TAG,
];

/// Every field of a connector, in the order of help texts.
pub(crate) fn of(brand: Brand) -> &'static [DataField] {
    match brand {
        Brand::Docker => DOCKER,
        Brand::Podman => PODMAN,
    }
}

/// What runs sudo on this machine, or says which engine is asked with this machine's credentials.
pub(crate) const GUARDED: [&str; 3] = [HOST.key, SUDO.key, SOCKET.key];

/// The field that says where the engine is.
pub(crate) fn place(brand: Brand) -> &'static DataField {
    match brand {
        Brand::Docker => &HOST,
        Brand::Podman => &SOCKET,
    }
}
