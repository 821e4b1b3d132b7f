internal import COpenSSL

/// What many sessions of one side have in common: certificates, authorities, the key and rules.
///
/// It never changes and reads no file: whoever has new certificates makes a new context, and
/// sessions that are open stay with theirs. TLS 1.2 and 1.3, without renegotiation and compression.
/// It may be used by several threads at a time.
@safe
public final class TLSContext: @unchecked Sendable {
  /// Which end of a connection one is.
  public enum Side: Sendable {
    /// The one that connects.
    case client
    /// The one that accepts.
    case server
  }

  /// Which end its sessions are.
  public let side: Side
  /// The protocol above.
  public let applicationProtocol: ApplicationProtocol
  /// OpenSSL's own; never nil after the start.
  @unsafe let context: OpaquePointer?
  /// The method of the sessions' BIOs.
  @unsafe let method: OpaquePointer?

  private init(side: Side, applicationProtocol: ApplicationProtocol) {
    OpenSSL.prepare()
    self.side = side
    self.applicationProtocol = applicationProtocol
    unsafe context = SSL_CTX_new(side == .client ? TLS_client_method() : TLS_server_method())
    unsafe method = SessionPipe.makeMethod()
    precondition(unsafe context != nil && method != nil, "no memory for TLS")
    unsafe SSL_CTX_set_options(context, copenssl_options)
    unsafe copenssl_require_tls12(context)
    // Sessions are resumed by tickets, or not at all.
    unsafe copenssl_keep_no_sessions(context)
  }

  deinit {
    unsafe SSL_CTX_free(context)
    unsafe BIO_meth_free(method)
  }

  /// The context of a client. Parses every certificate: milliseconds for the authorities of a
  /// whole system.
  public convenience init(client options: TLSClientOptions) throws(TLSError) {
    self.init(side: .client, applicationProtocol: options.applicationProtocol)
    setRules(releasesBuffers: options.releasesBuffers, isTLS12: options.isLimitedToTLS12)
    try setAuthorities(options.authorities)
    if let identity = options.identity { try setIdentity(identity) }
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    let names = Self.wireNames(of: applicationProtocol)
    if !names.isEmpty { unsafe SSL_CTX_set_alpn_protos(context, names, UInt32(names.count)) }
  }

  /// The context of a server.
  public convenience init(server options: TLSServerOptions) throws(TLSError) {
    self.init(side: .server, applicationProtocol: options.applicationProtocol)
    setRules(releasesBuffers: options.releasesBuffers, isTLS12: options.isLimitedToTLS12)
    try setIdentity(options.identity)
    if let authorities = options.clientAuthorities {
      try setAuthorities(authorities)
      try unsafe OpenSSL.forEachCertificate(in: authorities) { certificate in
        unsafe SSL_CTX_add_client_CA(context, certificate) == 1
      }
      unsafe SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
      // A ticket is good only where it was given (RFC 5077 §5.2); without a name none is taken.
      let name: [UInt8] = Array("danube-gateway".utf8)
      unsafe SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
    }
    switch applicationProtocol {
    case .unnamed: break
    case .http1:
      unsafe SSL_CTX_set_alpn_select_cb(
        context,
        { _, chosen, count, offered, offeredCount, _ in
          unsafe TLSContext.choose("http/1.1", chosen, count, offered, offeredCount)
        }, nil)
    case .http2:
      unsafe SSL_CTX_set_alpn_select_cb(
        context,
        { _, chosen, count, offered, offeredCount, _ in
          unsafe TLSContext.choose("h2", chosen, count, offered, offeredCount)
        }, nil)
    }
  }

  private func setRules(releasesBuffers: Bool, isTLS12: Bool) {
    // What is sent is what the identity holds, and no certificate that happens to be known.
    unsafe copenssl_set_mode(context, Int(SSL_MODE_NO_AUTO_CHAIN))
    if releasesBuffers { unsafe copenssl_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS)) }
    if isTLS12 { unsafe copenssl_limit_version(context, 1) }
  }

  private func setAuthorities(_ pem: [UInt8]) throws(TLSError) {
    let store = unsafe SSL_CTX_get_cert_store(context)
    try unsafe OpenSSL.forEachCertificate(in: pem) { certificate in
      unsafe X509_STORE_add_cert(store, certificate) == 1
    }
  }

  /// The first certificate is the own one, those behind it lead to the authority.
  private func setIdentity(_ identity: TLSIdentity) throws(TLSError) {
    var isFirst = true
    try unsafe OpenSSL.forEachCertificate(in: identity.certificates) { certificate in
      defer { isFirst = false }
      return unsafe isFirst
        ? SSL_CTX_use_certificate(context, certificate) == 1
        : copenssl_add_chain_certificate(context, certificate) == 1
    }
    let key = try unsafe OpenSSL.privateKey(in: identity.key)
    defer { unsafe EVP_PKEY_free(key) }
    // It is compared with the certificate here, too.
    guard unsafe SSL_CTX_use_PrivateKey(context, key) == 1,
      unsafe SSL_CTX_check_private_key(context) == 1
    else {
      let error = OpenSSL.takeError(.keyMismatch)
      throw TLSError(.keyMismatch, error.reason)
    }
  }

  // MARK: ALPN

  /// A list of one name, each with its length before it (RFC 7301 §3.1).
  private static func wireNames(of wanted: ApplicationProtocol) -> [UInt8] {
    let name = Array(wanted.name.description.utf8)
    return name.isEmpty ? [] : [UInt8(name.count)] + name
  }

  /// Looks for a name among those that a client offers; OpenSSL has checked their form.
  private static func choose(
    _ name: StaticString, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ count: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32
  ) -> Int32 {
    guard let chosen = unsafe chosen, let count = unsafe count, let offered = unsafe offered else {
      return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    var start = 0
    while start < list.count {
      let length = unsafe Int(list[start])
      let end = start + 1 + length
      guard end <= list.count else { break }
      let isWanted =
        length == name.utf8CodeUnitCount
        && (0..<length).allSatisfy { unsafe list[start + 1 + $0] == name.utf8Start[$0] }
      if isWanted {
        unsafe chosen.pointee = offered + start + 1
        unsafe count.pointee = UInt8(length)
        return SSL_TLSEXT_ERR_OK
      }
      start = end
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
}
