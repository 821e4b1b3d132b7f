/// Who serves a topic, as a look-up told.
struct TopicOwner: Equatable {
  /// What goes into `msg_id.broker_addr`.
  var brokerURL: [UInt8]
  /// Whether calls must name the owner to a proxy.
  var isProxied: Bool
}
