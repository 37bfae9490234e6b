#include "store/logs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Of Berkeley DB 5.3's log records (dbinc_auto/fileops_auto.h): each begins with type, transaction and previous LSN. */
#define LOGS_RENAME 146u
#define LOGS_RENAME_NOUNDO 150u
#define LOGS_RECORD_HEAD_BYTES 16u

void logs_name(uint32_t number, char ret[LOGS_NAME_BYTES])
{
    snprintf(ret, LOGS_NAME_BYTES, LOGS_NAME, number);
}

bool logs_number(const char *name, uint32_t *ret)
{
    char own[LOGS_NAME_BYTES];
    uint32_t number;
    if (sscanf(name, "log.%10" SCNu32, &number) != 1 || number == 0) {
        return false;
    }
    logs_name(number, own);
    *ret = number;
    return strcmp(own, name) == 0;
}

enum store_status logs_range(const struct copying *copying, const char *folder, uint32_t *ret_first, uint32_t *ret_last)
{
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return copying_failed(copying, errno, "cannot read the folder '%.200s'", folder);
    }
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t count = 0;
    uint32_t number;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (logs_number(entry->d_name, &number)) {
            first = first == 0 || number < first ? number : first;
            last = number > last ? number : last;
            count++;
        }
    }
    int error = errno;
    closedir(directory);
    if (error != 0) {
        return copying_failed(copying, error, "cannot read the folder '%.200s'", folder);
    }
    *ret_first = first;
    *ret_last = last;
    if (count > 0 && count != last - first + 1) {
        return copying_failed(copying, 0, "a log file is missing in '%.200s', between " LOGS_NAME " and " LOGS_NAME,
                              folder, first, last);
    }
    return STORE_OK;
}

int logs_needed(DB_ENV *handle, uint32_t first, uint32_t *ret)
{
    char **unneeded = NULL;
    int error = handle->log_archive(handle, &unneeded, 0);
    if (error != 0) {
        return error;
    }
    *ret = first;
    for (char **name = unneeded; name != NULL && *name != NULL; name++) {
        uint32_t number;
        if (logs_number(*name, &number) && number >= *ret) {
            *ret = number + 1;
        }
    }
    free(unneeded);
    return 0;
}

/* Takes a counted item off a log record; false: it is cut short. */
static bool logs_take(struct text *record, struct text *ret)
{
    uint32_t bytes;
    if (record->bytes < sizeof bytes) {
        return false;
    }
    memcpy(&bytes, record->data, sizeof bytes);
    if (bytes > record->bytes - sizeof bytes) {
        return false;
    }
    *ret = (struct text){record->data + sizeof bytes, bytes};
    record->data += sizeof bytes + bytes;
    record->bytes -= sizeof bytes + bytes;
    return true;
}

/* A file is made under another name, and gets its own at the end. */
static void logs_note_rename(struct text record, struct logs_made *made)
{
    struct text old_name;
    struct text new_name;
    struct text folder;
    struct text id;
    uint32_t type;
    memcpy(&type, record.data, sizeof type);
    record.data += LOGS_RECORD_HEAD_BYTES;
    record.bytes -= LOGS_RECORD_HEAD_BYTES;
    if ((type != LOGS_RENAME && type != LOGS_RENAME_NOUNDO) || !logs_take(&record, &old_name) ||
        !logs_take(&record, &new_name) || !logs_take(&record, &folder) || !logs_take(&record, &id) ||
        id.bytes != REPLACE_ID_BYTES) {
        return;
    }
    for (int tree = 0; tree < TREES; tree++) {
        char name[64];
        int bytes = snprintf(name, sizeof name, "%s.db", trees_table()[tree].name);
        /* With its NUL. */
        if (text_equal(new_name, (struct text){name, (size_t)bytes + 1})) {
            made->made[tree] = true;
            memcpy(made->ids[tree], id.data, id.bytes);
        }
    }
}

static void logs_say(const DB_ENV *handle, const char *prefix, const char *message)
{
    (void)handle;
    (void)prefix;
    log_error("Berkeley DB: %s", message);
}

int logs_trees_made(const char *folder, struct logs_made *ret)
{
    DB_ENV *handle = NULL;
    DB_LOGC *cursor = NULL;
    DB_LSN lsn;
    DBT record = {0};
    *ret = (struct logs_made){0};
    int error = db_env_create(&handle, 0);
    if (error != 0) {
        return error;
    }
    handle->set_errcall(handle, logs_say);
    error = handle->open(handle, folder, DB_CREATE | DB_PRIVATE | DB_INIT_LOG, 0600);
    if (error == 0) {
        error = handle->log_cursor(handle, &cursor, 0);
    }
    if (error == 0) {
        error = cursor->get(cursor, &lsn, &record, DB_FIRST);
    }
    while (error == 0) {
        if (record.size >= LOGS_RECORD_HEAD_BYTES) {
            logs_note_rename(store_dbt_text(&record), ret);
        }
        error = cursor->get(cursor, &lsn, &record, DB_NEXT);
    }
    if (cursor != NULL) {
        (void)cursor->close(cursor, 0);
    }
    (void)handle->close(handle, 0);
    return error == DB_NOTFOUND ? 0 : error;
}

bool logs_have_all(const struct logs_made *made, int tree, const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.db", folder, trees_table()[tree].name);
    return made->made[tree] && replace_is(path, made->ids[tree]);
}
