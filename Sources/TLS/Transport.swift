public import Bytes
public import IOPort

/// The bytes of one connection in both directions, in clear or through TLS. The protocol above
/// writes to ``outbox`` and asks for a send by ``flush(to:token:scratch:operations:)``, whichever
/// it is.
///
/// In clear everything goes the way of an ``Outbox``. Through TLS what is in the outbox is
/// encrypted at a flush, so that tags of references come back at once; ciphertext waits in an
/// outbox of its own.
public struct Transport: ~Copyable {
  /// Ciphertext beyond which nothing more is encrypted before some of it was sent.
  private static let limitBytes = 256 * 1024

  /// Plaintext on its way through TLS, shared by the connections of one thread: empty between
  /// their calls.
  public struct Scratch: ~Copyable {
    /// What ``receive(_:scratch:)`` found in the received bytes.
    public fileprivate(set) var received = GrowableBytes()
    fileprivate var record = GrowableBytes()

    /// Nothing yet.
    public init() {}

    /// Takes ``received`` out, to look at it while the connection is used; give it back then.
    public mutating func takeReceived() -> GrowableBytes {
      var result = GrowableBytes()
      swap(&result, &received)
      return result
    }

    /// Gives back the memory that was taken out.
    public mutating func giveBack(_ bytes: consuming GrowableBytes) { received = bytes }
  }

  /// What the protocol above writes.
  public var outbox: Outbox
  private var session: TLSSession?
  private var encrypted: Outbox
  /// Why nothing can be sent any more; nil while it can. It has to be closed then.
  public private(set) var failure: TLSError?

  /// A connection in clear, or through a session that has not begun. `keptBytes` is as for an
  /// ``Outbox``.
  public init(_ session: consuming TLSSession?, keptBytes: Int = 64 * 1024) {
    outbox = Outbox(keptBytes: keptBytes)
    encrypted = Outbox(keptBytes: keptBytes)
    self.session = session
  }

  /// Whether it goes through TLS.
  public var isEncrypted: Bool { session != nil }

  /// Such as `TLSv1.3`; nil in clear.
  public var version: String? {
    switch session {
    case .some(let session): session.version
    case .none: nil
    }
  }

  /// Whether what the protocol above sends can leave: the handshake, if there is one, is over.
  public var isReady: Bool {
    switch session {
    case .some(let session): session.isHandshakeComplete
    case .none: true
    }
  }

  /// Bytes not yet taken by a send.
  public var pendingBytes: Int { outbox.pendingBytes + encrypted.pendingBytes }

  /// Whether everything was taken.
  public var isEmpty: Bool { pendingBytes == 0 }

  /// Whether so much ciphertext waits that the protocol above should not write more.
  public var isFull: Bool { encrypted.pendingBytes >= Self.limitBytes }

  /// A client greets the server; a server has nothing to do.
  public mutating func start() {
    do throws(TLSError) {
      try encrypted.write { (output) throws(TLSError) in
        try session?.start(output: &output)
      }
    } catch {
      failure = error
    }
  }

  /// Takes received bytes through TLS: what the peer sent is in `scratch.received` afterwards, also
  /// when it throws. Flush then: there may be something to answer. Only when ``isEncrypted``.
  public mutating func receive(
    _ ciphertext: RawSpan, scratch: inout Scratch
  ) throws(TLSError) {
    scratch.received.removeAll(keepingCapacityUpTo: Self.limitBytes)
    try encrypted.write { (output) throws(TLSError) in
      try session?.receive(ciphertext, plaintext: &scratch.received, output: &output)
    }
  }

  /// What it means that the peer ended the connection; nil when it said so, or in clear.
  public var endOfStream: TLSError? {
    switch session {
    case .some(let session): session.endOfStream
    case .none: nil
    }
  }

  /// Asks for a send of what is pending, unless one is under way. Call it once a turn.
  public mutating func flush(
    to descriptor: Descriptor, token: Token, scratch: inout Scratch,
    operations: inout OperationQueue
  ) {
    guard isEncrypted else {
      return outbox.flush(to: descriptor, token: token, operations: &operations)
    }
    if isReady, !outbox.isEmpty, !isFull, failure == nil { encrypt(&scratch.record) }
    encrypted.flush(to: descriptor, token: token, operations: &operations)
  }

  /// Moves the outbox's bytes through the session. Small pieces share records.
  private mutating func encrypt(_ record: inout GrowableBytes) {
    while !outbox.isEmpty, failure == nil {
      record.removeAll()
      outbox.move(atMost: TLSSession.recordBytes, to: &record)
      do throws(TLSError) {
        try encrypted.write { (output) throws(TLSError) in
          try session?.send(record.bytes, output: &output)
        }
      } catch {
        failure = error
      }
    }
  }

  /// A send took `count` bytes.
  public mutating func sent(_ count: Int) {
    if isEncrypted { encrypted.sent(count) } else { outbox.sent(count) }
  }

  /// A reference that is no longer needed, nil when there is none.
  public mutating func takeReleasedTag() -> UInt32? { outbox.takeReleasedTag() }

  /// Forgets everything and releases every reference. Only after the descriptor's `closed`.
  public mutating func reset() {
    outbox.reset()
    encrypted.reset()
  }
}
