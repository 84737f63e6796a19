//! With busybox's tools, by su; also without tar.

use hostlink::{ConnectorArguments, Context, Data, builtin_registry};
use hostlink_tests::container::{BUSYBOX, Container};

use super::{Scene, race};

#[tokio::test]
async fn nothing_of_root_s_lands_where_another_user_leads() {
    race_without("").await;
}

#[tokio::test]
async fn nor_where_a_directory_goes_file_by_file() {
    race_without("/bin/tar").await;
}

async fn race_without(program: &str) {
    let scene = Scene::at(Some("/scene"));
    let volume = format!("--volume={}:/scene", scene.root.path().display());
    let container = Container::start_with(BUSYBOX, &[&volume]);
    let _ = container.shell(&format!("rm -f {program}; command -v su"));
    let target = format!("@docker/{}", container.name());
    let registry = builtin_registry();
    let link = registry.connect(&target, &Data::new(), &Context::default()).await.unwrap();
    race(&scene, &link, &ConnectorArguments::new().with_su_user("root")).await;
    link.disconnect().await.unwrap();
}
