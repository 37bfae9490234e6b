#include "service/registry.h"

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

size_t registry_index(const struct operation *operation)
{
    size_t before = 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const struct operation *rows = tables[i]->rows;
        if (operation >= rows && operation < rows + tables[i]->count) {
            return before + (size_t)(operation - rows);
        }
        before += tables[i]->count;
    }
    return before;
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
