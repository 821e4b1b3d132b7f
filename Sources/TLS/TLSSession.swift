public import Bytes
internal import COpenSSL

/// One end of a TLS connection (RFC 5246, RFC 8446). It does no I/O: it is fed with received bytes,
/// and appends what is to be sent to a queue of the caller.
///
/// After any call that may append, the caller sends what is in `output`, also when the call threw:
/// then it is the alert by which the peer learns why. After an error nothing is of use but that.
@safe
public struct TLSSession: ~Copyable {
  /// The most plaintext in one record (RFC 8446 §5.1).
  public static let recordBytes = 16 * 1024

  private let context: TLSContext
  private let session: OpaquePointer
  private let pipe: UnsafeMutablePointer<SessionPipe>
  /// Whether both sides have agreed: from now on plaintext may be sent.
  public private(set) var isHandshakeComplete = false
  /// Whether the peer has said that nothing follows (close_notify).
  public private(set) var isClosedByPeer = false
  private var hasFailed = false

  /// A session that has not begun. A client checks that the peer's certificate is one of
  /// `serverName`, a host name or an IP address without brackets, and tells it a host name (SNI).
  /// It has to have one; a server has none.
  public init(_ context: TLSContext, serverName: String = "") throws(TLSError) {
    ERR_clear_error()
    unsafe session = try Self.open(context, serverName: serverName)
    unsafe pipe = .allocate(capacity: 1)
    unsafe pipe.initialize(to: SessionPipe())
    self.context = context
    unsafe BIO_set_data(SSL_get_rbio(session), pipe)
  }

  /// OpenSSL's own, with a BIO that has no pipe yet.
  private static func open(
    _ context: TLSContext, serverName: String
  ) throws(TLSError) -> OpaquePointer {
    guard let session = unsafe SSL_new(context.context) else { throw OpenSSL.takeError(.library) }
    do throws(TLSError) {
      guard let bio = unsafe BIO_new(context.method) else { throw OpenSSL.takeError(.library) }
      // One reference for reading and writing: the session frees it.
      unsafe SSL_set_bio(session, bio, bio)
      switch context.side {
      case .server: unsafe SSL_set_accept_state(session)
      case .client:
        unsafe SSL_set_connect_state(session)
        try unsafe setServerName(serverName, of: session)
      }
    } catch {
      unsafe SSL_free(session)
      throw error
    }
    return unsafe session
  }

  deinit {
    unsafe SSL_free(session)
    unsafe pipe.deinitialize(count: 1)
    unsafe pipe.deallocate()
  }

