/*
 * memory: what Berkeley DB allocates. The library does not stand a malloc that fails: db_env_create follows a null
 * pointer, and others leave the environment panicked, in both cases inside the gate, so that all processes have to
 * recover. So where malloc has nothing left the library gets its memory from a reserve, which is enough to join the
 * environment, to recover it and to end what was begun. What runs outside of the library fails in the ordinary way.
 *
 * The library is called under the gate only, so nothing here needs a lock.
 */
#ifndef CHATS_BDB_MEMORY_H
#define CHATS_BDB_MEMORY_H

#include <stddef.h>

/* Joining takes 60 KB, a recovery of thousands of records 300 KB (measured with every malloc failing). */
#define MEMORY_RESERVE_BYTES (1u << 20)

/* From now on the library allocates here, in the whole process. Before the library is used, any number of times. */
void memory_watch(void);

/* For memory_watch, and the unit test: as malloc, realloc and free. NULL: the reserve is used up, too. */
void *memory_alloc(size_t bytes);
void *memory_realloc(void *old, size_t bytes);
void memory_free(void *block);

/* Bytes of the reserve in use. */
size_t memory_reserve_used(void);

#endif
