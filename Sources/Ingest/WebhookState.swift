import Bytes
import HTTP1
import IOPort

/// Where a webhook's connection is within its requests. Without one it holds no memory.
struct WebhookState: ~Copyable {
  /// What the next bytes are.
  enum Stage: UInt8, BitwiseCopyable {
    /// A head; its first bytes are in the connection's input.
    case head
    /// A body; the head, and the body so far, are in the connection's input.
    case body
    /// A body that nobody needs; ``WebhookState/refusal`` is answered after it.
    case unwantedBody
    /// Of the next request: the one at hand is complete in the connection's input, and waits for
    /// memory for its record.
    case complete
    /// Nothing that matters: no further request is taken.
    case finished
  }

  var stage = Stage.head
  var scanner = HeadScanner()
  var decoder = BodyDecoder(framing: .none, maximumBytes: 0)
  /// Bytes of the head at the front of the input, once it is complete.
  var headBytes = 0
  /// Bytes received that can't be taken yet, as they came.
  var backlog = GrowableBytes()
  var replies = WebhookReplies()
  /// Whether the client waits for `100 Continue`.
  var owesContinue = false
  /// What is answered after an unwanted body.
  var refusal = WebhookOutcome.malformed
  /// The reply of the request whose body arrives.
  var reply = WebhookReply(since: Instant(nanoseconds: 0))
  /// When the first byte of the request at hand came, later by the time in which it was not read.
  var requestStarted: Instant?
  /// Since when the request at hand has waited for memory for its record.
  var blockedSince: Instant?
  /// Bytes of the request when it was last looked whether it comes in at all.
  var bytesWhenLooked = 0
  /// The attribute `webhook.ip` of the peer, encoded.
  var peerAttribute: [UInt8] = []
  /// Whether the peer is a proxy whose word about its client is taken.
  var isTrustedPeer = false
}
