"""The same join, sum and comparison in DuckDB, on the shop that the bench exports.

    pip install duckdb
    cargo bench -p counterfoil-benches --bench matching -- export 1000000
    python benches/in_duckdb.py [THREADS]
"""

import pathlib
import sys
import time

import duckdb

ROUNDS = 5
SHOP = pathlib.Path(__file__).parent.parent / "target" / "shop"
MATCH = """
    create or replace table verdicts as
    select o.order_id, count(p.amount_minor) payments, coalesce(sum(p.amount_minor), 0) paid,
           coalesce(sum(p.amount_minor), 0) - o.total_minor difference
    from orders o left join payments p on p.order_ref = o.order_id
    group by o.order_id, o.total_minor
"""

db = duckdb.connect()
db.execute(f"set threads = {sys.argv[1] if len(sys.argv) > 1 else 1}")
for table in ("orders", "payments"):
    db.execute(f"create table {table} as from read_csv('{SHOP / table}.csv', header = true)")
rows = sum(db.execute(f"select count(*) from {table}").fetchone()[0] for table in ("orders", "payments"))

best = float("inf")
for _ in range(ROUNDS):
    before = time.process_time()
    db.execute(MATCH)
    best = min(best, time.process_time() - before)
print(f"DuckDB {duckdb.__version__}: {rows} rows, {best:.3f} CPU s, {rows / best / 1e6:.2f} M rows/CPU-s")
print(db.execute("select count(*) filter (difference = 0) exact, count(*) orders from verdicts").fetchall())
