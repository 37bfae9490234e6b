/*
 * rules: what the contract allows, said a second time and apart from src: the targets hold what the program accepts and
 * answers against this, so nothing here may call the program's own checks.
 */
#ifndef CHATS_TESTS_RULES_H
#define CHATS_TESTS_RULES_H

#include "base/text.h"

/* UTF-8 by RFC 3629. */
bool rules_utf8(struct text t);

/* An id: contract, section 5. */
bool rules_id(struct text t);

#define RULES_DEPTH_MAX 64

/* One JSON text by RFC 8259 with nothing but white space around it, at most RULES_DEPTH_MAX deep. */
bool rules_json(struct text t);

#endif
