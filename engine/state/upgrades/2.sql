-- From schema 1: a network has a pool for each IP version, no longer one subnet.

CREATE TABLE pools (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    family INTEGER NOT NULL,
    subnet TEXT NOT NULL,
    given INTEGER NOT NULL DEFAULT 0,
    ip_range TEXT,
    gateway TEXT NOT NULL,
    reserved TEXT NOT NULL DEFAULT '{}',
    last_address TEXT,
    PRIMARY KEY (network_id, family)
);
INSERT INTO pools (network_id, family, subnet, given, ip_range, gateway, last_address)
    SELECT id, 4, subnet, subnet_given, ip_range, gateway, last_address FROM networks;

ALTER TABLE networks RENAME COLUMN bridge TO device;
ALTER TABLE networks DROP COLUMN subnet;
ALTER TABLE networks DROP COLUMN subnet_given;
ALTER TABLE networks DROP COLUMN ip_range;
ALTER TABLE networks DROP COLUMN gateway;
ALTER TABLE networks DROP COLUMN last_address;

ALTER TABLE addresses RENAME TO addresses_1;
DROP INDEX addresses_container;
CREATE TABLE addresses (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    family INTEGER NOT NULL,
    address TEXT NOT NULL,
    owner TEXT NOT NULL,
    container_id TEXT,
    released_at REAL,
    mac_address TEXT NOT NULL,
    interface TEXT NOT NULL,
    PRIMARY KEY (network_id, address),
    UNIQUE (network_id, family, owner)
);
CREATE INDEX addresses_container ON addresses (container_id);
INSERT INTO addresses SELECT network_id, 4, address, owner, container_id, released_at,
    mac_address, interface FROM addresses_1;
DROP TABLE addresses_1;
