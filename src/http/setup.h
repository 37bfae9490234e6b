/*
 * setup: the address at which a home is made by who has no shell, as on shared hosting: `…/setup`, an HTML form. It is
 * there only where the program finds no home, and does something only for who knows the code in a file that lies beside
 * the program (setup_code.h). It makes the home as `chatsctl init` does, and one service account, and removes the code
 * file. Afterwards the address is unknown, as any other, unless a new code file says that an account is to be added.
 */
#ifndef CHATS_HTTP_SETUP_H
#define CHATS_HTTP_SETUP_H

#include "base/buffer.h"
#include "http/transport.h"
#include "rpc/rpc.h"

/*
 * True if the request is for the setup address, and there is no home, nor one that is being restored; or, where the
 * process has a store, a code file that adds an account.
 */
bool setup_is_asked(const struct request *request, bool has_store) __attribute__((warn_unused_result));

/* What a visit is about. Borrowed for the call. */
struct setup_visit {
    struct transport *transport; /* only its getenv is called */
    const struct request *request;
    const struct config *config; /* of the store */
    struct store *store;         /* which gets the account; NULL: a home is made */
    struct arena *arena;
};

/*
 * Appends the answer, head and page, and perhaps makes the home. Takes seconds for a POST (setup_code_try). False:
 * there was no memory for the page.
 */
bool setup_serve(const struct setup_visit *visit, struct buffer *out) __attribute__((warn_unused_result));

/*
 * Where a home may lie that nobody has named: the folder chats-home in the highest folder on the way to `folder`
 * (absolute, without symbolic links) that is ours. A host's web folders lie below a user's own. False: none is ours.
 */
bool setup_choose_home(const char *folder, char ret[PATH_MAX]) __attribute__((warn_unused_result));

struct setup_form {
    struct text code;
    struct text account;
    struct text secret;
};

/*
 * The fields of a form body: texts of the arena. False: one does not do, with one sentence for the page in `problem`;
 * what was read of the account is there all the same.
 */
bool setup_read_form(struct text body, struct arena *arena, struct setup_form *ret,
                     char problem[CONFIG_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

#endif
