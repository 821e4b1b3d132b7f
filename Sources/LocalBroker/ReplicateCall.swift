/// A ReplicateData call of an edge: batches come, an ack goes back for each, in order.
struct ReplicateCall: BitwiseCopyable {
  let stream: Int32
  /// Batches that came and have no ack yet.
  var unanswered = 0
  /// Whether the edge sends no further batch: the call ends with the last ack.
  var isFinished = false
}
