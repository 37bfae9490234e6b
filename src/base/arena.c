#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Holds an ordinary request with its parameters and answer; only a block of this size is kept between requests. */
#define BLOCK_BYTES 16384u

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t capacity;
    alignas(max_align_t) char data[];
};

static struct arena_block *block_add(struct arena *a, size_t capacity)
{
    struct arena_block *block;
    if (capacity > SIZE_MAX - sizeof *block) {
        return NULL;
    }
    block = malloc(sizeof *block + capacity);
    if (!block) {
        return NULL;
    }
    block->used = 0;
    block->capacity = capacity;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (bytes > SIZE_MAX - align) {
        return NULL;
    }
    size_t rounded = (bytes + align - 1) & ~(align - 1);
    struct arena_block *block = a->blocks;
    if (!block || block->capacity - block->used < rounded) {
        block = block_add(a, rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES);
        if (!block) {
            return NULL;
        }
    }
    void *data = block->data + block->used;
    block->used += rounded;
    memset(data, 0, rounded);
    return data;
}

struct text arena_text(struct arena *a, struct text t)
{
    char *data = t.bytes < SIZE_MAX ? arena_alloc(a, t.bytes + 1) : NULL;
    if (!data) {
        return (struct text){NULL, 0};
    }
    if (t.bytes > 0) {
        memcpy(data, t.data, t.bytes);
    }
    return (struct text){data, t.bytes};
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL;
    struct arena_block *block = a->blocks;
    while (block) {
        struct arena_block *next = block->next;
        if (!kept && block->capacity == BLOCK_BYTES) {
            kept = block;
        } else {
            free(block);
        }
        block = next;
    }
    if (kept) {
        kept->used = 0;
        kept->next = NULL;
    }
    a->blocks = kept;
}

void arena_clear(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
}

bool arena_has_memory(size_t bytes)
{
    void *volatile memory = malloc(bytes); /* volatile: or the compiler leaves both calls out */
    bool has = memory != NULL;
    free(memory);
    return has;
}
