//! With Debian's tools, by sudo.

use hostlink::{ConnectorArguments, Context, Data, builtin_registry};

use super::{Scene, race};

#[tokio::test]
async fn nothing_of_root_s_lands_where_another_user_leads() {
    let scene = Scene::at(None);
    let context = Context::default();
    let link = builtin_registry().connect("@local", &Data::new(), &context).await.unwrap();
    race(&scene, &link, &ConnectorArguments::new().with_sudo(true)).await;
    link.disconnect().await.unwrap();
}
