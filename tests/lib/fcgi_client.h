/*
 * fcgi_client: calls an operation of a FastCGI responder straight through its unix socket (FastCGI specification 1.0),
 * one request a connection, so that load is not bound by a web server. http_call is the same through a web server.
 */
#ifndef CHATS_TESTS_FCGI_CLIENT_H
#define CHATS_TESTS_FCGI_CLIENT_H

#include "answer.h"

/* Where the service is. */
struct service {
    const char *socket_path; /* of FastCGI responders; NULL: a web server on the loopback interface */
    unsigned port;
    unsigned deadline_ms; /* of each call */
};

/*
 * POSTs body to /chats/Chats/<operation>. *ret, initialised, is filled on ANSWER_WHOLE. An answer without END_REQUEST,
 * or (http) shorter than announced, is ANSWER_BROKEN.
 */
enum answer_outcome service_call(const struct service *s, const char *operation, struct text body, struct answer *ret)
    __attribute__((warn_unused_result));

#endif
