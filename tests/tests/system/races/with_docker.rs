//! With busybox's tools, by su; and with Debian's, but without tar. busybox's shell has its own.

use hostlink::{ConnectorArguments, Context, Data, Link, builtin_registry};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};

use super::get::race_of_sources;
use super::{Scene, TRIES, race};

#[tokio::test]
async fn nothing_of_root_s_lands_where_another_user_leads() {
    race_in(BUSYBOX, "").await;
}

#[tokio::test]
async fn nor_where_a_directory_goes_file_by_file() {
    race_in(DEBIAN, "/bin/tar").await;
}

#[tokio::test]
async fn nothing_is_read_where_another_user_leads() {
    read_in(BUSYBOX, "").await;
}

#[tokio::test]
async fn nor_where_a_directory_is_read_file_by_file() {
    read_in(DEBIAN, "/bin/tar").await;
}

async fn race_in(image: &str, without: &str) {
    let (scene, _container, link) = scene_in(image, without).await;
    race(&scene, &link, &ConnectorArguments::new().with_su_user("root")).await;
    link.disconnect().await.unwrap();
}

async fn read_in(image: &str, without: &str) {
    let (scene, _container, link) = scene_in(image, without).await;
    race_of_sources(&scene, &link, &ConnectorArguments::new().with_su_user("root"), TRIES).await;
    link.disconnect().await.unwrap();
}

async fn scene_in(image: &str, without: &str) -> (Scene, Container, Link) {
    let scene = Scene::at(Some("/scene"));
    let volume = format!("--volume={}:/scene", scene.root.path().display());
    let container = Container::start_with(image, &[&volume]);
    let found = container.shell(&format!("rm -f {without} && command -v su; command -v tar || :"));
    assert_eq!(found.lines().count(), if without.is_empty() { 2 } else { 1 }, "{found}");
    let target = format!("@docker/{}", container.name());
    let registry = builtin_registry();
    let link = registry.connect(&target, &Data::new(), &Context::default()).await.unwrap();
    (scene, container, link)
}
