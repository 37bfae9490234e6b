-- The peer's tables. A token is found by its digest, a chat by its id or its members, a page by the clustered key.
-- The journal's mode is kept in the file; synchronous is each connection's own (index.php).
PRAGMA journal_mode = WAL;

CREATE TABLE tokens (
    digest    TEXT PRIMARY KEY, -- SHA-256, hexadecimal
    namespace TEXT NOT NULL,
    account   TEXT NOT NULL,
    type      TEXT NOT NULL,
    expiry    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE chats (
    number     INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    id         TEXT NOT NULL,
    members    TEXT NOT NULL, -- JSON, sorted and distinct: the same users are the same text
    created_at INTEGER NOT NULL, -- ns
    UNIQUE (namespace, id),
    UNIQUE (namespace, members)
);

-- sent_at, in ns, rises strictly within a chat: the key is the page's order, and a time bound is a range of it.
CREATE TABLE messages (
    chat    INTEGER NOT NULL REFERENCES chats,
    sent_at INTEGER NOT NULL,
    id      TEXT NOT NULL,
    author  TEXT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (chat, sent_at),
    UNIQUE (chat, id)
) WITHOUT ROWID;
