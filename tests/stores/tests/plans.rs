//! What is asked again and again costs the same however much is stored: PostgreSQL finds the rows
//! of every statement by an index. The plans of SQLite are tested beside its statements.

use counterfoil::ModeKind;
use counterfoil::cashier::{PostgresStore, Store};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil_stores::{Server, paid_batch};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Executor, query_as, query_scalar};

/// As many orders as a planner needs to prefer an index, most of them done with.
const STORED: &str = "
    INSERT INTO counterfoil_orders
    SELECT 'S' || n, 'test', 1, CASE WHEN n % 2 = 0 THEN n END, CASE WHEN n % 100 = 0 THEN n END,
        CASE WHEN n % 100 = 0 THEN n END, n, '{}' FROM generate_series(1, 20000) AS n;
    INSERT INTO counterfoil_payments
    SELECT 'p:test:S' || n, 'test', 'S' || n FROM generate_series(1, 20000) AS n;
    INSERT INTO counterfoil_events
    SELECT 'e:S' || n, 'test', 'S' || n, n, n, CASE WHEN n % 100 > 0 THEN 'applied' END, '{}'
    FROM generate_series(1, 20000) AS n;
    INSERT INTO counterfoil_confirmations
    SELECT 'S' || n || ':paid', 'test', 'S' || n, 'paid', n, 1, CASE WHEN n % 100 = 0 THEN n END
    FROM generate_series(1, 20000) AS n;
    ANALYZE";

/// Indexes of only what waits, which may be read from their beginning.
const OF_WHAT_WAITS: [&str; 4] = [
    "counterfoil_orders_attention",
    "counterfoil_orders_open",
    "counterfoil_events_due",
    "counterfoil_events_waiting",
];

#[tokio::test]
async fn postgres_reads_no_table_from_end_to_end() {
    let Some(server) = Server::find("the plans of PostgreSQL") else {
        return;
    };
    // One connection, which knows all statements that were prepared on it.
    let pool = PgPoolOptions::new().max_connections(1);
    let pool = pool.connect_with(server.database().await).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    pool.execute(STORED).await.unwrap();
    use_all_of(&store).await;
    let prepared = "SELECT name, statement, cardinality(parameter_types)
                    FROM pg_prepared_statements WHERE statement LIKE '%counterfoil_%'";
    let prepared: Vec<(String, String, i32)> = query_as(prepared).fetch_all(&pool).await.unwrap();
    assert!(prepared.len() >= 14, "{prepared:#?}");
    // The plan that holds for any values, as it is kept after some runs.
    let generic = "SET plan_cache_mode = force_generic_plan";
    pool.execute(generic).await.unwrap();
    for (name, statement, parameters) in prepared {
        let plan = plan_of(&pool, &name, parameters).await;
        let scans = scans_in(&plan);
        assert!(scans.is_empty(), "{statement}\n{scans:?} in {plan:#?}");
    }
}

/// Each statement that the store has is prepared.
async fn use_all_of(store: &PostgresStore) {
    let at = Timestamp::from_unix;
    let id = OrderId::new("A").unwrap();
    store.open(ModeKind::Test).await.unwrap();
    store.commit(paid_batch("A", 1)).await.unwrap();
    store.order(&id).await.unwrap();
    store.order_of_payment("p:test:A").await.unwrap();
    store.events_waiting_for(&id).await.unwrap();
    store.claim_orders(at(9), at(10), 2).await.unwrap();
    store.claim_events(at(9), at(10), 2).await.unwrap();
    let leased = store.lease_confirmations(at(9), at(10), 2).await.unwrap();
    let [first, ..] = leased.as_slice() else {
        panic!("a confirmation waits");
    };
    store.acknowledge(&first.row.id, first.lease).await.unwrap();
    store.orders_needing_attention(2).await.unwrap();
    store.note("n").await.unwrap();
    store.notes_between("n", "o", 2).await.unwrap();
    store.backlog().await.unwrap();
    store.erase_order(&id, 1).await.unwrap();
    store.purge(at(9), 2).await.unwrap();
}

async fn plan_of(pool: &PgPool, name: &str, parameters: i32) -> Vec<String> {
    let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
    let values = if nulls.is_empty() {
        String::new()
    } else {
        format!("({nulls})")
    };
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE {name}{values}");
    query_scalar(&explain).fetch_all(pool).await.unwrap()
}

/// The lines of a plan that read a whole table or a whole index of all rows.
fn scans_in(plan: &[String]) -> Vec<&str> {
    let mut scans = Vec::new();
    for (number, line) in plan.iter().enumerate() {
        let of_one_row = ["counterfoil_store", "counterfoil_notes"];
        let is_small = of_one_row.iter().any(|table| line.contains(table));
        if line.contains("Seq Scan on counterfoil_") && !is_small {
            scans.push(line.as_str());
        }
        let reads_index = line.contains("Index Scan") || line.contains("Index Only Scan");
        let next = plan.get(number + 1);
        let is_looked_up = next.is_some_and(|next| next.contains("Index Cond"));
        let is_of_few = OF_WHAT_WAITS.iter().any(|index| line.contains(index));
        if reads_index && !is_looked_up && !is_of_few {
            scans.push(line.as_str());
        }
    }
    scans
}

#[test]
fn a_scan_is_seen_in_a_plan() {
    let lines = |plan: &str| plan.lines().map(str::to_owned).collect::<Vec<_>>();
    for scanning in [
        "Seq Scan on counterfoil_events",
        "  ->  Index Only Scan using counterfoil_orders_pkey on counterfoil_orders orders\n  Filter: x",
    ] {
        assert_eq!(scans_in(&lines(scanning)).len(), 1, "{scanning}");
    }
    for looking_up in [
        "Seq Scan on counterfoil_store",
        "Index Scan using counterfoil_orders_pkey on counterfoil_orders\n  Index Cond: (id = $1)",
        "Index Scan using counterfoil_orders_open on counterfoil_orders",
    ] {
        assert!(scans_in(&lines(looking_up)).is_empty(), "{looking_up}");
    }
}
