import Bytes
import IOPort
import MQTT
import Settings

/// One device's connection.
struct Connection: ~Copyable {
  /// Where a connection is in its life.
  enum Phase: UInt8, BitwiseCopyable {
    /// Waiting for CONNECT.
    case connecting
    /// Publishing.
    case open
    /// The last packet is on its way out; what still comes in is ignored.
    case lingering
    /// Closed; the port has yet to say so.
    case closing
  }

  let descriptor: Descriptor
  let peer: SocketAddress
  let listener: Int
  /// What the device speaks.
  let kind: ListenerConfiguration.Kind
  /// MQTT's state; not used by a webhook.
  var session: ServerSession
  /// A webhook's state; not used by MQTT.
  var webhook = WebhookState()
  var outbox = Outbox()
  /// Bytes received and not processed: a packet that is not complete, or all while reading is
  /// withheld. Of a webhook the head and the body of a request that is not complete.
  var input = GrowableBytes()
  var answers: AnswerQueue
  var clientID: [UInt8] = []
  /// The attribute `mqtt.client_id`, encoded.
  var clientAttribute: [UInt8] = []
  /// The will in its place, while the connection is open and has one.
  var will: SlotID?
  /// What the ingest side counts for this connection's topic aliases.
  var countedAliasBytes = 0
  var phase = Phase.connecting
  /// Whether a receive is armed.
  var isReceiving = true
  /// It came beyond its listener's limit, and is told so: it does not count as one of them.
  var isRefused = false
  /// Since when reading is withheld.
  var pausedSince: Instant?
  /// Whether a packet was taken since reading was last tried again.
  var madeProgress = false
  /// Whether the connection stands in the queue for memory for records.
  var waitsForMemory = false
  /// Whether the connection stands in the queue for memory for its incomplete packet.
  var waitsForInput = false
  /// Whether it waits for space on the disk.
  var waitsForSpace = false
  /// The size of the incomplete packet at the front of `input`; 0 when it is not known.
  var expectedBytes = 0
  /// What of `expectedBytes` is reserved: all or nothing.
  var reservedBytes = 0
  /// Since when the reservation is held.
  var reservedSince = Instant(nanoseconds: 0)
  /// What the ingest side counts for this connection.
  var countedBytes = 0
  /// Bytes of the incomplete packet when it last counted as a sign of life.
  var lastProgressBytes = 0
  /// When the peer ended its direction while it was still owed something.
  var endedSince: Instant?
  /// Whether it stands in the list of connections with something to send.
  var isDirty = false
  let accepted: Instant
  /// When the last whole packet came, or a KiB of one that is not complete.
  var lastReceived: Instant
  /// Times 1.5 already; 0 for none.
  var keepAliveMilliseconds = 0
  /// The next instant at which limits are looked at; timers for another instant are stale.
  var timer = Instant.distantFuture

  init(
    descriptor: Descriptor, peer: SocketAddress, listener: Int,
    kind: ListenerConfiguration.Kind, session: consuming ServerSession, answerLimit: Int,
    now: Instant
  ) {
    self.descriptor = descriptor
    self.peer = peer
    self.listener = listener
    self.kind = kind
    self.session = session
    answers = AnswerQueue(capacity: answerLimit)
    accepted = now
    lastReceived = now
  }

  var peerEnded: Bool { endedSince != nil }
  var isWaiting: Bool { waitsForMemory || waitsForInput || waitsForSpace }

  /// Lets the session write to the outbox.
  mutating func write(_ body: (inout ServerSession, inout GrowableBytes) -> Void) {
    outbox.write { output in body(&session, &output) }
  }
}
