/*
 * rpc: one call, from its address to its answer: find the operation, check access, decode, run, answer. The only place
 * that renders errors. It knows methods, addresses and codes, but no transport: src/http fills a struct request and
 * sends what the struct reply says.
 */
#ifndef CHATS_RPC_RPC_H
#define CHATS_RPC_RPC_H

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "service/operation.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OPTIONS, METHOD_OTHER };

enum media_type { MEDIA_JSON, MEDIA_FORM, MEDIA_MULTIPART }; /* MEDIA_JSON: anything but the other two, or none */

/* What went wrong while a body was read; it is reported after address and method (contract, end of section 4). */
enum body_fault {
    BODY_READ,       /* nothing: it is there */
    BODY_TOO_LARGE,  /* over max_body */
    BODY_CUT_SHORT,  /* it ended before its announced length */
    BODY_BAD_LENGTH, /* the announced length is no length */
    BODY_NO_MEMORY
};

/* One request. All views live until the reply is sent. */
struct request {
    enum method method;
    struct text mount;      /* SCRIPT_NAME, may be empty */
    struct text path;       /* PATH_INFO, decoded by the server */
    struct text query;      /* QUERY_STRING, encoded */
    struct text origin;     /* the Origin header, empty if none */
    bool is_preflight;      /* an OPTIONS request with Access-Control-Request-Method: a browser's (Fetch, CORS) */
    struct text bearer;     /* the token of "Authorization: Bearer", empty if none */
    bool has_bearer;        /* there was such a header, even with an empty token */
    bool has_authorization; /* there was an Authorization header of any scheme */
    struct text address;    /* the client's, as src/http/client.h says; never empty */
    struct text namespace;  /* the Micro-Namespace header, empty if none */
    /* True if the caller is a program of this machine that nobody speaks for: src/http/client.h. NULL: it is not. */
    bool (*is_local)(void *peer);
    void *peer;
    uint64_t began_ns; /* monotonic: when it began to be served */
    enum media_type media;
    enum body_fault body_fault;
    struct text body;
};

#define REPLY_WHOLE_BYTES_MAX 1048576u /* longer answers leave in parts: contract, section 4 */
#define REPLY_ITEM_BYTES_MAX 1048576u  /* what a handler may append between two flushes */
#define REPLY_BYTES_MAX ((size_t)REPLY_WHOLE_BYTES_MAX + REPLY_ITEM_BYTES_MAX)
/*
 * How a reply leaves: src/http implements it. `head` sends status and headers (bytes: the body's length), `body` a part
 * of the body. False: the peer is gone, or the transport failed.
 */
struct reply_sink {
    bool (*head)(void *context, const struct reply *reply, uint64_t bytes);
    bool (*body)(void *context, const char *data, size_t bytes);
    void *context;
    bool discards; /* HEAD: the body is wanted for its length only */
};

enum reply_mode { REPLY_GATHER, REPLY_MEASURE, REPLY_REPLAY, REPLY_BROKEN };

struct reply {
    struct store *store;        /* where the ticket is from */
    struct store_ticket ticket; /* what this answer waits for: nothing leaves before that is on the disk */
    int code;                   /* HTTP status code */
    const char *status;         /* reason phrase */
    const char *allow;          /* Allow header, or NULL */
    unsigned retry_s;           /* Retry-After, or 0 */
    bool challenge;             /* WWW-Authenticate: Bearer */
    const char *media;          /* Content-Type, NULL: JSON */
    /* What was called and what came of it, for the log; of the caller what was found out. */
    size_t called; /* one of the kinds of calls in base/figures.h */
    enum error_kind result;
    struct caller caller;
    bool sweeps;        /* store_auth_sweep is due once this has been sent */
    struct buffer *out; /* what has gathered and not been sent */
    enum reply_mode mode;
    uint64_t measured_bytes; /* REPLY_MEASURE: so far; REPLY_REPLAY: the length announced */
    uint64_t sent_bytes;     /* REPLY_REPLAY: so far */
    const struct reply_sink *sink;
};

/* A reply that gathers in `out`, empty and of REPLY_BYTES_MAX, and leaves through sink; both must live as long. */
void reply_init(struct reply *reply, const struct reply_sink *sink, struct buffer *out);

/*
 * The body of an error answer: contract, section 4, keys capitalised as the original's clients read them. detail: of
 * any bytes; NULL or "": the kind's own.
 */
void rpc_append_error(struct buffer *out, enum error_kind kind, const char *detail);

/* A call between its handler and its answer. */
struct rpc {
    const struct request *request;
    const struct operation *operation; /* NULL: it is none */
    struct call call;
    struct error error;
    enum error_kind kind;
};

/*
 * Runs what one request asks for and renders its answer into reply, which then waits for reply->ticket. An answer of
 * more than 1 MiB begins to leave here. config and store as in struct call; store may be NULL (the home could not be
 * opened): every operation answers 503 then. `arena` is the request's. All of them must live until rpc_answer.
 */
void rpc_run(struct rpc *rpc, const struct config *config, struct store *store, const struct request *request,
             struct arena *arena, struct reply *reply);

/* After rpc_run: true if the answer is not on the disk yet. */
bool rpc_waits(const struct rpc *rpc) __attribute__((warn_unused_result));

/*
 * Waits until what the answer tells is on the disk, on whichever thread, counts the call and sends the answer through
 * the reply's sink: 503 where the wait was in vain. Once after each rpc_run.
 * True: a complete answer was sent. False: it was broken off, and the transport must make that visible to the peer.
 */
bool rpc_answer(struct rpc *rpc) __attribute__((warn_unused_result));

#endif
