//! Rows as the golden files have them.

use counterfoil::ModeKind;
use counterfoil::cashier::{Batch, Commit, ConfirmationRow, EventRow, NoteRow, OrderRow, Store};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use serde_json::Value;

/// Writes rows that were written down into a store.
pub async fn restore(store: &dyn Store, rows: &[Value]) {
    let time = |value: &Value| value.as_i64().map(Timestamp::from_unix);
    let order_id = |value: &Value| value.as_str().map(|id| OrderId::new(id).unwrap());
    for row in rows {
        let mut batch = Batch::new(ModeKind::Test);
        if let Some(row) = row.get("order") {
            batch.order = Some(OrderRow {
                id: order_id(&row["id"]).unwrap(),
                version: 1,
                due_at: time(&row["due_at"]),
                attention_since: time(&row["attention_since"]),
                open_since: time(&row["open_since"]),
                changed_at: time(&row["changed_at"]).unwrap(),
                body: row["body"].to_string(),
            });
            let links = row["links"].as_array().unwrap().iter();
            batch.links = links
                .map(|link| link.as_str().unwrap().to_owned())
                .collect();
        } else if let Some(row) = row.get("event") {
            batch.new_events.push(EventRow {
                id: row["id"].as_str().unwrap().to_owned(),
                order: order_id(&row["order"]),
                received_at: time(&row["received_at"]).unwrap(),
                due_at: time(&row["due_at"]).unwrap(),
                outcome: row["outcome"].as_str().map(str::to_owned),
                body: row["body"].to_string(),
            });
        } else if let Some(row) = row.get("confirmation") {
            batch.confirmations.push(ConfirmationRow {
                id: row["id"].as_str().unwrap().to_owned(),
                order: order_id(&row["order"]),
                kind: row["kind"].as_str().unwrap().to_owned(),
                created_at: time(&row["created_at"]).unwrap(),
            });
        } else {
            batch.note = Some(NoteRow {
                name: row["note"]["name"].as_str().unwrap().to_owned(),
                version: 1,
                body: row["note"]["body"].to_string(),
            });
        }
        assert_ne!(store.commit(batch).await.unwrap(), Commit::Stale, "{row}");
    }
}
