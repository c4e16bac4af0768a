//! The floor: as many inserts of as many bytes in as many commits, and nothing else.

use sqlx::postgres::PgPool;
use sqlx::query;
use sqlx::sqlite::SqlitePool;

/// With the keys that one cannot do without.
pub const BARE_TABLES: &str = "
    CREATE TABLE bare_events (id TEXT PRIMARY KEY, outcome TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE bare_orders (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE bare_payments (id TEXT PRIMARY KEY, order_id TEXT NOT NULL);
    CREATE TABLE bare_confirmations (id TEXT PRIMARY KEY, kind TEXT NOT NULL);";

const EVENT: &str = "INSERT INTO bare_events VALUES ($1, 'applied', $2)";
const ORDER: &str = "INSERT INTO bare_orders VALUES ($1, $2)";
const PAYMENT: &str = "INSERT INTO bare_payments VALUES ($1, $2)";
const CONFIRMATION: &str = "INSERT INTO bare_confirmations VALUES ($1, 'paid')";

/// All of it in one statement, and so in one round trip.
const AT_ONCE: &str = "
    WITH event AS (INSERT INTO bare_events VALUES ($1, 'applied', $2)),
        payments AS (INSERT INTO bare_payments SELECT payment, $1 FROM unnest($4::text[]) AS payment),
        confirmation AS (INSERT INTO bare_confirmations VALUES ($1, 'paid'))
    INSERT INTO bare_orders VALUES ($1, $3)";

/// What one webhook writes: as many rows and bytes for the bare inserts as for the cashier.
#[derive(Debug)]
pub struct Rows {
    pub event: String,
    pub order: String,
    pub payments: usize,
}

impl Rows {
    fn payments_of(&self, id: &str) -> Vec<String> {
        let names = 0..self.payments;
        names.map(|name| format!("{name}:{id}")).collect()
    }
}

/// A way to insert the rows of one webhook.
#[derive(Debug, Clone)]
pub enum Floor {
    /// A statement for each row.
    Sqlite(SqlitePool),
    /// A statement for each row, each of which is a round trip.
    Postgres(PgPool),
    /// One statement for all rows.
    AtOnce(PgPool),
}

macro_rules! row_by_row {
    ($pool:expr, $id:expr, $rows:expr) => {{
        let mut transaction = $pool.begin().await?;
        let event = query(EVENT).bind($id).bind(&$rows.event);
        event.execute(&mut *transaction).await?;
        let order = query(ORDER).bind($id).bind(&$rows.order);
        order.execute(&mut *transaction).await?;
        for payment in $rows.payments_of($id) {
            let payment = query(PAYMENT).bind(payment).bind($id);
            payment.execute(&mut *transaction).await?;
        }
        let confirmation = query(CONFIRMATION).bind($id);
        confirmation.execute(&mut *transaction).await?;
        transaction.commit().await
    }};
}

impl Floor {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) | Self::Postgres(_) => "bare",
            Self::AtOnce(_) => "bare, at once",
        }
    }

    pub async fn insert(&self, order: &str, rows: &Rows) {
        // Each way has ids of its own.
        let id = format!("{order}{}", matches!(self, Self::AtOnce(_)));
        self.try_insert(&id, rows).await.expect("inserts");
    }

    async fn try_insert(&self, id: &str, rows: &Rows) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(pool) => row_by_row!(pool, id, rows),
            Self::Postgres(pool) => row_by_row!(pool, id, rows),
            Self::AtOnce(pool) => {
                let insert = query(AT_ONCE).bind(id).bind(&rows.event).bind(&rows.order);
                let insert = insert.bind(rows.payments_of(id));
                insert.execute(pool).await.map(drop)
            }
        }
    }
}
