// TLS 1.3 of the sink, by OpenSSL on the connection's own socket.
#include "sink.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

static int choose_h2(
    SSL *session, const unsigned char **chosen, unsigned char *count, const unsigned char *offered,
    unsigned offered_count, void *user) {
  (void)session, (void)user;
  static const unsigned char h2[] = "\x02h2";
  int found = SSL_select_next_proto(
      (unsigned char **)chosen, count, h2, sizeof h2 - 1, offered, offered_count);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int bench_sink_secure(bench_sink *sink, const char *certificate, const char *key) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return 0;
  SSL_CTX_set_alpn_select_cb(context, choose_h2, NULL);
  SSL_CTX_set_mode(
      context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  if (!SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
    SSL_CTX_free(context);
    return 0;
  }
  __atomic_store_n(&sink->security, context, __ATOMIC_RELEASE);
  return 1;
}

void sink_free_security(struct bench_sink *sink) { SSL_CTX_free(sink->security); }

int sink_begin_session(struct bench_sink *sink, struct sink_connection *connection) {
  SSL_CTX *context = __atomic_load_n(&sink->security, __ATOMIC_ACQUIRE);
  if (context == NULL) return 1;
  connection->session = SSL_new(context);
  if (connection->session == NULL || !SSL_set_fd(connection->session, connection->fd)) return 0;
  SSL_set_accept_state(connection->session);
  return 1;
}

// What a call of OpenSSL says, as recv(2) and send(2) would.
static ssize_t result(struct sink_connection *connection, int code) {
  if (code > 0) return code;
  switch (SSL_get_error(connection->session, code)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: errno = EPROTO; return -1;
  }
}

ssize_t sink_receive(struct sink_connection *connection, void *bytes, size_t count) {
  if (connection->session == NULL) return recv(connection->fd, bytes, count, MSG_DONTWAIT);
  ERR_clear_error();
  return result(connection, SSL_read(connection->session, bytes, (int)count));
}

ssize_t sink_send(struct sink_connection *connection, const void *bytes, size_t count) {
  if (connection->session == NULL) {
    return send(connection->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ERR_clear_error();
  return result(connection, SSL_write(connection->session, bytes, (int)count));
}
