-- Run once, when the database is made.
CREATE TABLE lessons (
    number INT PRIMARY KEY,
    title VARCHAR(80) NOT NULL
);

INSERT INTO lessons VALUES
    (1, 'Containers and virtual machines'),
    (2, 'Working with containers'),
    (3, 'Building images'),
    (4, 'Container networking'),
    (5, 'Compose: several services, one file');

CREATE TABLE visits (
    visited_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
