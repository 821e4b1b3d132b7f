// The door to OpenSSL (3.0 or later).
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Calls that are macros.
static inline int copenssl_require_tls12(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline int copenssl_limit_version(SSL_CTX *context, int isTLS12) {
  return SSL_CTX_set_max_proto_version(context, isTLS12 ? TLS1_2_VERSION : 0);
}
static inline void copenssl_set_mode(SSL_CTX *context, long mode) {
  SSL_CTX_set_mode(context, mode);
}
static inline void copenssl_keep_no_sessions(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline int copenssl_set_server_name(SSL *session, const char *name) {
  return (int)SSL_set_tlsext_host_name(session, name);
}
static inline int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

// Macros that have no value in Swift, each as the integer type its user takes.
static const uint64_t copenssl_options =
    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE;
enum {
  COPENSSL_RETRY_FLAGS = BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY,
  COPENSSL_RETRY_READ = BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY,
  COPENSSL_ALERT_OFFSET = SSL_AD_REASON_OFFSET,
  COPENSSL_CHECK_FLAGS = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
};
