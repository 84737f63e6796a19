//! Files to and from containers: every kind of directory, every kind of user, and failures midway.

mod directly_with_docker;
mod midway_with_docker;
mod mounts_with_docker;
mod places_with_docker;
mod users_with_docker;

use hostlink::transfer::{GetOptions, PutOptions, Source, TEMPORARY_MARK};
use hostlink::{ConnectorArguments, Context, Data, Error, ErrorKind, Link, builtin_registry};
use hostlink_tests::container::Container;
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};

async fn connect(container: &Container) -> Link {
    connect_with(container, Data::new()).await
}

async fn connect_as(container: &Container, user: &str) -> Link {
    connect_with(container, Data::new().with("docker_user", user)).await
}

async fn connect_with(container: &Container, data: Data) -> Link {
    let engine = container.engine();
    let data = match engine {
        Engine::Docker => data,
        Engine::Podman => data.with("podman_socket", PODMAN_SOCKET),
    };
    let target = format!("@{engine}/{}", container.name());
    builtin_registry().connect(&target, &data, &Context::default()).await.unwrap()
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn puts() -> PutOptions {
    PutOptions::default()
}

fn with_sudo(user: Option<&str>) -> PutOptions {
    let arguments = ConnectorArguments::new().with_sudo(true);
    puts().with_arguments(match user {
        Some(user) => arguments.with_sudo_user(user),
        None => arguments,
    })
}

async fn put_text(link: &Link, text: &str, path: &str, options: &PutOptions) -> bool {
    let source = Source::bytes(text.as_bytes().to_vec());
    link.put_file(source, path, options).await.unwrap().in_place
}

async fn get(link: &Link, path: &str) -> Vec<u8> {
    let mut got = Vec::new();
    link.get_file(path, &mut got, &GetOptions::default()).await.unwrap();
    got
}

/// Checks that the error is of this kind, and one line that names the file.
fn assert_error(error: &Error, kind: ErrorKind, path: &str) {
    let line = error.to_string();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(line.contains(path) && !line.contains('\n'), "{line}");
}

/// Returns hostlink's temporaries in the container, wherever they are.
fn temporaries(container: &Container) -> String {
    container.shell(&format!("find / -path /proc -prune -o -name '*{TEMPORARY_MARK}*' -print"))
}
