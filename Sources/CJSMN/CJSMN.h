// The door to jsmn (headers only): a tokenizer of JSON that takes no memory.
#pragma once
#define JSMN_STATIC
#define JSMN_STRICT
#include <jsmn.h>
