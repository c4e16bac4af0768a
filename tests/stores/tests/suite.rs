//! Every store against the suite, alone and as several nodes on one database.

use std::cell::RefCell;
use std::sync::Arc;

use counterfoil::cashier::{MemoryStore, PostgresStore, SqliteStore, Store, check_store};
use counterfoil_stores::nodes::Nodes;
use counterfoil_stores::{Folder, Server};

#[tokio::test]
async fn memory() {
    check_store(async || MemoryStore::new()).await;
}

#[tokio::test]
async fn sqlite_in_memory() {
    check_store(async || SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_a_file_of_two_nodes() {
    let folders = RefCell::new(Vec::new());
    check_store(async || {
        let folder = Folder::new();
        let mut nodes: Vec<Arc<dyn Store>> = Vec::new();
        for _ in 0..2 {
            nodes.push(Arc::new(SqliteStore::connect(folder.file()).await.unwrap()));
        }
        folders.borrow_mut().push(folder);
        Nodes::behind_one_face(nodes)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    let Some(server) = Server::find("the suite on PostgreSQL") else {
        return;
    };
    check_store(async || server.store().await).await;
}

/// The host's database may have another default isolation than PostgreSQL's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_of_two_nodes_under_every_isolation_level() {
    let Some(server) = Server::find("the suite on PostgreSQL under other isolation levels") else {
        return;
    };
    for level in ["repeatable read", "serializable"] {
        check_store(async || {
            let isolation = [("default_transaction_isolation", level.replace(' ', "\\ "))];
            let options = server.database().await.options(isolation);
            let mut nodes: Vec<Arc<dyn Store>> = Vec::new();
            for _ in 0..2 {
                let node = PostgresStore::with_options(options.clone()).await.unwrap();
                nodes.push(Arc::new(node));
            }
            Nodes::behind_one_face(nodes)
        })
        .await;
    }
}
