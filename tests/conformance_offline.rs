//! A provider without a service: an invoice that is paid by bank transfer, kept in the
//! application's own books. It has no key, sends no requests and shows instructions. It passes the
//! conformance suite by what its capabilities say, and runs in the cashier for months without a
//! word to a reviewer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::Change;
use counterfoil::cashier::{Cashier, MemoryStore, Standing};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::conformance::{Booked, Case, Happening, Outcome, Rig, Shopper, Unable};
use counterfoil::error::{Error, ErrorKind, Result};
use counterfoil::id::{
    CommandId, IdempotencyKey, Namespace, OrderId, PaymentId, ProviderName, Reference, RefundId,
};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::registry::{Configuration, Configured, ProviderKind, Registry, Setting, Settings};
use counterfoil::request::{Checkout, CreateRequest, Cursor, Page, RefundRequest};
use counterfoil::{Live, Mode, ModeKind, PaymentProvider, Provider, Test};

const START: i64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(86_400);

/// The application's own books. An invoice changes once, when it is paid.
#[derive(Debug, Default)]
struct Books {
    invoices: Vec<Invoice>,
    /// What a defect sends although it says that it is offline.
    requests: usize,
    are_closed: bool,
}

#[derive(Debug, Clone)]
struct Invoice {
    reference: Reference,
    key: String,
    amount: Money,
    issued_at: Timestamp,
    paid_at: Option<Timestamp>,
    canceled_at: Option<Timestamp>,
    /// What the bookkeeper has sent back: the command, its key, the amount.
    refunds: Vec<(Option<CommandId>, String, Money)>,
    /// A mark of the bookkeeper's that the provider does not know, and since when.
    mark: Option<(&'static str, Timestamp)>,
}

/// What is wrong with a provider that was spoiled on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    SendsARequest,
    CallsAnOpenInvoicePaid,
    SaysNowhereHowToPay,
    IssuesAnInvoiceForEachCall,
    NeverHearsOfThePayment,
    RefundsForEachCall,
}

/// Invoices in mode `M`.
#[derive(Debug)]
struct Invoices<M> {
    name: ProviderName,
    capabilities: Capabilities,
    books: Arc<Mutex<Books>>,
    clock: Arc<ManualClock>,
    defect: Option<Defect>,
    mode: PhantomData<M>,
}

