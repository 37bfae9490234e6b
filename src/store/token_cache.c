#include "store/token_cache.h"

#include <string.h>

/* All zero: empty. */
struct token_entry {
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    uint64_t epoch;
    uint64_t expiry_ns;
    uint8_t type; /* enum account_type */
    uint8_t namespace_bytes;
    uint8_t account_bytes;
    char namespace[TEXT_ID_BYTES_MAX];
    char account[TEXT_ID_BYTES_MAX];
};

#define ENTRY_WORDS ((sizeof(struct token_entry) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

union token_words {
    struct token_entry entry;
    uint64_t words[ENTRY_WORDS];
};

/* As it lies in the gate page. `sequence` is odd while somebody writes. */
struct token_slot {
    _Atomic uint64_t sequence;
    _Atomic uint64_t words[ENTRY_WORDS];
};

_Static_assert(sizeof(struct token_slot[TOKEN_CACHE_ENTRIES]) == GATE_TOKENS_BYTES, "the gate page's room for them");

static size_t token_slot_of(const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    return ((unsigned)digest[0] << 8 | digest[1]) % TOKEN_CACHE_ENTRIES;
}

void token_cache_put(struct gate_page *page, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                     const struct token_cached *cached)
{
    const struct token_holder *holder = &cached->holder;
    if (holder->namespace.bytes > TEXT_ID_BYTES_MAX || holder->account.bytes > TEXT_ID_BYTES_MAX) {
        return;
    }
    union token_words copy = {.words = {0}};
    struct token_entry *entry = &copy.entry;
    memcpy(entry->digest, digest, CRYPTO_DIGEST_BYTES);
    entry->epoch = cached->epoch;
    entry->expiry_ns = cached->expiry_ns;
    entry->type = (uint8_t)holder->type;
    entry->namespace_bytes = (uint8_t)holder->namespace.bytes;
    entry->account_bytes = (uint8_t)holder->account.bytes;
    memcpy(entry->namespace, holder->namespace.data, holder->namespace.bytes);
    memcpy(entry->account, holder->account.data, holder->account.bytes);

    struct token_slot *slot = &((struct token_slot *)(void *)page->tokens)[token_slot_of(digest)];
    uint64_t sequence =
        atomic_load_explicit(&slot->sequence, memory_order_relaxed) | 1; /* odd: its writer was killed */
    atomic_store_explicit(&slot->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < ENTRY_WORDS; i++) {
        atomic_store_explicit(&slot->words[i], copy.words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&slot->sequence, sequence + 1, memory_order_release);
}

bool token_cache_get(const struct gate_page *page, const uint8_t digest[CRYPTO_DIGEST_BYTES], uint64_t now_ns,
                     struct arena *arena, struct token_holder *ret)
{
    /* The epoch first: who is let in by an older one had called before the revocation was answered. */
    uint64_t epoch = atomic_load(&page->tokens_epoch);
    const struct token_slot *slot = &((const struct token_slot *)(const void *)page->tokens)[token_slot_of(digest)];
    union token_words copy;
    uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    for (size_t i = 0; i < ENTRY_WORDS; i++) {
        copy.words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire);
    const struct token_entry *entry = &copy.entry;
    if ((sequence & 1) != 0 || atomic_load_explicit(&slot->sequence, memory_order_relaxed) != sequence ||
        entry->epoch != epoch || entry->expiry_ns <= now_ns ||
        memcmp(entry->digest, digest, CRYPTO_DIGEST_BYTES) != 0) {
        return false;
    }
    struct token_holder holder = {
        .namespace = arena_text(arena, (struct text){entry->namespace, entry->namespace_bytes}),
        .account = arena_text(arena, (struct text){entry->account, entry->account_bytes}),
        .type = (enum account_type)entry->type,
    };
    if (holder.namespace.data == NULL || holder.account.data == NULL) {
        return false;
    }
    *ret = holder;
    return true;
}
