/*
 * arguments: what stands behind a command about accounts, tokens and retention. Never a secret: other users see a
 * process's arguments.
 */
#ifndef CHATS_CTL_ARGUMENTS_H
#define CHATS_CTL_ARGUMENTS_H

#include "store/auth.h"

#define ARGUMENT_ID 1u
#define ARGUMENT_NAMESPACE 2u
#define ARGUMENT_TYPE 4u
#define ARGUMENT_EXPIRY 8u
#define ARGUMENT_BEFORE 16u
#define ARGUMENT_NAMESPACE_NAME 32u /* a namespace where an id would stand */

struct arguments {
    struct text id;        /* or a namespace's name */
    struct text namespace; /* the default one if it is not given */
    bool has_namespace;    /* it was given */
    enum account_type type;
    uint64_t expiry_s;
    bool has_before;
    uint64_t before_ns; /* a time in whole ns is before the one given exactly if it is less than this */
};

/* Reads them; `takes`: ARGUMENT_ bits. An id, a name and a time that are taken must be given. False: wrongly called,
 * and why has been said.
 */
bool arguments_read(int argc, char **argv, unsigned takes, struct arguments *ret) __attribute__((warn_unused_result));

#endif
