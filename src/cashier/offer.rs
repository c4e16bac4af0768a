//! Which of several providers a webhook is for: the one whose secret signed it and whose account it
//! names. A batch may be for several.

use super::Cashier;
use super::health::Counts;
use crate::clock::Timestamp;
use crate::handle::Provider;
use crate::id::ProviderName;
use crate::mode::Mode;
use crate::webhook::{
    Delivery, Event, SetAside, WebhookRefusal, WebhookRefusalKind, WebhookRequest,
};

impl<M: Mode> Cashier<M> {
    /// Lets the providers verify a webhook: `first`, and if it ignores a part of it, the others.
    /// What `first` refuses is refused.
    pub(super) async fn offer(
        &self,
        first: Option<&Provider<M>>,
        request: &WebhookRequest,
    ) -> Result<Offered<M>, NotTaken> {
        let first_name = first.map(Provider::name);
        let others = self.providers.iter();
        let others = others.filter(|other| Some(other.name()) != first_name);
        let mut offered = Offered::default();
        let (mut is_verified, mut unverifiable, mut refused) = (false, None, None);
        for provider in first.into_iter().chain(others) {
            let name = provider.name();
            match provider.webhook(request).await {
                Ok(delivery) => {
                    offered.add(name, delivery, !is_verified);
                    is_verified = true;
                }
                Err(refusal) if first_name == Some(name) => {
                    return Err(NotTaken::Refused(name.clone(), refusal));
                }
                Err(refusal) => {
                    let kind = refusal.kind();
                    let place = match kind {
                        WebhookRefusalKind::Unverifiable => &mut unverifiable,
                        _ => &mut refused,
                    };
                    let known = place.as_ref();
                    let known = known.map(|(_, known): &(_, WebhookRefusal)| known.kind());
                    if known.is_none_or(|known| tells(known) < tells(kind)) {
                        *place = Some((name.clone(), refusal));
                    }
                }
            }
            if first.is_some() && offered.is_taken() {
                break;
            }
        }
        if offered.is_ambiguous {
            return Err(NotTaken::Ambiguous);
        }
        if is_verified && offered.is_taken() {
            return Ok(offered);
        }
        match (unverifiable, refused) {
            // It may be for the one that could not verify it now.
            (Some((name, refusal)), _) => Err(NotTaken::Refused(name, refusal)),
            (None, Some((name, refusal))) if !is_verified => Err(NotTaken::Refused(name, refusal)),
            _ => Ok(offered),
        }
    }
}

/// Why no provider has taken a webhook.
pub(super) enum NotTaken {
    /// None has verified it; this one's refusal tells most.
    Refused(ProviderName, WebhookRefusal),
    /// Several would take the same event, as where one account is here under two names.
    Ambiguous,
}

/// What the providers have taken of one webhook.
#[derive(Debug)]
pub(super) struct Offered<M: Mode> {
    /// Each event, with the provider that has taken it.
    pub(super) events: Vec<(ProviderName, Event<M>)>,
    /// What none has taken, with the first that has verified it.
    pub(super) ignored: Vec<(ProviderName, SetAside)>,
    /// What none has verified.
    rejected: Vec<(ProviderName, WebhookRefusal)>,
    /// Whether two would take the same event.
    is_ambiguous: bool,
}

impl<M: Mode> Default for Offered<M> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            ignored: Vec::new(),
            rejected: Vec::new(),
            is_ambiguous: false,
        }
    }
}

impl<M: Mode> Offered<M> {
    /// Whether nothing is left to offer.
    fn is_taken(&self) -> bool {
        self.ignored.is_empty() && self.rejected.is_empty()
    }

    /// Adds what one provider has made of it: it ignores what another takes.
    fn add(&mut self, provider: &ProviderName, delivery: Delivery<M>, is_first: bool) {
        let of = |name: &ProviderName| name.clone();
        let is_same = |a: &SetAside, b: &SetAside| a.id == b.id && a.type_text == b.type_text;
        if is_first {
            let ignored = delivery.set_aside.into_iter();
            self.ignored
                .extend(ignored.map(|aside| (of(provider), aside)));
            let rejected = delivery.rejected.into_iter();
            self.rejected
                .extend(rejected.map(|refusal| (of(provider), refusal)));
        } else {
            self.ignored.retain(|(_, kept)| {
                let mut ignored = delivery.set_aside.iter();
                ignored.any(|aside| is_same(kept, aside))
            });
            // One key signs a whole webhook: who verifies more of it has that key.
            self.rejected.truncate(delivery.rejected.len());
        }
        self.is_ambiguous |= delivery.events.iter().any(|event| {
            let mut taken = self.events.iter();
            taken.any(|(_, taken)| taken.id().raw() == event.id().raw())
        });
        let taken = delivery.events.into_iter();
        self.events.extend(taken.map(|event| (of(provider), event)));
    }

    /// Counts it for each provider, and gives why a part of it was rejected.
    pub(super) fn count(&self, counts: &Counts, now: Timestamp) -> Option<WebhookRefusal> {
        for (provider, event) in &self.events {
            counts.received(provider, event, now);
        }
        for (provider, aside) in &self.ignored {
            counts.ignored(provider, aside, now);
        }
        for (provider, refusal) in &self.rejected {
            counts.refused(provider, refusal, now);
        }
        self.rejected.first().map(|(_, refusal)| refusal.clone())
    }
}

/// How much a refusal tells whoever sets the endpoint up: the provider whose webhook it is says
/// more than those that miss their own headers.
const fn tells(kind: WebhookRefusalKind) -> u8 {
    match kind {
        WebhookRefusalKind::Unsupported => 0,
        WebhookRefusalKind::MissingSignature => 1,
        WebhookRefusalKind::TooLarge | WebhookRefusalKind::Unreadable => 2,
        WebhookRefusalKind::MalformedSignature => 3,
        _ => 4,
    }
}
