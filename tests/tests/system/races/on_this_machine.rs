//! With Debian's tools, by sudo.

use hostlink::{ConnectorArguments, Context, Data, Link, builtin_registry};

use super::get::{race_of_destinations, race_of_sources};
use super::{Scene, TRIES, race};

async fn local() -> Link {
    builtin_registry().connect("@local", &Data::new(), &Context::default()).await.unwrap()
}

#[tokio::test]
async fn nothing_of_root_s_lands_where_another_user_leads() {
    let (scene, link) = (Scene::at(None), local().await);
    race(&scene, &link, &ConnectorArguments::new().with_sudo(true)).await;
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn nothing_is_read_where_another_user_leads() {
    let (scene, link) = (Scene::at(None), local().await);
    race_of_sources(&scene, &link, &ConnectorArguments::new().with_sudo(true), TRIES).await;
    link.disconnect().await.unwrap();
}

#[tokio::test]
async fn nothing_that_is_read_lands_where_another_user_leads() {
    let link = local().await;
    for mode in [0o777, 0o1777] {
        race_of_destinations(&Scene::at(None), &link, mode).await;
    }
    link.disconnect().await.unwrap();
}
