/*
 * setup: the address at which a home is made by who has no shell, as on shared hosting: `…/setup`, an HTML form. It is
 * there only where the program finds no home, and does something only for who knows the code in a file that lies beside
 * the program (setup_code.h). It makes the home as `chatsctl init` does, and one service account, and removes the code
 * file. Afterwards the address is unknown, as any other.
 */
#ifndef CHATS_HTTP_SETUP_H
#define CHATS_HTTP_SETUP_H

#include "http/transport.h"
#include "rpc/rpc.h"

/* True if the request is for the setup address, and there is no home. For a process that has no store. */
bool setup_is_asked(const struct request *request) __attribute__((warn_unused_result));

/*
 * Answers it with a page, and perhaps makes the home. Takes seconds for a POST (setup_code_try). False: the peer is
 * gone, or there was no memory for the page.
 */
bool setup_serve(struct transport *t, const struct request *request, struct arena *arena)
    __attribute__((warn_unused_result));

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
