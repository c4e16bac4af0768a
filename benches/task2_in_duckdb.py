"""Task 2, payments without reference, in DuckDB: what SQL finds, how often it is right, and how long
it takes beside `cargo bench -p counterfoil-benches --bench matching -- task2`.

    pip install duckdb
    COUNTERFOIL_SHARED=... python benches/task2_in_duckdb.py [THREADS]

Both ways give no order to two payments, and both find less than the search does: no parts of one
order, no orders of unknown total, no differences.
"""

import os
import pathlib
import sys
import time

import duckdb

ROUNDS = 5
TASKS = pathlib.Path(os.environ["COUNTERFOIL_SHARED"]) / "data" / "olist" / "tasks"
DAY = 86_400
# A payment may be dated a little before its order.
BEFORE = 3_600

# Pairs of equal amount within a window, accepted if they are the only one on both sides. The second
# tier takes a payment that names no customer, or an order that does.
SAME_CUSTOMER = f"p.customer = o.customer and p.at - o.at between -{BEFORE} and 30 * {DAY}"
BY_RAIL = f"""(p.customer is null or o.customer is null)
    and p.at - o.at between -{BEFORE} and case p.rail when 'boleto' then 7 else 3 end * {DAY}"""
UNIQUE = """
    create or replace temp table found as
    select payment, "order" from (
        select p.payment, o."order",
               count(*) over (partition by p.payment) of_payment,
               count(*) over (partition by o."order") of_order
        from payments_left p join orders_left o on o.amount = p.amount and {tier}
    ) where of_payment = 1 and of_order = 1
"""

# Every pair of equal amount within seven days, accepted if each is the other's nearest.
MUTUALLY_NEAREST = f"""
    create or replace temp table matches as
    select payment, "order" from (
        select p.payment, o."order",
               row_number() over (partition by p.payment order by abs(p.at - o.at), o."order") of_payment,
               row_number() over (partition by o."order" order by abs(p.at - o.at), p.payment) of_order
        from payments p join orders o on o.amount = p.amount
            and (p.customer = o.customer or p.customer is null or o.customer is null)
            and p.at - o.at between -{BEFORE} and 7 * {DAY}
    ) where of_payment = 1 and of_order = 1
"""


def mutually_nearest(db):
    db.execute(MUTUALLY_NEAREST)


def unique_in_tiers(db):
    """Each tier until it finds nothing more, and both until neither does."""
    db.execute("create or replace temp table payments_left as from payments")
    db.execute("create or replace temp table orders_left as from orders where amount is not null")
    db.execute("create or replace temp table matches(payment varchar, \"order\" varchar)")
    found = True
    while found:
        found = False
        for tier in (SAME_CUSTOMER, BY_RAIL):
            while True:
                db.execute(UNIQUE.format(tier=tier))
                if db.execute("select count(*) from found").fetchone()[0] == 0:
                    break
                found = True
                db.execute("insert into matches from found")
                for side, key in (("payments", "payment"), ("orders", '"order"')):
                    db.execute(f"create or replace temp table {side}_left as "
                               f"from {side}_left anti join found using ({key})")


db = duckdb.connect()
db.execute(f"set threads = {sys.argv[1] if len(sys.argv) > 1 else 1}")
db.execute(f"""create table orders as select order_id "order", nullif(customer, '') customer,
    total_minor amount, epoch(purchased_at)::bigint "at" from read_csv('{TASKS}/task2_orders.csv.gz')""")
db.execute(f"""create table payments as select payment_id payment, nullif(customer, '') customer,
    amount_minor amount, type rail, epoch(paid_at)::bigint "at"
    from read_csv('{TASKS}/task2_payments.csv.gz')""")
db.execute(f"create table truth as from read_csv('{TASKS}/task2_truth.csv.gz')")
rows = [db.execute(f"select count(*) from {table}").fetchone()[0] for table in ("orders", "payments")]
print(f"DuckDB {duckdb.__version__}: {rows[0]} orders, {rows[1]} payments")
for query in (unique_in_tiers, mutually_nearest):
    best = float("inf")
    for _ in range(ROUNDS):
        before = time.process_time()
        query(db)
        best = min(best, time.process_time() - before)
    matched, right, answers = db.execute("""
        select count(m.payment), count(*) filter (m."order" = t.order_id), count(t.order_id)
        from truth t left join matches m on m.payment = t.payment_id""").fetchone()
    print(f"{query.__name__}: {matched} matched, {matched - right} wrong, "
          f"recall {right / answers:.4f}, {best:.3f} CPU s")
