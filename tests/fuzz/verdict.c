/*
 * Reads texts from standard input, each behind its length as 4 bytes (least first), and writes a byte for each: '1' if
 * src/rpc/jsoncheck.c takes it, '0' if not. For tests/fuzz/differential.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc/jsoncheck.h"

#define INPUT_BYTES_MAX (16u << 20)

int main(void)
{
    unsigned char head[4];
    int status = EXIT_SUCCESS;
    while (status == EXIT_SUCCESS && fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t bytes = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        /* Of exactly its size, so that the sanitizers see a read past it. */
        char *body = bytes <= INPUT_BYTES_MAX ? malloc(bytes > 0 ? bytes : 1) : NULL;
        if (body == NULL || fread(body, 1, bytes, stdin) != bytes) {
            status = EXIT_FAILURE;
        } else {
            struct text value;
            char problem[JSONCHECK_PROBLEM_BYTES_MAX];
            bool taken = jsoncheck((struct text){body, bytes}, &value, problem);
            status = putchar(taken ? '1' : '0') == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        free(body);
    }
    return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}