  private static func setServerName(
    _ name: String, of session: OpaquePointer
  ) throws(TLSError) {
    // SNI has no dot at the end (RFC 6066 §3), and certificates have none.
    let name = name.hasSuffix(".") ? String(name.dropLast()) : name
    let parameters = unsafe SSL_get0_param(session)
    if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
    ERR_clear_error()
    unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(COPENSSL_CHECK_FLAGS))
    // OpenSSL would take an empty name for: any.
    guard !name.isEmpty, !name.utf8.contains(0),
      unsafe X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1,
      unsafe copenssl_set_server_name(session, name) == 1
    else {
      ERR_clear_error()
      throw TLSError(.serverName, "\"\(name)\"")
    }
  }

  // MARK: Bytes

  /// Begins: a client greets, a server waits.
  public mutating func start(output: inout GrowableBytes) throws(TLSError) {
    var plaintext = GrowableBytes()
    try receive(RawSpan(), plaintext: &plaintext, output: &output)
  }

  /// Takes received bytes, all of them, and appends to `plaintext` what the peer sent in them, at
  /// most their own length and a record's. What came before a fault is there when it throws.
  public mutating func receive(
    _ ciphertext: RawSpan, plaintext: inout GrowableBytes, output: inout GrowableBytes
  ) throws(TLSError) {
    guard !hasFailed, !isClosedByPeer else { return }
    let error = unsafe ciphertext.withUnsafeBytes { bytes in
      unsafe withUnsafeMutablePointer(to: &output) { output -> TLSError? in
        unsafe pipe.pointee.open(input: bytes, output: output)
        defer { unsafe pipe.pointee.close() }
        return advance(&plaintext)
      }
    }
    if let error { throw error }
  }

  /// Encrypts all of `plaintext`; only after the handshake.
  public mutating func send(
    _ plaintext: RawSpan, output: inout GrowableBytes
  ) throws(TLSError) {
    precondition(isHandshakeComplete, "nothing can be encrypted before the handshake")
    guard !hasFailed, plaintext.byteCount > 0 else { return }
    let error = unsafe plaintext.withUnsafeBytes { bytes in
      unsafe withUnsafeMutablePointer(to: &output) { output -> TLSError? in
        unsafe pipe.pointee.open(output: output)
        defer { unsafe pipe.pointee.close() }
        var written = 0
        let result = unsafe SSL_write_ex(session, bytes.baseAddress, bytes.count, &written)
        return result == 1 ? nil : fail(.library)
      }
    }
    if let error { throw error }
  }

  /// Says that nothing follows (close_notify). The peer may still send.
  public mutating func close(output: inout GrowableBytes) {
    guard !hasFailed, isHandshakeComplete else { return }
    unsafe withUnsafeMutablePointer(to: &output) { output in
      unsafe pipe.pointee.open(output: output)
      defer { unsafe pipe.pointee.close() }
      unsafe SSL_shutdown(session)
      ERR_clear_error()
    }
  }

  /// What it means that the connection ended: nil after the peer's close_notify, and else that
  /// something may be missing.
  public var endOfStream: TLSError? {
    if isClosedByPeer { return nil }
    return TLSError(
      .truncated, isHandshakeComplete ? "without an end of TLS" : "during the TLS handshake")
  }

  /// Such as `TLSv1.3`.
  public var version: String { unsafe String(cString: SSL_get_version(session)) }

  /// Such as `TLS_AES_256_GCM_SHA384`; empty before the handshake.
  public var cipher: String {
    guard let cipher = unsafe SSL_get_current_cipher(session) else { return "" }
    return unsafe String(cString: SSL_CIPHER_get_name(cipher))
  }

  /// Asks the peer to change its keys as well as the own (RFC 8446 §4.6.3); with TLS 1.2 nothing
  /// happens. For tests: OpenSSL does it by itself when it is time.
  package mutating func updateKeys() {
    unsafe SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED)
    ERR_clear_error()
  }

  // MARK: Steps

  /// Goes on with what is in the pipe, until it is empty.
  private mutating func advance(_ plaintext: inout GrowableBytes) -> TLSError? {
    ERR_clear_error()
    if !isHandshakeComplete {
      let result = unsafe SSL_do_handshake(session)
      guard result == 1 else {
        return unsafe SSL_get_error(session, result) == SSL_ERROR_WANT_READ
          ? nil : fail(.violation)
      }
      if let error = checkApplicationProtocol() { return error }
      isHandshakeComplete = true
    }
    while true {
      var count = 0
      var result: Int32 = 0
      unsafe plaintext.append(atMost: Self.recordBytes) { memory in
        result = unsafe SSL_read_ex(session, memory.baseAddress, memory.count, &count)
        return count
      }
      if result == 1 { continue }
      switch unsafe SSL_get_error(session, result) {
      case SSL_ERROR_WANT_READ: return nil
      case SSL_ERROR_ZERO_RETURN:
        isClosedByPeer = true
        return nil
      default: return fail(.violation)
      }
    }
  }

  /// Both sides have to agree where the protocol above is required (RFC 9113 §3.2).
  private mutating func checkApplicationProtocol() -> TLSError? {
    guard context.applicationProtocol.isRequired else { return nil }
    let name = context.applicationProtocol.name
    var chosen: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    unsafe SSL_get0_alpn_selected(session, &chosen, &count)
    let isWanted =
      Int(count) == name.utf8CodeUnitCount
      && (0..<Int(count)).allSatisfy { unsafe chosen?[$0] == name.utf8Start[$0] }
    if isWanted { return nil }
    hasFailed = true
    return TLSError(.applicationProtocol, name.description)
  }

  private mutating func fail(_ kind: TLSError.Kind) -> TLSError {
    hasFailed = true
    let result = unsafe SSL_get_verify_result(session)
    let error = OpenSSL.takeError(kind)
    if error.kind != .alert, result != Int(X509_V_OK) {
      return TLSError(.verification, OpenSSL.verificationText(result))
    }
    if error.kind == .applicationProtocol {
      return TLSError(.applicationProtocol, context.applicationProtocol.name.description)
    }
    return error
  }
}
