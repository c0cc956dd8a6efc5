-- One engine's records. The kernel is the truth: each row can be checked against kernel objects.
-- Times are seconds since the epoch (REAL). JSON columns hold what only Python looks into.

CREATE TABLE images (
    id TEXT PRIMARY KEY,                -- digest of the config: sha256:<hex>
    config TEXT NOT NULL,               -- the image config, JSON as received
    chain_ids TEXT NOT NULL,            -- JSON list, lowest layer first
    size_bytes INTEGER NOT NULL,        -- unpacked
    manifest_digest TEXT,
    created_at REAL NOT NULL            -- when it came here
);

CREATE TABLE image_references (
    reference TEXT PRIMARY KEY,         -- normalised: docker.io/library/mysql:8
    image_id TEXT NOT NULL REFERENCES images (id),
    digest TEXT,                        -- of the manifest or index it was resolved to
    updated_at REAL NOT NULL
);
CREATE INDEX image_references_image ON image_references (image_id);

CREATE TABLE layers (
    chain_id TEXT PRIMARY KEY,          -- sha256:<hex>
    diff_id TEXT NOT NULL,
    parent TEXT,                        -- chain id
    blob_digest TEXT,
    size_bytes INTEGER NOT NULL,
    unsynced_boot TEXT                  -- boot in which it was made, until its files are on disk
);

CREATE TABLE containers (
    id TEXT PRIMARY KEY,                -- 64 hex
    name TEXT NOT NULL UNIQUE,
    image_id TEXT,
    labels TEXT NOT NULL,               -- JSON object
    spec TEXT NOT NULL,                 -- JSON of ContainerSpec: what is desired
    created_at REAL NOT NULL,
    started_at REAL,                    -- last start, NULL if never
    manually_stopped INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE networks (
    id TEXT PRIMARY KEY,                -- 64 hex
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL,
    device TEXT,                        -- bridge, or parent of its links
    internal INTEGER NOT NULL DEFAULT 0,
    labels TEXT NOT NULL,
    options TEXT NOT NULL,
    created_at REAL NOT NULL,
    attachable INTEGER NOT NULL DEFAULT 0   -- as asked for: without effect on one host
);

CREATE TABLE pools (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    family INTEGER NOT NULL,            -- 4 or 6
    subnet TEXT NOT NULL,               -- 172.18.0.0/16
    given INTEGER NOT NULL DEFAULT 0,   -- by the user, not chosen by us
    ip_range TEXT,                      -- where automatic addresses come from; NULL: the subnet
    gateway TEXT NOT NULL,
    reserved TEXT NOT NULL DEFAULT '{}', -- JSON: name -> address that no container is given
    last_address TEXT,                  -- handed out last: the next one follows it
    PRIMARY KEY (network_id, family)
);

CREATE TABLE addresses (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    family INTEGER NOT NULL,            -- 4 or 6
    address TEXT NOT NULL,
    owner TEXT NOT NULL,                -- sticky key: project/service/number, or the container id
    container_id TEXT,                  -- who has it now; NULL while only remembered
    released_at REAL,                   -- since when it is only remembered
    mac_address TEXT NOT NULL,
    interface TEXT NOT NULL,            -- inside: eth0
    PRIMARY KEY (network_id, address),
    UNIQUE (network_id, family, owner)
);
CREATE INDEX addresses_container ON addresses (container_id);

CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    labels TEXT NOT NULL,
    options TEXT NOT NULL,
    anonymous INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
);

CREATE TABLE build_cache (
    key TEXT PRIMARY KEY,               -- digest of the step and all it depends on
    chain_id TEXT,                      -- the layer it made; NULL for a step without one
    record TEXT NOT NULL,               -- JSON: what made up the key, for "why was it rebuilt?"
    created TEXT NOT NULL,              -- RFC 3339, as the image's history has it
    used_at REAL NOT NULL
);

CREATE TABLE build_steps (
    place TEXT PRIMARY KEY,             -- digest of a Dockerfile's path, a stage and a number
    key TEXT NOT NULL                   -- in build_cache: what was built there last
);

CREATE TABLE events (
    at REAL NOT NULL,
    kind TEXT NOT NULL,                 -- container, network, volume, image
    action TEXT NOT NULL,               -- create, start, die, oom, destroy, ...
    subject TEXT NOT NULL,              -- id or name
    attributes TEXT NOT NULL            -- JSON object
);
CREATE INDEX events_at ON events (at);
