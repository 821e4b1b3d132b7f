/// A batch of an edge whose records are durable, and which is answered when the disk knows of its
/// number as well.
struct HeldAck {
  /// What the spool's change counter has to reach on the disk.
  let change: UInt64
  let call: ConsumerStream
  let topic: Int
  /// The number of the batch.
  let number: UInt64
}
