//! Invoices that are paid by bank transfer, kept in the application's own books: a provider without
//! a service, and its rig.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::Change;
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::conformance::{Booked, Happening, Rig, Shopper, Unable};
use counterfoil::error::{Error, ErrorKind, Result};
use counterfoil::id::{
    CommandId, IdempotencyKey, Namespace, PaymentId, ProviderName, Reference, RefundId,
};
use counterfoil::money::Money;
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::request::{CreateRequest, Cursor, Page, RefundRequest};
use counterfoil::{Live, Mode, PaymentProvider, Provider, Test};

pub(crate) const START: i64 = 1_800_000_000;
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The application's own books. An invoice changes once, when it is paid.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) invoices: Vec<Invoice>,
    /// What a defect sends although it says that it is offline.
    pub(crate) requests: usize,
    pub(crate) are_closed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) reference: Reference,
    pub(crate) key: String,
    pub(crate) amount: Money,
    pub(crate) issued_at: Timestamp,
    pub(crate) paid_at: Option<Timestamp>,
    pub(crate) canceled_at: Option<Timestamp>,
    /// What the bookkeeper has sent back: the command, its key, the amount.
    pub(crate) refunds: Vec<(Option<CommandId>, String, Money)>,
    /// A mark of the bookkeeper's that the provider does not know, and since when.
    pub(crate) mark: Option<(&'static str, Timestamp)>,
}

/// What is wrong with a provider that was spoiled on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    SendsARequest,
    CallsAnOpenInvoicePaid,
    SaysNowhereHowToPay,
    IssuesAnInvoiceForEachCall,
    NeverHearsOfThePayment,
    RefundsForEachCall,
}

/// Invoices in mode `M`.
#[derive(Debug)]
pub(crate) struct Invoices<M> {
    pub(crate) name: ProviderName,
    pub(crate) capabilities: Capabilities,
    pub(crate) books: Arc<Mutex<Books>>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) defect: Option<Defect>,
    pub(crate) mode: PhantomData<M>,
}

impl<M: Mode> Invoices<M> {
    pub(crate) fn new(books: &Arc<Mutex<Books>>, clock: &Arc<ManualClock>) -> Self {
        let operations = [
            Operation::CreateHosted,
            Operation::FetchPayment,
            Operation::FindPayments,
            Operation::Void,
            Operation::Refund,
            Operation::FetchRefund,
            Operation::ListRefunds,
        ];
        let a_year = DAY * 365;
        Self {
            name: ProviderName::new("invoice").unwrap(),
            capabilities: Capabilities::new(&operations)
                .with_idempotent_writes(a_year)
                .with_voidable_checkouts()
                .with_partial_refunds()
                .offline(),
            books: Arc::clone(books),
            clock: Arc::clone(clock),
            defect: None,
            mode: PhantomData,
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = self.books.lock().unwrap();
        books.requests += usize::from(self.is(Defect::SendsARequest));
        books
    }

    pub(crate) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    pub(crate) fn payment(&self, number: usize, invoice: &Invoice) -> Result<Payment<M>> {
        let id = PaymentId::new(self.name.clone(), &format!("INV-{number}"))?;
        let is_heard = !self.is(Defect::NeverHearsOfThePayment);
        let paid_at = invoice.paid_at.filter(|_| is_heard);
        let status = match (paid_at, invoice.mark) {
            _ if invoice.canceled_at.is_some() => PaymentStatus::Canceled,
            (None, Some((mark, _))) => PaymentStatus::Unrecognized(mark.into()),
            (None, None) if !self.is(Defect::CallsAnOpenInvoicePaid) => PaymentStatus::Created,
            _ => PaymentStatus::Captured,
        };
        // The books say when the invoice has last changed, and not when they were looked into.
        let marked_at = invoice.mark.map(|(_, at)| at);
        let changed_at = paid_at.or(marked_at).or(invoice.canceled_at);
        let changed_at = changed_at.unwrap_or(invoice.issued_at);
        let mut payment = Payment::new(id, status, invoice.amount, changed_at);
        payment.created_at = invoice.issued_at;
        payment.reference = Some(invoice.reference.clone());
        payment.refunded = invoice.refunded();
        match payment.status {
            PaymentStatus::Captured => payment.captured = invoice.amount,
            PaymentStatus::Created if !self.is(Defect::SaysNowhereHowToPay) => {
                let url = format!("https://shop.example/invoices/{number}");
                payment.next_action = Some(NextAction::ShowInstructions { url });
            }
            _ => {}
        }
        Ok(payment)
    }
}

impl<M: Mode> Invoices<M> {
    /// The number of the invoice that this is the id of.
    pub(crate) fn number_of(&self, id: &PaymentId<M>, books: &Books) -> Result<usize> {
        let number = id.raw().strip_prefix("INV-");
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let number = number.filter(|number| format!("INV-{number}") == id.raw());
        let number = number.filter(|number| books.invoices.get(*number).is_some());
        number.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such invoice"))
    }

