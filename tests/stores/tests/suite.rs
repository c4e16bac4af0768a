//! Every store against the suite.

use std::cell::RefCell;

use counterfoil::cashier::{MemoryStore, SqliteStore, check_store};
use counterfoil_stores::{Folder, Server};

#[tokio::test]
async fn memory() {
    check_store(async || MemoryStore::new()).await;
}

#[tokio::test]
async fn sqlite_in_memory() {
    check_store(async || SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn sqlite_in_a_file() {
    let folders = RefCell::new(Vec::new());
    check_store(async || {
        let folder = Folder::new();
        let store = SqliteStore::connect(folder.file()).await.unwrap();
        folders.borrow_mut().push(folder);
        store
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
