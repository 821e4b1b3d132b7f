import IOPort
import Records

/// A record that was written, or the last one of several, and is not known to be durable yet.
struct Awaited: BitwiseCopyable {
  /// Who wants to know.
  enum Waiter: BitwiseCopyable {
    case nobody
    /// A client's SendMessage, with the request id to echo.
    case call(ConsumerStream, requestID: UInt64)
    /// The gateway itself.
    case batch(BatchID)
    /// An edge, with the number of its batch.
    case replicated(ConsumerStream, number: UInt64)
  }

  /// It is durable when this ticket of the spool is.
  let ticket: UInt64
  let topic: Int
  let waiter: Waiter
}