    pub(crate) fn refund_of(
        &self,
        number: usize,
        place: usize,
        invoice: &Invoice,
    ) -> Result<Refund<M>> {
        let id = RefundId::new(self.name.clone(), &format!("REF-{number}-{place}"))?;
        let of = PaymentId::new(self.name.clone(), &format!("INV-{number}"))?;
        let (command, _, amount) = &invoice.refunds[place];
        let at = invoice.paid_at.unwrap_or(invoice.issued_at);
        let mut refund = Refund::new(id, of, RefundStatus::Succeeded, *amount, at);
        refund.command.clone_from(command);
        Ok(refund)
    }
}

impl Invoice {
    pub(crate) fn refunded(&self) -> Money {
        let amounts = self.refunds.iter().map(|(_, _, amount)| *amount);
        Money::sum(self.amount.currency(), amounts).unwrap()
    }
}

#[async_trait]
impl<M: Mode> PaymentProvider for Invoices<M> {
    type Mode = M;

    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        let mut books = self.books();
        let known = books.invoices.iter().position(|i| i.key == key.to_string());
        let known = known.filter(|_| !self.is(Defect::IssuesAnInvoiceForEachCall));
        let number = match known {
            Some(number) if books.invoices[number].amount != request.amount.money() => {
                let message = "the invoice was issued for another amount";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            Some(number) => number,
            None => {
                books.invoices.push(Invoice {
                    reference: reference.clone(),
                    key: key.to_string(),
                    amount: request.amount.money(),
                    issued_at: self.clock.now(),
                    paid_at: None,
                    canceled_at: None,
                    refunds: Vec::new(),
                    mark: None,
                });
                books.invoices.len() - 1
            }
        };
        self.payment(number, &books.invoices[number])
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let books = self.books();
        if books.are_closed {
            return Err(Error::new(ErrorKind::Unavailable, "the books are closed"));
        }
        let number = self.number_of(id, &books)?;
        self.payment(number, &books.invoices[number])
    }

    async fn void(&self, id: &PaymentId<M>, _: &IdempotencyKey) -> Result<Change<M>> {
        let mut books = self.books();
        let number = self.number_of(id, &books)?;
        let invoice = &mut books.invoices[number];
        if invoice.paid_at.is_some() {
            return Err(Error::new(ErrorKind::Conflict, "the invoice is paid"));
        }
        invoice.canceled_at = Some(self.clock.now());
        let payment = self.payment(number, &books.invoices[number])?;
        Ok(Change::Made(Box::new(payment)))
    }

    async fn refund(&self, request: &RefundRequest<M>, key: &IdempotencyKey) -> Result<Refund<M>> {
        let mut books = self.books();
        let number = self.number_of(&request.payment, &books)?;
        let invoice = &mut books.invoices[number];
        let (key, amount) = (key.to_string(), request.amount.money());
        let known = invoice.refunds.iter().position(|(_, its, _)| *its == key);
        let known = known.filter(|_| !self.is(Defect::RefundsForEachCall));
        let place = match known {
            Some(place) => place,
            None => {
                let left = invoice.amount.checked_sub(invoice.refunded())?;
                let is_there = invoice.paid_at.is_some() && left.checked_sub(amount)?.minor() >= 0;
                if !is_there {
                    let message = "so much was not paid by this invoice";
                    return Err(Error::new(ErrorKind::InvalidRequest, message));
                }
                let command = Some(request.command.clone());
                invoice.refunds.push((command, key, amount));
                invoice.refunds.len() - 1
            }
        };
        self.refund_of(number, place, invoice)
    }

