// The door to toml++ (TOML 1.0): parse a buffer, then read a flat list of nodes in pre-order.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Longer texts are refused unread.
#define CTOML_MAX_BYTES (1 << 20)
// Lines with more dots than this, in keys or anywhere, are refused.
#define CTOML_MAX_DOTS_PER_LINE 256
// Values nested in arrays and inline tables deeper than this are a parse error.
#define CTOML_MAX_NESTED_VALUES 16
// Trees deeper than this, counting dotted keys and headers, are a parse error.
#define CTOML_MAX_DEPTH 64

typedef enum ctoml_type {
  CTOML_TABLE,
  CTOML_ARRAY,
  CTOML_STRING,
  CTOML_INTEGER,
  CTOML_FLOAT,
  CTOML_BOOLEAN,
  CTOML_DATE_OR_TIME,
} ctoml_type;

// One node. Lines and columns are 1-based; a column counts code points. Strings are UTF-8, may
// hold NUL bytes, are not NUL-terminated by contract, and live as long as the document.
typedef struct ctoml_node {
  ctoml_type type;
  bool has_key;          // False for the root and for the elements of an array.
  const char *key;       // Without a key: empty.
  size_t key_length;
  uint32_t key_line;     // Without a key: the value's position.
  uint32_t key_column;
  uint32_t line;         // Of the value; of its header for a table made by [header].
  uint32_t column;
  const char *text;      // CTOML_STRING only.
  size_t text_length;
  int64_t integer;       // CTOML_INTEGER only.
  double number;         // CTOML_FLOAT only.
  bool boolean;          // CTOML_BOOLEAN only.
  size_t child_count;    // Direct children of a table or an array; they follow this node.
} ctoml_node;

typedef struct ctoml_document ctoml_document;

// Parses `length` bytes at `text` (NUL-terminated or not). Always returns a document, to be
// freed with ctoml_free; after a failure it holds no node but a message and a position.
ctoml_document *ctoml_parse(const char *text, size_t length);
void ctoml_free(ctoml_document *document);

bool ctoml_failed(const ctoml_document *document);
// NUL-terminated; empty when parsing succeeded.
const char *ctoml_error_message(const ctoml_document *document);
uint32_t ctoml_error_line(const ctoml_document *document);
uint32_t ctoml_error_column(const ctoml_document *document);

// Nodes in pre-order: the root table is node 0. The keys of a table come in the order of their
// bytes, not of the file.
size_t ctoml_node_count(const ctoml_document *document);
// `index` must be below ctoml_node_count.
ctoml_node ctoml_node_at(const ctoml_document *document, size_t index);

#ifdef __cplusplus
}
#endif
