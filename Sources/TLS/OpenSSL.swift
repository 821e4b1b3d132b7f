internal import COpenSSL

/// What OpenSSL says about its failures, and PEM texts read by it.
@safe
enum OpenSSL {
  /// Prepares the library once; not before a context is wanted, for it takes memory. It is not
  /// cleaned up at the process's exit, when other threads may still be in a call.
  static func prepare() {
    OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
  }

  /// The oldest failure of this thread's calls, and none is left; `kind` unless it is known better.
  static func takeError(_ kind: TLSError.Kind) -> TLSError {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0 else { return TLSError(kind, "no reason was given") }
    let text = text(of: code)
    let reason = ERR_GET_REASON(code)
    guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return TLSError(kind, text) }
    if reason >= COPENSSL_ALERT_OFFSET { return TLSError(.alert, alertText(text)) }
    switch reason {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
      return TLSError(.violation, "\(text); what came is not TLS")
    case SSL_R_NO_APPLICATION_PROTOCOL: return TLSError(.applicationProtocol, "a protocol")
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TLSError(.verification, text)
    default: return TLSError(kind, text)
    }
  }

  /// `tlsv1 alert unknown ca` less what only OpenSSL knows to tell apart.
  private static func alertText(_ text: String) -> String {
    let words = text.split(separator: " ")
    guard let alert = words.firstIndex(of: "alert") else { return text }
    return words[alert...].joined(separator: " ")
  }

  private static func text(of code: UInt) -> String {
    guard let text = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  /// Why a certificate was not accepted (X509_V_ERR_…).
  static func verificationText(_ result: Int) -> String {
    let text = unsafe String(cString: X509_verify_cert_error_string(result))
    switch Int32(truncatingIfNeeded: result) {
    case X509_V_ERR_CERT_NOT_YET_VALID: return "\(text) (is the clock of this machine right?)"
    default: return text
    }
  }

  /// Calls `body` for each certificate of a PEM text, at least one.
  static func forEachCertificate(
    in pem: [UInt8], _ body: (OpaquePointer) -> Bool
  ) throws(TLSError) {
    ERR_clear_error()
    var count = 0
    let result = unsafe pem.withUnsafeBytes { bytes -> TLSError? in
      let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer { unsafe BIO_free(source) }
      while let certificate = unsafe PEM_read_bio_X509(source, nil, { _, _, _, _ in -1 }, nil) {
        defer { unsafe X509_free(certificate) }
        count += 1
        guard unsafe body(certificate) else { return takeError(.certificate) }
      }
      let code = ERR_peek_last_error()
      let isEnd = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
      guard count > 0, isEnd else {
        return isEnd
          ? TLSError(.certificate, "there is no PEM certificate in it") : takeError(.certificate)
      }
      return nil
    }
    ERR_clear_error()
    if let result { throw result }
  }

  /// The private key of a PEM text; to be freed.
  static func privateKey(in pem: [UInt8]) throws(TLSError) -> OpaquePointer {
    ERR_clear_error()
    let key = unsafe pem.withUnsafeBytes { bytes -> OpaquePointer? in
      let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer { unsafe BIO_free(source) }
      // Without an answer of ours OpenSSL would ask for a passphrase at the terminal.
      return unsafe PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil)
    }
    guard let key = unsafe key else {
      let code = ERR_peek_last_error()
      ERR_clear_error()
      if ERR_GET_LIB(code) == ERR_LIB_PEM, ERR_GET_REASON(code) == PEM_R_NO_START_LINE {
        throw TLSError(.key, "there is no PEM private key in it")
      }
      if ERR_GET_LIB(code) == ERR_LIB_PEM, ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ {
        throw TLSError(.key, "it is protected by a passphrase")
      }
      throw TLSError(.key, text(of: code))
    }
    return unsafe key
  }
}