    async fn fetch_refund(&self, id: &RefundId<M>) -> Result<Refund<M>> {
        let books = self.books();
        for (number, invoice) in books.invoices.iter().enumerate() {
            for place in 0..invoice.refunds.len() {
                let refund = self.refund_of(number, place, invoice)?;
                if refund.id == *id {
                    return Ok(refund);
                }
            }
        }
        Err(Error::new(ErrorKind::NotFound, "there is no such refund"))
    }

    async fn list_refunds(
        &self,
        payment: &PaymentId<M>,
        _: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        let books = self.books();
        let number = self.number_of(payment, &books)?;
        let invoice = &books.invoices[number];
        let all = (0..invoice.refunds.len()).map(|place| self.refund_of(number, place, invoice));
        Ok(Page::new(all.collect::<Result<_>>()?, None))
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let books = self.books();
        let all = books.invoices.iter().enumerate();
        let its = all.filter(|(_, invoice)| invoice.reference == *reference);
        its.map(|(number, invoice)| self.payment(number, invoice))
            .collect()
    }
}

/// The rig is the bookkeeper, who is told of transfers.
#[derive(Default)]
pub(crate) struct InvoiceRig {
    pub(crate) books: Arc<Mutex<Books>>,
    pub(crate) defect: Option<Defect>,
    /// What this provider cannot do.
    pub(crate) without: &'static [Operation],
}

impl InvoiceRig {
    pub(crate) fn spoiled(defect: Defect) -> Self {
        Self {
            defect: Some(defect),
            ..Self::default()
        }
    }

    /// One that only issues invoices, and sees that they are paid.
    pub(crate) fn bare() -> Self {
        const WITHOUT: [Operation; 4] = [
            Operation::Void,
            Operation::Refund,
            Operation::FetchRefund,
            Operation::ListRefunds,
        ];
        Self {
            without: &WITHOUT,
            ..Self::default()
        }
    }

    pub(crate) fn handle<M: Mode>(&self, installation: &Namespace) -> Provider<M> {
        let clock = Arc::new(ManualClock::new(self.now()));
        let mut invoices = Invoices::new(&self.books, &clock);
        invoices.defect = self.defect;
        for operation in self.without {
            invoices.capabilities = invoices.capabilities.without(*operation);
        }
        Provider::new(invoices, installation.clone()).with_clock(clock)
    }
}

impl Rig for InvoiceRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.handle(installation)
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        self.handle(installation)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix(START)
    }

    fn requests(&self) -> usize {
        self.books.lock().unwrap().requests
    }

    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let books = self.books.lock().unwrap();
        let its = books.invoices.iter().filter(|i| i.reference == *reference);
        let booked = its.map(|invoice| {
            let zero = Money::zero(invoice.amount.currency());
            let captured = if invoice.paid_at.is_some() {
                invoice.amount
            } else {
                zero
            };
            Booked {
                currency: invoice.amount.currency().code().into(),
                amount: invoice.amount.to_decimal(),
                captured: captured.to_decimal(),
                refunded: invoice.refunded().to_decimal(),
            }
        });
        booked.collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        if shopper != Shopper::Pays {
            return Err(Unable);
        }
        pay(&self.books, &payment.id, self.now());
        Ok(())
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let Happening::DashboardRefund(payment, amount) = happening else {
            return Err(Unable);
        };
        let number: usize = payment.id.raw()[4..].parse().unwrap();
        let invoice = &mut self.books.lock().unwrap().invoices[number];
        let by_hand = (None, "by hand".to_owned(), amount.money());
        invoice.refunds.push(by_hand);
        Ok(())
    }
}

/// The bank statement shows the transfer.
pub(crate) fn pay(books: &Mutex<Books>, id: &PaymentId<Test>, at: Timestamp) {
    let number: usize = id.raw().strip_prefix("INV-").unwrap().parse().unwrap();
    books.lock().unwrap().invoices[number].paid_at = Some(at);
}
