/*
 * Runs a target over files and folders of inputs, where there is no libFuzzer: TARGET FILE|FOLDER…
 * An input that breaks a promise ends the process; its file is the last one that was named with --verbose.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX (4u << 20)

struct replay {
    bool verbose;
    size_t inputs;
};

/* The input stands in memory of exactly its size, so that a read past it is seen. */
static bool run_file(struct replay *replay, const char *path)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *room = malloc(INPUT_BYTES_MAX);
    if (file == NULL || room == NULL) {
        perror(path);
        free(room);
        if (file != NULL) {
            (void)fclose(file);
        }
        return false;
    }
    size_t bytes = fread(room, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
    uint8_t *input = malloc(bytes > 0 ? bytes : 1);
    if (input == NULL) {
        free(room);
        return false;
    }
    memcpy(input, room, bytes);
    free(room);
    if (replay->verbose) {
        (void)fprintf(stderr, "%s\n", path);
    }
    (void)LLVMFuzzerTestOneInput(input, bytes);
    free(input);
    replay->inputs++;
    return true;
}

static bool run_folder(struct replay *replay, const char *folder)
{
    struct dirent **entries = NULL;
    bool good = true;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (good && entries[i]->d_name[0] != '.') {
            good = run_file(replay, path);
        }
        free(entries[i]);
    }
    free((void *)entries);
    return good && count >= 0;
}

int main(int argc, char **argv)
{
    struct replay replay = {.inputs = 0};
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (strcmp(argv[i], "--verbose") == 0) {
            replay.verbose = true;
        } else if (stat(argv[i], &st) != 0 ||
                   !(S_ISDIR(st.st_mode) ? run_folder(&replay, argv[i]) : run_file(&replay, argv[i]))) {
            (void)fprintf(stderr, "cannot read '%s'\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    (void)fprintf(stderr, "%zu inputs\n", replay.inputs);
    return replay.inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
