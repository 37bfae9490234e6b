#include "ctl/answer.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "rpc/openapi.h"

#define ANSWER_BODY_BYTES_MAX 67108864 /* the most that max_body can be: config.h */

/* NULL: it is no JSON object, or there is no memory. To be put. */
static struct json_object *answer_object(const struct fetched *fetched)
{
    struct json_object *object = NULL;
    struct json_tokener *tokener = json_tokener_new();
    if (tokener != NULL && fetched->body.bytes > 0) {
        object = json_tokener_parse_ex(tokener, fetched->body.data, (int)fetched->body.bytes);
    }
    if (tokener != NULL) {
        json_tokener_free(tokener);
    }
    if (!json_object_is_type(object, json_type_object)) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

/* A member that is a string. False, and "", where there is none. */
static bool answer_string(struct json_object *object, const char *name, char *ret, size_t ret_bytes)
{
    struct json_object *member = NULL;
    ret[0] = '\0';
    if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, json_type_string)) {
        return false;
    }
    snprintf(ret, ret_bytes, "%s", json_object_get_string(member));
    for (; *ret != '\0'; ret++) {
        *ret = *ret >= ' ' && *ret <= '~' ? *ret : '?';
    }
    return true;
}

void answer_read(const struct fetched *fetched, struct answer *ret)
{
    char status[8];
    *ret = (struct answer){.ours = false};
    struct json_object *object = answer_object(fetched);
    if (object == NULL) {
        return;
    }
    ret->well =
        fetched->status == 200 && answer_string(object, "status", status, sizeof status) && strcmp(status, "ok") == 0;
    ret->ours = answer_string(object, "Id", ret->id, sizeof ret->id) &&
                answer_string(object, "Detail", ret->detail, sizeof ret->detail);
    ret->ours = ret->ours || ret->well;
    json_object_put(object);
}

bool answer_read_build(const struct fetched *fetched, struct answer_build *ret)
{
    char title[16];
    struct json_object *info = NULL;
    struct json_object *most = NULL;
    *ret = (struct answer_build){.body_bytes_max = 0};
    struct json_object *object = answer_object(fetched);
    bool read = object != NULL && json_object_object_get_ex(object, "info", &info) &&
                json_object_is_type(info, json_type_object) && answer_string(info, "title", title, sizeof title) &&
                strcmp(title, "chats") == 0 && answer_string(info, "version", ret->version, sizeof ret->version);
    if (read) {
        (void)answer_string(info, OPENAPI_BUILD, ret->build, sizeof ret->build);
        int64_t bytes = json_object_object_get_ex(info, OPENAPI_BODY_MAX, &most) ? json_object_get_int64(most) : 0;
        ret->body_bytes_max = bytes >= 2 && bytes <= ANSWER_BODY_BYTES_MAX ? (size_t)bytes : 0;
    }
    json_object_put(object);
    return read;
}
