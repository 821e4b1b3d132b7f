/// A batch of an edge that waits for room in the spool.
struct HeldBatch {
  let call: ConsumerStream
  /// The message as it came.
  let bytes: [UInt8]
}
