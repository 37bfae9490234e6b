#include "service/account.h"

#include "base/json.h"

static const struct member members[] = {
    {.name = "id", .type = MEMBER_ID},
    {.name = "type", .type = MEMBER_ACCOUNT_TYPE},
    {.name = "issuer", .type = MEMBER_ID},
};

const struct shape account_shape = {"Account", members, sizeof(members) / sizeof(members[0])};

void account_append(struct buffer *out, struct text id, enum account_type type, struct text issuer)
{
    buffer_append_z(out, "\"id\":");
    json_append_text(out, id);
    buffer_printf(out, ",\"type\":\"%s\",\"issuer\":", type == ACCOUNT_SERVICE ? "service" : "user");
    json_append_text(out, issuer);
}
