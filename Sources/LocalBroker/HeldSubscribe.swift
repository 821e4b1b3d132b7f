import DanubeProtocol

/// A Subscribe call that is answered when the disk knows of its subscription.
struct HeldSubscribe {
  /// What the spool's change counter has to reach on the disk.
  let change: UInt64
  let call: ConsumerStream
  let response: ConsumerResponse
}
