#!/bin/sh
# Runs a command beside a PostgreSQL of its own, which lives in a temporary folder and goes with it:
#   tests/stores/postgres.sh cargo test -p counterfoil-stores
# The command finds it by COUNTERFOIL_POSTGRES. PostgreSQL refuses root, so that root starts it as
# the user `nobody`.
set -eu
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
folder=$(mktemp -d)
as_user=
if [ "$(id -u)" -eq 0 ]; then
  as_user="runuser -u nobody --"
  chown nobody "$folder"
fi
stop() {
  $as_user pg_ctl -D "$folder/data" -m immediate stop >"$folder/stop.log" 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
$as_user initdb -D "$folder/data" -U counterfoil --auth=trust -E UTF8 --locale=C >initdb.log 2>&1 ||
  { cat initdb.log >&2; exit 1; }
$as_user pg_ctl -D "$folder/data" -w -l "$folder/server.log" start \
  -o "-c listen_addresses= -c unix_socket_directories=$folder -c max_connections=200" >start.log 2>&1 ||
  { cat start.log server.log >&2; exit 1; }
cd "$OLDPWD"
COUNTERFOIL_POSTGRES="postgres://counterfoil@localhost/postgres?host=$folder"
export COUNTERFOIL_POSTGRES
"$@"
