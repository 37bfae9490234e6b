#include "bdb/memory.h"

#include <db.h>
#include <malloc.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Before each block of the reserve. */
struct block {
    alignas(max_align_t) size_t bytes;
};

/* Not on the heap: it counts from the start, also where a limit on the address space is what malloc meets. */
static struct {
    alignas(max_align_t) char bytes[MEMORY_RESERVE_BYTES];
    size_t used;
    bool told;     /* once is enough */
    size_t blocks; /* that have not been given back; with the last of them all of it is free again */
} reserve;

static bool is_of_reserve(const void *block)
{
    return (uintptr_t)block >= (uintptr_t)reserve.bytes &&
           (uintptr_t)block < (uintptr_t)reserve.bytes + sizeof reserve.bytes;
}

static struct block *block_of(void *data)
{
    return (struct block *)((char *)data - sizeof(struct block));
}

static void *reserve_alloc(size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (bytes > sizeof reserve.bytes) {
        return NULL;
    }
    size_t needed = sizeof(struct block) + (bytes + align - 1) / align * align;
    if (needed > sizeof reserve.bytes - reserve.used) {
        return NULL;
    }
    if (reserve.blocks++ == 0 && !reserve.told) {
        reserve.told = true;
        log_warning("out of memory: Berkeley DB is given some of the reserve");
    }
    struct block *block = (struct block *)(reserve.bytes + reserve.used);
    block->bytes = bytes;
    reserve.used += needed;
    return block + 1;
}

void *memory_alloc(size_t bytes)
{
    void *data = malloc(bytes);
    if (data == NULL) {
        data = reserve_alloc(bytes);
    }
    return data;
}

void *memory_realloc(void *old, size_t bytes)
{
    if (old == NULL) {
        return memory_alloc(bytes);
    }
    bool was_reserve = is_of_reserve(old);
    void *data = was_reserve ? NULL : realloc(old, bytes);
    if (data != NULL) {
        return data;
    }
    size_t old_bytes = was_reserve ? block_of(old)->bytes : malloc_usable_size(old);
    data = memory_alloc(bytes);
    if (data != NULL) {
        memcpy(data, old, old_bytes < bytes ? old_bytes : bytes);
        memory_free(old);
    }
    return data;
}

void memory_free(void *block)
{
    if (!is_of_reserve(block)) {
        free(block);
        return;
    }
    struct block *head = block_of(block);
    const size_t align = alignof(max_align_t);
    size_t end = (size_t)((char *)block - reserve.bytes) + (head->bytes + align - 1) / align * align;
    if (end == reserve.used) {
        reserve.used = (size_t)((char *)head - reserve.bytes);
    }
    if (--reserve.blocks == 0) {
        reserve.used = 0;
    }
}

size_t memory_reserve_used(void)
{
    return reserve.used;
}

static void memory_watch_once(void)
{
    (void)db_env_set_func_malloc(memory_alloc); /* these do not fail */
    (void)db_env_set_func_realloc(memory_realloc);
    (void)db_env_set_func_free(memory_free);
}

void memory_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, memory_watch_once);
}
