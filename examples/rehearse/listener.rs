//! A webhook endpoint on this machine, which a tunnel brings the provider's webhooks to.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use counterfoil::webhook::WebhookRequest;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::test_mode::Letters;

/// How long what is on its way is given to arrive.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Takes whatever comes and answers 200: what it is worth is judged later.
pub(crate) struct Listener {
    address: String,
    taken: Taken,
    _runtime: Runtime,
}

/// What has come and was not asked for yet.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<WebhookRequest>>>);

impl Taken {
    fn add(&self, webhook: WebhookRequest) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(webhook);
    }

    pub(crate) fn drain(&self) -> Vec<WebhookRequest> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    pub(crate) fn on(port: u16) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port)))?;
        let address = format!("http://{}", listener.local_addr()?);
        let taken = Taken::default();
        let take = async |State(taken): State<Taken>, webhook: WebhookRequest| {
            taken.add(webhook);
        };
        let endpoint = Router::new().fallback(any(take)).with_state(taken.clone());
        runtime.spawn(async move { axum::serve(listener, endpoint).await });
        Ok(Self {
            address,
            taken,
            _runtime: runtime,
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// What has come since this was last asked, after a moment in which more may come.
    pub(crate) fn letters(&self) -> Letters {
        let taken = self.taken();
        Arc::new(move || {
            std::thread::sleep(A_MOMENT);
            taken.drain()
        })
    }
}
