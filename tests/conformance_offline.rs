//! A provider without a service: an invoice that is paid by bank transfer, kept in the
//! application's own books. It has no key, sends no requests and shows instructions. It passes the
//! conformance suite by what its capabilities say, and runs in the cashier for months without a
//! word to a reviewer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

#[path = "rigs/invoices.rs"]
mod invoices;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::capability::Operation;
use counterfoil::cashier::{Cashier, MemoryStore, Standing};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::conformance::{Case, Outcome};
use counterfoil::error::{Error, ErrorKind, Result};
use counterfoil::id::{Namespace, OrderId, PaymentId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::NextAction;
use counterfoil::registry::{Configuration, Configured, ProviderKind, Registry, Setting, Settings};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::{ModeKind, Provider, Test};

use invoices::{Books, DAY, Defect, InvoiceRig, Invoices, START, pay};

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