impl<M: Mode> Invoices<M> {
    fn new(books: &Arc<Mutex<Books>>, clock: &Arc<ManualClock>) -> Self {
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

    fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = self.books.lock().unwrap();
        books.requests += usize::from(self.is(Defect::SendsARequest));
        books
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn payment(&self, number: usize, invoice: &Invoice) -> Result<Payment<M>> {
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
    fn number_of(&self, id: &PaymentId<M>, books: &Books) -> Result<usize> {
        let number = id.raw().strip_prefix("INV-");
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let number = number.filter(|number| format!("INV-{number}") == id.raw());
        let number = number.filter(|number| books.invoices.get(*number).is_some());
        number.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such invoice"))
    }

    fn refund_of(&self, number: usize, place: usize, invoice: &Invoice) -> Result<Refund<M>> {
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
    fn refunded(&self) -> Money {
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
struct InvoiceRig {
    books: Arc<Mutex<Books>>,
    defect: Option<Defect>,
    /// What this provider cannot do.
    without: &'static [Operation],
}

impl InvoiceRig {
    fn spoiled(defect: Defect) -> Self {
        Self {
            defect: Some(defect),
            ..Self::default()
        }
    }

    /// One that only issues invoices, and sees that they are paid.
    fn bare() -> Self {
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

    fn handle<M: Mode>(&self, installation: &Namespace) -> Provider<M> {
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
fn pay(books: &Mutex<Books>, id: &PaymentId<Test>, at: Timestamp) {
    let number: usize = id.raw().strip_prefix("INV-").unwrap().parse().unwrap();
    books.lock().unwrap().invoices[number].paid_at = Some(at);
}

counterfoil::conformance!(invoice, InvoiceRig::default());
counterfoil::conformance!(bare_invoice, InvoiceRig::bare());

#[test]
fn what_needs_a_key_or_requests_does_not_apply_and_what_needs_neither_is_proven() {
    for (group, name, applies) in [
        ("faults", "a_wrong_key_is_the_operators_to_mend", false),
        ("faults", "a_lost_read_moves_nothing", false),
        (
            "faults",
            "a_rate_limit_is_waited_out_under_the_same_key",
            false,
        ),
        ("shopper", "a_failed_challenge_is_declined", false),
        ("shopper", "an_expired_checkout_ends_without_money", false),
        ("shopper", "a_new_payment_is_not_paid", true),
        ("shopper", "a_paid_payment_is_captured_once", true),
        ("creation", "the_same_attempt_twice_is_one_payment", true),
        ("limits", "no_secret_is_shown", true),
        ("refunds", "partial_refunds_never_exceed_the_payment", true),
        ("captures", "an_unpaid_checkout_can_be_ended", true),
    ] {
        let outcome = Case::named(group, name).unwrap().run(InvoiceRig::default);
        match applies {
            true => assert_eq!(outcome, Outcome::Proven, "{name}"),
            false => assert!(matches!(outcome, Outcome::Moot(_)), "{name}: {outcome}"),
        }
    }
}

#[test]
fn a_defect_fails_the_case_that_is_about_it_also_offline() {
    use Defect::*;
    for (defect, group, name) in [
        (
            SendsARequest,
            "creation",
            "the_next_attempt_is_another_payment",
        ),
        (SendsARequest, "faults", "a_lost_read_moves_nothing"),
        (
            CallsAnOpenInvoicePaid,
            "shopper",
            "a_new_payment_is_not_paid",
        ),
        (SaysNowhereHowToPay, "shopper", "a_new_payment_is_not_paid"),
        (
            IssuesAnInvoiceForEachCall,
            "creation",
            "the_same_attempt_twice_is_one_payment",
        ),
        (RefundsForEachCall, "refunds", "one_command_refunds_once"),
        (
            NeverHearsOfThePayment,
            "shopper",
            "a_paid_payment_is_captured_once",
        ),
    ] {
        let case = Case::named(group, name).unwrap();
        let outcome = case.run(|| InvoiceRig::spoiled(defect));
        assert!(
            matches!(outcome, Outcome::Failed(_)),
            "{defect:?} passes {case}: {outcome}"
        );
    }
}

/// A shop that sells on invoice.
struct Shop {
    cashier: Cashier<Test>,
    books: Arc<Mutex<Books>>,
    clock: Arc<ManualClock>,
}

impl Shop {
    async fn open(without: &[Operation]) -> Self {
        let books = Arc::new(Mutex::new(Books::default()));
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(START)));
        let mut invoices = Invoices::<Test>::new(&books, &clock);
        for operation in without {
            invoices.capabilities = invoices.capabilities.without(*operation);
        }
        let provider = Provider::new(invoices, Namespace::new("shop").unwrap());
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
        let cashier = cashier
            .unwrap()
            .with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            cashier,
            books,
            clock,
        }
    }

    /// An order for which an invoice was issued.
    async fn invoiced(&self, order: &str) -> PaymentId<Test> {
        let order = OrderId::new(order).unwrap();
        let total = PositiveMoney::new(Money::new(7_350, Currency::EUR)).unwrap();
        self.cashier.place(&order, total).await.unwrap();
        let checkout = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
        let request = CreateRequest::new(order, total, checkout);
        let payment = self.cashier.check_out(&request).await.unwrap();
        let shown = matches!(
            payment.next_action,
            Some(NextAction::ShowInstructions { .. })
        );
        assert!(shown, "{payment:?}");
        payment.id
    }

    /// Days go by with a sweep each hour. Gives the names of what a reviewer is asked to look at,
    /// on any day.
    async fn days(&self, days: u32) -> Vec<String> {
        let mut asked = Vec::new();
        for _ in 0..days * 24 {
            self.clock.advance(Duration::from_secs(3600));
            let swept = self.cashier.sweep().await.unwrap();
            assert_eq!(swept.silent, 0, "{swept:?}");
            for record in self.cashier.needs_a_person(10).await.unwrap() {
                asked.extend(self.cashier.concerns(&record).into_iter().map(|c| c.name));
            }
        }
        asked.sort();
        asked.dedup();
        asked
    }

    async fn confirmed(&self) -> Vec<String> {
        let confirmations = self.cashier.confirmations(DAY, 10).await.unwrap();
        for confirmation in &confirmations {
            self.cashier.acknowledge(confirmation).await.unwrap();
        }
        confirmations.iter().map(|c| c.kind.to_string()).collect()
    }
}

#[tokio::test]
async fn an_unpaid_invoice_raises_no_review_item_in_sixty_days_and_is_then_paid() {
    let shop = Shop::open(&[]).await;
    let id = shop.invoiced("R-1").await;
    shop.invoiced("R-2").await;
    assert_eq!(shop.days(60).await, Vec::<String>::new());
    assert_eq!(shop.confirmed().await, Vec::<String>::new());

    pay(&shop.books, &id, shop.clock.now());
    assert_eq!(shop.days(2).await, Vec::<String>::new());
    assert_eq!(shop.confirmed().await, ["paid"]);
    let order = OrderId::new("R-1").unwrap();
    let record = shop.cashier.order(&order).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}

/// Where the provider can neither be asked nor tells of anything by itself, that nothing was heard
/// is no sign of a fault.
#[tokio::test]
async fn an_invoice_of_which_nobody_can_tell_raises_no_review_item() {
    let shop = Shop::open(&[Operation::FetchPayment, Operation::FindPayments]).await;
    shop.invoiced("R-3").await;
    assert_eq!(shop.days(60).await, Vec::<String>::new());
}

#[tokio::test]
async fn books_that_cannot_be_read_any_more_are_told_of_as_silence() {
    let shop = Shop::open(&[]).await;
    let id = shop.invoiced("R-4").await;
    assert_eq!(shop.days(20).await, Vec::<String>::new());
    shop.books.lock().unwrap().are_closed = true;
    assert_eq!(shop.days(2).await, Vec::<String>::new());
    assert_eq!(shop.days(3).await, [format!("silent:{id}")]);
    // Once they can be read again, nothing is to be looked at any more.
    shop.books.lock().unwrap().are_closed = false;
    drop(shop.days(2).await);
    assert_eq!(shop.days(10).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_status_that_is_not_known_is_told_of_however_often_it_is_repeated() {
    let shop = Shop::open(&[]).await;
    let id = shop.invoiced("R-5").await;
    shop.clock.advance(DAY);
    let mark = ("at the bookkeeper's", shop.clock.now());
    shop.books.lock().unwrap().invoices[0].mark = Some(mark);
    assert_eq!(shop.days(5).await, [format!("silent:{id}")]);
}

/// What makes the provider holds the books, which no setting can name.
#[tokio::test]
async fn a_maker_that_holds_state_makes_an_offline_provider_of_settings() {
    const SETTINGS: &[Setting] = &[Setting::required("namespace", "a name")];
    let books = Arc::new(Mutex::new(Books::default()));
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(START)));
    let held = Arc::clone(&books);
    let make = move |mut settings: Settings| -> Result<Configured> {
        let namespace = settings.take("namespace");
        let mode = settings.mode();
        settings.finish()?;
        let namespace = Namespace::new(namespace.expose())?;
        Ok(match mode {
            ModeKind::Test => {
                let invoices = Invoices::new(&held, &clock);
                Configured::Test(Provider::new(invoices, namespace))
            }
            ModeKind::Live => {
                let invoices = Invoices::new(&held, &clock);
                Configured::Live(Provider::new(invoices, namespace))
            }
        })
    };
    let kind = ProviderKind::holding("invoice", SETTINGS, make);
    assert!(format!("{kind:?}").contains("namespace"));
    let registry = Registry::built_in().with_kind("invoice", kind);
    let variables = [("COUNTERFOIL_INVOICE_TEST_NAMESPACE", "shop")];
    let configuration = Configuration::from_vars(&registry, variables).unwrap();
    let made = configuration.configure_one(&registry, "invoice", ModeKind::Test);
    let provider = made.unwrap().into_test().unwrap();
    let total = PositiveMoney::new(Money::new(100, Currency::EUR)).unwrap();
    let checkout = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let request = CreateRequest::new(OrderId::new("R-6").unwrap(), total, checkout);
    provider.create(&request).await.unwrap();
    assert_eq!(books.lock().unwrap().invoices.len(), 1);

    let refusing = Registry::new().with("invoice", move |_| {
        let count = books.lock().unwrap().invoices.len();
        let message = format!("{count} invoices are open");
        Err(Error::new(ErrorKind::Settings, message))
    });
    let settings = Settings::new(ModeKind::Test, [("a", "b")]);
    let error = refusing.configure("invoice", settings).unwrap_err();
    assert!(error.to_string().contains("1 invoices"), "{error}");
}
