#!/bin/bash
# Makes the database on the first start, with the variables of the official MySQL image:
#   MYSQL_ROOT_PASSWORD (required), MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD
# and the scripts in /docker-entrypoint-initdb.d (*.sh, *.sql, *.sql.gz), in the order of names.
set -euo pipefail

data=/var/lib/mysql
begun="$data/.initialising" # still there if an earlier start was cut short
socket=/run/mysqld/mysqld.sock

say() { echo "entrypoint: $*"; }

sql() { mariadb --socket="$socket" --user=root --password="$MYSQL_ROOT_PASSWORD" "$@"; }

# shellcheck disable=SC2001
quoted() { printf "'%s'" "$(sed "s/[\\\\']/\\\\&/g" <<<"$1")"; }

make_tables() {
    say "making the database in $data"
    [ ! -e "$begun" ] || find "$data" -mindepth 1 -delete
    touch "$begun"
    mariadb-install-db --user=mysql --datadir="$data" --skip-test-db \
        --auth-root-authentication-method=normal >/dev/null
}

start_unreachable_server() {
    mariadbd --user=mysql --skip-networking --socket="$socket" &
    server=$!
    until mariadb-admin --socket="$socket" ping --silent >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { say "the server did not start"; exit 1; }
        sleep 0.1
    done
}

make_users() {
    local root user
    root=$(quoted "$MYSQL_ROOT_PASSWORD")
    mariadb --socket="$socket" --user=root <<SQL
ALTER USER root@localhost IDENTIFIED BY $root;
CREATE USER root@'%' IDENTIFIED BY $root;
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
SQL
    [ -z "${MYSQL_DATABASE:-}" ] || sql <<<"CREATE DATABASE \`$MYSQL_DATABASE\`;"
    [ -n "${MYSQL_USER:-}" ] || return 0
    user="$(quoted "$MYSQL_USER")@'%'"
    sql <<<"CREATE USER $user IDENTIFIED BY $(quoted "${MYSQL_PASSWORD:-}");"
    [ -z "${MYSQL_DATABASE:-}" ] || sql <<<"GRANT ALL ON \`$MYSQL_DATABASE\`.* TO $user;"
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh)
                say "running $script"
                # shellcheck source=/dev/null
                . "$script"
                ;;
            *.sql) say "running $script"; sql "${MYSQL_DATABASE:-}" <"$script" ;;
            *.sql.gz) say "running $script"; gunzip -c "$script" | sql "${MYSQL_DATABASE:-}" ;;
        esac
    done
}

initialise() {
    : "${MYSQL_ROOT_PASSWORD:?set MYSQL_ROOT_PASSWORD: the database is made with it}"
    make_tables
    start_unreachable_server
    make_users
    run_scripts
    mariadb-admin --socket="$socket" --user=root --password="$MYSQL_ROOT_PASSWORD" shutdown
    wait "$server"
    rm "$begun"
    say "the database is made"
}

if [ "$1" = mariadbd ]; then
    install --directory --owner=mysql /run/mysqld
    find "$data" ! -user mysql -exec chown mysql: {} +
    if [ ! -d "$data/mysql" ] || [ -e "$begun" ]; then
        initialise
    fi
    set -- "$@" --user=mysql
fi
exec "$@"
