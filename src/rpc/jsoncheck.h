/*
 * jsoncheck: whether bytes are one JSON text by RFC 8259, no more and no less, and if not, what is wrong and where.
 *
 * json-c 0.16 gives the values but lets through much that the contract (section 3) refuses, even with
 * STRICT | VALIDATE_UTF8: overlong and surrogate UTF-8, NaN, raw control characters, single quotes, "1.", duplicate
 * keys, U+0000. What passes here holds none of it. Nothing is allocated.
 */
#ifndef CHATS_RPC_JSONCHECK_H
#define CHATS_RPC_JSONCHECK_H

#include "base/text.h"

#define JSONCHECK_DEPTH_MAX 16    /* arrays and objects inside each other: contract, section 3 */
#define JSONCHECK_MEMBERS_MAX 64u /* members of all objects that are open at once; no operation has as many fields */
#define JSONCHECK_PROBLEM_BYTES_MAX 200u /* with the NUL */

/*
 * True: body is one JSON value with nothing but white space around it, its strings are UTF-8 without U+0000 and without
 * lone surrogates, its integers fit 64 bits with a sign, no object in it has a key twice (however spelled), and the two
 * limits above hold. *ret_value is the value without the white space; it borrows from body.
 *
 * False: `problem` says what and where, for a client to read ("invalid JSON at byte 17: ..."); bytes count from 0.
 * *ret_value is untouched then. A body of white space alone is a problem, too.
 */
bool jsoncheck(struct text body, struct text *ret_value, char problem[JSONCHECK_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

#endif
