/*
 * operation: what an operation is. An operation is one row: its handler, its fields and the row stand in one file of
 * src/service, and everything that lists operations (the dispatcher, the description of src/rpc/openapi.c, the tests
 * that demand a case for each) reads the rows through registry.h. Policy is data in the row, checked once in src/rpc; a
 * handler never checks it.
 *
 * An operation never sees HTTP, the environment or a transaction.
 */
#ifndef CHATS_SERVICE_OPERATION_H
#define CHATS_SERVICE_OPERATION_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "store/auth.h"
#include "store/store.h"

/*
 * On whose behalf a call is made: found once, by src/rpc/access.c. Borrowed from the request and its arena. With a
 * token all of it is the token's, whatever the header says. Without one the account is empty and the namespace the
 * header's; the type is service where auth is open and the operation's policy allows for that, else user.
 */
struct caller {
    struct text namespace;
    struct text account;
    enum account_type type;
};

/*
 * Where an answer goes. A handler appends JSON to `out` and calls reply_flush between items of a long answer: that
 * hands on what has gathered once it is large, so that no answer is held in memory whole.
 */
struct reply;

/* The buffer to append to. It starts empty. */
struct buffer *reply_out(struct reply *reply) __attribute__((returns_nonnull));

/*
 * What the answer waits for before it leaves, filled by the call of the store that returned before it was on the disk:
 * one such call an answer.
 */
struct store_ticket *reply_ticket(struct reply *reply) __attribute__((returns_nonnull));

/* Hands on what has gathered, if it is much. False: nobody is listening any more; the handler returns ERROR_NONE. */
bool reply_flush(struct reply *reply) __attribute__((warn_unused_result));

/*
 * True after the first complete rendering of an answer of more than 1 MiB, whose length is known now: the handler
 * renders the same bytes once more from the start, and they leave. Not before the answer's ticket is on the disk. Only
 * a handler that may answer more than 1 MiB needs to ask.
 */
bool reply_wants_again(struct reply *reply) __attribute__((warn_unused_result));

/* One call. Everything in it lives until the answer is sent. */
struct call {
    const struct config *config;
    struct store *store;
    struct caller caller;
    struct text address; /* the client's, as src/http/client.h says; 1 to TEXT_ID_BYTES_MAX bytes */
    struct arena *arena;
    struct reply *reply;
    struct error *error;
};

enum field_type {
    FIELD_STRING,  /* struct text: UTF-8 without U+0000, field.min to field.max bytes; "" is the same as absent */
    FIELD_ID,      /* struct text: as text_is_id says; "" is the same as absent */
    FIELD_ID_LIST, /* struct text_list: a set of ids, sorted by bytes, duplicates folded; repeated in a form or query */
    FIELD_INT64,   /* int64_t from field.min to field.max: a JSON integer or a decimal string */
    FIELD_TIMESTAMP,   /* struct maybe_time: an RFC 3339 string; "" is none and refused */
    FIELD_ORDER,       /* enum store_order: "asc", "desc", "" */
    FIELD_ACCOUNT_TYPE /* enum account_type: "user", "service", "" (user) */
};

struct text_list {
    struct text *items;
    size_t count;
};

/* A time that may be finer than nanoseconds: base/timestamp.h, timestamp_parse_bound. Both are 0 if not given. */
struct maybe_time {
    bool given;
    uint64_t floor_ns;   /* what is after it is > floor_ns */
    uint64_t ceiling_ns; /* what is before it is < ceiling_ns */
};

/*
 * One field of an operation's arguments. Rows stand in the order in which missing ones are reported. `missing` is the
 * error of an absent field, ERROR_NONE if it may be absent (the zeroed argument is what the handler sees then).
 */
struct field {
    const char *name;  /* snake_case; "options.namespace": member "namespace" of an object "options" */
    const char *about; /* what it is, for who calls the operation: one or two sentences */
    enum field_type type;
    enum error_kind missing;
    size_t offset; /* of the argument in the operation's argument struct */
    int64_t min;   /* FIELD_INT64: the least value allowed; FIELD_STRING: bytes; FIELD_ID_LIST: ids, else missing */
    int64_t max;   /* FIELD_INT64: the greatest, see page_limit; FIELD_STRING: bytes; FIELD_ID_LIST: ids */
    enum {
        FIELD_PLAIN,
        FIELD_CALLER
    } absent;        /* FIELD_CALLER: absent means the caller's own account, if it is a user */
    bool secret;     /* refused in a query string: addresses are logged and kept in histories (contract, section 6) */
    bool page_limit; /* FIELD_INT64: the greatest is the configuration's limit_max, whatever max says */
};

