#include "service/registry.h"

#include <stdio.h>

static const struct operation_table *const tables[] = {
    &chats_operations, &health_operations, &auth_operations, &accounts_operations, &metrics_operations,
};

const struct operation *registry_at(size_t index)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (index < tables[i]->count) {
            return &tables[i]->rows[index];
        }
        index -= tables[i]->count;
    }
    return NULL;
}

size_t registry_kind(const struct operation *operation)
{
    size_t kind = FIGURES_OPERATION;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const struct operation *rows = tables[i]->rows;
        if (operation >= rows && operation < rows + tables[i]->count) {
            kind += (size_t)(operation - rows);
            break;
        }
        kind += tables[i]->count;
    }
    return kind < FIGURES_CALLS_MAX ? kind : FIGURES_UNKNOWN;
}

const char *registry_kind_name(size_t kind, char ret[REGISTRY_NAME_BYTES])
{
    static const char *const others[FIGURES_OPERATION] = {
        [FIGURES_UNKNOWN] = "unknown",
        [FIGURES_DESCRIPTION] = "openapi.json",
        [FIGURES_PREFLIGHT] = "preflight",
    };
    if (kind < FIGURES_OPERATION) {
        return others[kind];
    }
    const struct operation *operation = kind < FIGURES_CALLS_MAX ? registry_at(kind - FIGURES_OPERATION) : NULL;
    if (operation == NULL) {
        return NULL;
    }
    snprintf(ret, REGISTRY_NAME_BYTES, "%s.%s", operation->service, operation->name);
    return ret;
}

const struct operation *registry_find(struct text service, struct text name)
{
    const struct operation *operation;
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        if (text_equal(service, text_of(operation->service)) &&
            (text_equal(name, text_of(operation->name)) ||
             (operation->alias != NULL && text_equal(name, text_of(operation->alias))))) {
            return operation;
        }
    }
    return NULL;
}
