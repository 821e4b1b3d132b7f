import IOPort

/// A server stream to a client.
struct ConsumerStream: Equatable {
  var connection: SlotID
  var stream: Int32
}

/// A consumer of a subscription. Its name is its identity: it outlives the client's connection.
struct Consumer {
  let name: [UInt8]
  let subscription: SlotID
  /// The connection that subscribed last, or that receives; nil when it is gone.
  var connection: SlotID?
  /// Where records go to; nil before ReceiveMessages and after the stream ended.
  var stream: ConsumerStream?

  /// Whether the client is there, as HealthCheck tells it.
  var isActive: Bool { connection != nil }
}
