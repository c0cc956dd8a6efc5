-- From schema 2: whether a network was asked for as attachable.

ALTER TABLE networks ADD COLUMN attachable INTEGER NOT NULL DEFAULT 0;
