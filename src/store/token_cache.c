#include "store/token_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct token_entry {
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    uint64_t epoch;
    uint64_t expiry_ns; /* 0: the entry is empty */
    enum account_type type;
    uint8_t namespace_bytes;
    uint8_t account_bytes;
    char namespace[TEXT_ID_BYTES_MAX];
    char account[TEXT_ID_BYTES_MAX];
};

struct token_cache {
    pthread_mutex_t mutex;
    struct token_entry entries[TOKEN_CACHE_ENTRIES];
};

struct token_cache *token_cache_new(void)
{
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache != NULL && pthread_mutex_init(&cache->mutex, NULL) != 0) {
        free(cache);
        cache = NULL;
    }
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (cache != NULL) {
        pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

static struct token_entry *token_cache_place(struct token_cache *cache, const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    return &cache->entries[((unsigned)digest[0] << 8 | digest[1]) % TOKEN_CACHE_ENTRIES];
}

void token_cache_put(struct token_cache *cache, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                     const struct token_cached *cached)
{
    const struct token_holder *holder = &cached->holder;
    if (holder->namespace.bytes > TEXT_ID_BYTES_MAX || holder->account.bytes > TEXT_ID_BYTES_MAX) {
        return;
    }
    struct token_entry *entry = token_cache_place(cache, digest);
    pthread_mutex_lock(&cache->mutex);
    memcpy(entry->digest, digest, CRYPTO_DIGEST_BYTES);
    entry->epoch = cached->epoch;
    entry->expiry_ns = cached->expiry_ns;
    entry->type = holder->type;
    entry->namespace_bytes = (uint8_t)holder->namespace.bytes;
    entry->account_bytes = (uint8_t)holder->account.bytes;
    memcpy(entry->namespace, holder->namespace.data, holder->namespace.bytes);
    memcpy(entry->account, holder->account.data, holder->account.bytes);
    pthread_mutex_unlock(&cache->mutex);
}

bool token_cache_get(struct token_cache *cache, const uint8_t digest[CRYPTO_DIGEST_BYTES], uint64_t epoch,
                     uint64_t now_ns, struct arena *arena, struct token_holder *ret)
{
    const struct token_entry *entry = token_cache_place(cache, digest);
    struct token_holder holder = {0};
    pthread_mutex_lock(&cache->mutex);
    if (entry->epoch == epoch && entry->expiry_ns > now_ns && memcmp(entry->digest, digest, CRYPTO_DIGEST_BYTES) == 0) {
        holder.type = entry->type;
        holder.namespace = arena_text(arena, (struct text){entry->namespace, entry->namespace_bytes});
        holder.account = arena_text(arena, (struct text){entry->account, entry->account_bytes});
    }
    pthread_mutex_unlock(&cache->mutex);
    if (holder.namespace.data == NULL || holder.account.data == NULL) {
        return false;
    }
    *ret = holder;
    return true;
}
