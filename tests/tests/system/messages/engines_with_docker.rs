//! Docker and Podman, where a container cannot be reached or entered.

use hostlink::{ConnectorArguments, Context, Data, Error, Link, Result, builtin_registry};
use hostlink_tests::container::{BUSYBOX, Container};
use hostlink_tests::engine::{Engine, PODMAN_SOCKET};

use super::{Table, failed};

fn data(engine: Engine) -> Data {
    match engine {
        Engine::Docker => Data::new(),
        Engine::Podman => Data::new().with("podman_socket", PODMAN_SOCKET),
    }
}

async fn connect(name: &str, data: &Data) -> Result<Link> {
    builtin_registry().connect(name, data, &Context::default()).await
}

/// Connects, and runs a command if that succeeds.
async fn refused(name: &str, data: &Data) -> Error {
    match connect(name, data).await {
        Err(error) => error,
        Ok(link) => {
            let error = failed(&link, "true", &ConnectorArguments::new()).await;
            link.disconnect().await.unwrap();
            error
        }
    }
}

#[tokio::test]
async fn of_engines() {
    let mut table = Table::new("engines.txt");
    for engine in [Engine::Docker, Engine::Podman] {
        let container = Container::start_on(engine, BUSYBOX, &[]);
        let name = format!("@{engine}/{}", container.name());
        table.mask(container.name(), "CONTAINER");
        let own = data(engine);
        for (situation, cause, name, data) in [
            (
                "a user whom the container lacks",
                "nosuch",
                &name,
                own.clone().with("docker_user", "nosuch"),
            ),
            (
                "a directory that the container lacks",
                "/none",
                &name,
                own.clone().with("docker_workdir", "/none"),
            ),
            (
                "a file as directory",
                "ot a directory",
                &name,
                own.clone().with("docker_workdir", "/bin/busybox"),
            ),
            (
                "a container that is not there",
                "no container",
                &format!("@{engine}/no-such"),
                own.clone().with("docker_container_id", "no-such"),
            ),
        ] {
            table.add(&format!("{engine}: {situation}"), cause, &refused(name, &data).await);
        }
        let socket = match engine {
            Engine::Docker => data(engine).with("docker_host", "unix:///none.sock"),
            Engine::Podman => Data::new().with("podman_socket", "/none.sock"),
        };
        let error = refused(&name, &socket).await;
        table.add(&format!("{engine}: an engine that does not run"), "/none.sock", &error);

        let link = connect(&name, &own).await.unwrap();
        let error = failed(&link, "kill -KILL $$", &ConnectorArguments::new()).await;
        table.add(&format!("{engine}: a signal that ends the command"), "137", &error);
        link.disconnect().await.unwrap();
        engine.say(["pause", container.name()]);
        let error = refused(&name, &own).await;
        table.add(&format!("{engine}: a container that is paused"), "paused", &error);
        engine.say(["unpause", container.name()]);
        let _ = container.shell("rm /bin/sh");
        let error = refused(&name, &own).await;
        table.add(&format!("{engine}: a container without a shell"), "sh", &error);
    }
    table.compare();
}
