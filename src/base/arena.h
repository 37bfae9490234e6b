/*
 * arena: the memory of one request. Everything made while a request is served hangs off its arena and goes at once
 * when the reply is sent; nothing in it is freed by itself.
 */
#ifndef CHATS_BASE_ARENA_H
#define CHATS_BASE_ARENA_H

#include "base/text.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
};

/* Zeroed memory, aligned for any type, that lives until arena_clear; NULL when out of memory. bytes may be 0. */
void *arena_alloc(struct arena *a, size_t bytes) __attribute__((warn_unused_result));

/* A NUL-terminated copy of t in the arena; data is NULL when out of memory. */
struct text arena_text(struct arena *a, struct text t) __attribute__((warn_unused_result));

/* Frees all but one block, which is kept for the next request; every pointer into the arena is dead. */
void arena_reset(struct arena *a);

/* Frees everything. A zeroed struct arena is an empty one. */
void arena_clear(struct arena *a);

/*
 * True if malloc has so many bytes at hand: they are asked for and given back. For what comes next and is done by a
 * library that does not stand a malloc that fails. Other threads may still be quicker.
 */
bool arena_has_memory(size_t bytes) __attribute__((warn_unused_result));

#endif
