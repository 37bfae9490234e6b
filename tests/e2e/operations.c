/*
 * Prints the operations that the program has, a line each: "Service.Name alias-or-dash reads|writes". The end-to-end
 * suite demands a case for each of them.
 */
#include <stdio.h>

#include "service/registry.h"

int main(void)
{
    const struct operation *operation;
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        printf("%s.%s %s %s\n", operation->service, operation->name, operation->alias != NULL ? operation->alias : "-",
               operation->effect == OPERATION_READS ? "reads" : "writes");
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
