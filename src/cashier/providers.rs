//! The providers of a cashier, and which of them a new attempt goes to.

use std::sync::Arc;

use super::Cashier;
use super::routes::Routes;
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{PaymentId, ProviderName};
use crate::mode::Mode;
use crate::request::{CaptureMode, Checkout, CreateRequest};

impl<M: Mode> Cashier<M> {
    /// Adds another provider. Webhooks of several are taken by
    /// [`receive_from`](Self::receive_from).
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if there is one of this name: register it under another.
    pub fn with_provider(mut self, provider: Provider<M>) -> Result<Self> {
        if self.names.contains(provider.name()) {
            let message = format!("there are two providers called {}", provider.name());
            return Err(Error::new(ErrorKind::Settings, message));
        }
        Arc::make_mut(&mut self.names).push(provider.name().clone());
        Arc::make_mut(&mut self.providers).push(provider);
        Ok(self)
    }

    /// Sets the rules by which a new attempt finds its provider. Add the providers first.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if a rule names a provider that is not here, or none.
    pub fn with_routes(mut self, routes: Routes) -> Result<Self> {
        for rule in &routes.rules {
            let stranger = rule
                .providers
                .iter()
                .find(|name| !self.names.contains(name));
            let fault = match stranger {
                Some(name) => format!("a route leads to {name}, and no provider is called that"),
                None if rule.providers.is_empty() => "a route leads to no provider".to_owned(),
                None => continue,
            };
            return Err(Error::new(ErrorKind::Settings, fault));
        }
        self.routes = Arc::new(routes);
        Ok(self)
    }

    /// The provider of this name.
    pub(super) fn provider(&self, name: &ProviderName) -> Result<&Provider<M>> {
        let mut all = self.providers.iter();
        all.find(|provider| provider.name() == name).ok_or_else(|| {
            let message = format!("no provider is called {name} here: add it to the cashier");
            Error::new(ErrorKind::Settings, message)
        })
    }

    /// The provider that made this payment.
    pub(super) fn provider_of(&self, payment: &PaymentId<M>) -> Result<&Provider<M>> {
        self.provider(payment.provider())
    }

    /// Whether the provider of this payment is here and can do this.
    pub(super) fn supports(&self, payment: &PaymentId<M>, operation: Operation) -> bool {
        let provider = self.provider_of(payment);
        provider.is_ok_and(|provider| provider.capabilities().supports(operation))
    }

    /// The providers that a new attempt may go to, best first.
    pub(super) fn candidates(
        &self,
        request: &CreateRequest,
        wanted: Option<&ProviderName>,
    ) -> Result<Vec<&Provider<M>>> {
        let names = match wanted {
            Some(name) => std::slice::from_ref(name),
            None if self.is_ambiguous(request) => {
                let message = "a token belongs to one provider: name it with check_out_with";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            None => {
                let found = self
                    .routes
                    .find(request.amount, request.country, &self.names);
                found.ok_or_else(|| {
                    let message = format!("no route takes {} from there", request.amount);
                    Error::new(ErrorKind::Unsupported, message)
                })?
            }
        };
        let mut able = Vec::with_capacity(names.len());
        let mut refusal = None;
        for name in names {
            let provider = self.provider(name)?;
            match check_able(provider, request) {
                Ok(()) => able.push(provider),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let now = self.now();
        able.sort_by_key(|provider| self.wellness.rests_until(provider.name(), now).is_some());
        match refusal {
            Some(error) if able.is_empty() => Err(error),
            _ => Ok(able),
        }
    }

    fn is_ambiguous(&self, request: &CreateRequest) -> bool {
        matches!(request.checkout, Checkout::Direct { .. }) && self.providers.len() > 1
    }
}

/// Refuses what the provider cannot do, before an attempt is stored for it.
fn check_able<M: Mode>(provider: &Provider<M>, request: &CreateRequest) -> Result<()> {
    let capabilities = provider.capabilities();
    capabilities.require(match request.checkout {
        Checkout::Hosted { .. } => Operation::CreateHosted,
        Checkout::Embedded { .. } => Operation::CreateEmbedded,
        Checkout::Direct { .. } => Operation::CreateDirect,
    })?;
    if request.capture == CaptureMode::Manual {
        capabilities.require(Operation::Capture)?;
    }
    capabilities.require_currency(request.amount)
}
