/*
 * wire: stream sockets of a test client, with a deadline for everything: a test never waits for good.
 * Deadlines are in ns of the monotonic clock (timestamp_monotonic_ns).
 */
#ifndef CHATS_TESTS_WIRE_H
#define CHATS_TESTS_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

enum wire_result {
    WIRE_OK,
    WIRE_END,    /* the peer closed in the ordinary way */
    WIRE_BROKEN, /* refused, reset, or any other error */
    WIRE_LATE    /* the deadline passed */
};

/* A connected non-blocking descriptor in *ret_fd, the caller's to close. A full backlog is waited for. */
enum wire_result wire_connect_unix(const char *path, uint64_t deadline_ns, int *ret_fd)
    __attribute__((warn_unused_result));
enum wire_result wire_connect_port(unsigned port, uint64_t deadline_ns, int *ret_fd)
    __attribute__((warn_unused_result));

/* Sends all of it. No SIGPIPE. */
enum wire_result wire_send(int fd, struct text data, uint64_t deadline_ns) __attribute__((warn_unused_result));

/* Waits for bytes and gives up to bytes_max of them; WIRE_OK: 1 or more in *ret_bytes. */
enum wire_result wire_receive(int fd, void *data, size_t bytes_max, uint64_t deadline_ns, size_t *ret_bytes)
    __attribute__((warn_unused_result));

#endif
