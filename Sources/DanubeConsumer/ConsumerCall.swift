import DanubeProtocol
import IOPort

/// A gRPC call under way.
struct ConsumerCall {
  enum Kind: BitwiseCopyable {
    case partitions
    case lookup(partition: Int)
    case subscribe(partition: Int)
    case receive(partition: Int)
    case health(partition: Int)
    case settle(PlaceID)
  }

  /// The response message, once it arrived.
  enum Answer {
    case partitions(TopicPartitionsResponse)
    case lookup(TopicLookupResponse)
    case consumer(ConsumerResponse)
    case health(HealthStatus)
    /// The message tells nothing that is needed.
    case other
    case malformed
  }

  let kind: Kind
  /// The partition's session that it belongs to.
  let session: UInt32
  let connection: SlotID
  var deadline: Instant
  var answer: Answer?

  /// The partition it is for, if it is for one.
  var partition: Int? {
    switch kind {
    case .lookup(let partition), .subscribe(let partition), .receive(let partition),
      .health(let partition):
      partition
    case .partitions, .settle: nil
    }
  }
}

/// How a call ended.
struct CallEnd {
  enum Outcome {
    /// The broker answered OK.
    case success(ConsumerCall.Answer?)
    /// The topic, or the session, is not there.
    case notFound(String)
    case failure(String)
  }

  let call: ConsumerCall
  let outcome: Outcome
}
