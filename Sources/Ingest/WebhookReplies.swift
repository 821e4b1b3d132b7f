import HTTP1
import IOPort
import Records

/// What an answer to a webhook has to know of its request.
struct WebhookReply: BitwiseCopyable {
  /// When the request was complete.
  var since: Instant
  /// Where its record went.
  var lane = LaneID(rawValue: .max)
  /// Whether the connection ends after this answer.
  var isLast = true
  /// Whether it was a HEAD: its answer has no body.
  var isHead = false
  /// Minor version of the request.
  var minorVersion: UInt8 = 1

  /// Of a request that could not be read: the connection ends.
  init(since: Instant) { self.since = since }

  /// Of a request.
  init(_ head: borrowing RequestHead, since: Instant) {
    self.since = since
    isLast = !head.keepsAlive
    isHead = head.method == .head
    minorVersion = head.minorVersion
  }
}

/// The replies of one connection, oldest first, in step with its ``AnswerQueue``.
struct WebhookReplies: ~Copyable {
  private var ring: [WebhookReply] = []
  private var head = 0
  private(set) var count = 0

  /// The reply that has to leave first.
  var first: WebhookReply? { count > 0 ? ring[head] : nil }

  mutating func append(_ reply: WebhookReply) {
    if count == ring.count { grow() }
    ring[(head + count) & (ring.count - 1)] = reply
    count += 1
  }

  /// Doubles the ring; its size stays a power of two.
  private mutating func grow() {
    var larger = Array(
      repeating: WebhookReply(since: Instant(nanoseconds: 0)), count: max(2, ring.count * 2))
    for offset in 0..<count { larger[offset] = ring[(head + offset) & (ring.count - 1)] }
    ring = larger
    head = 0
  }

  mutating func popFirst() -> WebhookReply? {
    guard count > 0 else { return nil }
    let reply = ring[head]
    head = (head + 1) & (ring.count - 1)
    count -= 1
    return reply
  }

  /// Lets the connection end after the newest reply.
  mutating func endAfterNewest() {
    guard count > 0 else { return }
    ring[(head + count - 1) & (ring.count - 1)].isLast = true
  }
}