/*
 * What a 200 answer is made of: an object of these members, all of them always there. The handler renders it by itself;
 * the end-to-end suite holds every answer against this.
 */
struct shape;

enum member_type {
    MEMBER_STRING,
    MEMBER_ID,
    MEMBER_ID_LIST,
    MEMBER_TIME,         /* RFC 3339, nine fraction digits, UTC */
    MEMBER_INT64,        /* a quoted decimal */
    MEMBER_ACCOUNT_TYPE, /* "user" or "service" */
    MEMBER_OBJECT,       /* of member.shape */
    MEMBER_OBJECT_LIST   /* of objects of member.shape */
};

struct member {
    const char *name;
    enum member_type type;
    const struct shape *shape; /* of MEMBER_OBJECT and MEMBER_OBJECT_LIST; it has a name */
};

struct shape {
    const char *name; /* "Message": of what is described once and referred to; NULL for an operation's own answer */
    const struct member *members;
    size_t count;
};

/* An error of an operation's own. */
struct operation_error {
    enum error_kind kind;
    const char *detail; /* what it says here, NULL: the kind's own (base/error.h) */
};

enum operation_effect { OPERATION_READS, OPERATION_WRITES };

enum operation_policy {
    POLICY_ANYONE,          /* no token is looked at */
    POLICY_OPTIONAL,        /* no token is needed, but one that is given must be good */
    POLICY_CALLER,          /* a token; none is needed where auth is open */
    POLICY_TOKEN,           /* a token, wherever */
    POLICY_SERVICE,         /* a service's token, wherever */
    POLICY_SERVICE_OR_LOCAL /* the same, or no token from this very machine, as far as `metrics` in chats.conf lets */
};

/*
 * The handler. args points to the operation's argument struct, fields checked. On ERROR_NONE the answer is complete in
 * call->reply; else call->error has been set with error_set, and what was appended is dropped (if some of it was
 * flushed already, the connection is broken off).
 */
typedef enum error_kind operation_fn(struct call *call, const void *args) __attribute__((warn_unused_result));

struct operation {
    const char *service; /* "Chats" */
    const char *name;    /* "SendMessage" */
    const char *alias;   /* "CreateMessage", or NULL */
    enum operation_effect effect;
    enum operation_policy policy;
    operation_fn *run;
    const struct field *fields;
    size_t fields_count;
    size_t args_bytes; /* size of the argument struct, 0 if none */
    bool sweeps;       /* store_auth_sweep is called once it has been answered */
    const char *about; /* what it does, for who calls it: one sentence */
    /* What the handler may answer beside what operation_may_answer says of all; ends with ERROR_NONE; NULL: nothing. */
    const struct operation_error *errors;
    const struct shape *answer; /* NULL: {} */
    const char *media;          /* the answer's Content-Type where that is a text, not JSON: then it has no shape */
    const char *example;        /* a body that is valid, as JSON; NULL: {} */
    const char *example_answer; /* what it is answered, as JSON; NULL: {}; of a text: within a JSON string */
};

/* The operations of one file. */
struct operation_table {
    const struct operation *rows;
    size_t count;
};

/* The greatest value that an integer field takes: the row's, or what chats.conf says. */
int64_t operation_field_max(const struct field *field, const struct config *config);

/*
 * True if a call of the operation may be answered with this error: one of its own, that of a missing field, what its
 * policy brings, or what every operation may answer.
 */
bool operation_may_answer(const struct operation *operation, enum error_kind kind) __attribute__((warn_unused_result));

/* The error a client reads for a status other than STORE_OK and STORE_EXISTS; `conflict` is what STORE_CONFLICT means.
 */
enum error_kind operation_store_error(struct call *call, enum store_status status, enum error_kind conflict);

#endif
