import IOPort

/// What is known of a message from its arrival until it is settled.
struct HeldMessage: BitwiseCopyable {
  enum State: BitwiseCopyable {
    /// It waits to be taken.
    case queued
    /// The caller has it.
    case taken
    case acknowledging
    case rejecting(delayMilliseconds: Int)
  }

  let partition: Int
  /// The session of the partition that delivered it last. An acknowledgement only goes to that one:
  /// after a restart of the broker the same offset may mean another message.
  var session: UInt32
  let producerID: UInt64
  let topicOffset: UInt64
  let publishTimeMilliseconds: UInt64
  let byteCount: Int
  /// Numbers of `msg_id.topic_name` and `msg_id.broker_addr` in the table of names.
  let topicName: Int
  let brokerAddress: Int
  var state = State.queued
  /// Whether a call that settles it is under way.
  var isUnderWay = false
  /// How often the broker refused the settlement.
  var failedAttempts = 0
  /// The settlement is not sent before.
  var retryAt = Instant(nanoseconds: 0)

  var isSettling: Bool {
    switch state {
    case .queued, .taken: false
    case .acknowledging, .rejecting: true
    }
  }
}
