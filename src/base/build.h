/*
 * build: which build of the program this is. Two processes that say the same run the same code; what they say tells
 * nothing else of it.
 */
#ifndef CHATS_BASE_BUILD_H
#define CHATS_BASE_BUILD_H

#define BUILD_ID_BYTES 9u /* 8 hexadecimal digits, lower case, and a NUL */

/* A digest of the GNU build id that the linker left in the program; "" where there is none (ld(1), --build-id). */
void build_id(char ret[BUILD_ID_BYTES]);

#endif
