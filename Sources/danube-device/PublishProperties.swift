/// What an MQTT 5 message may say about itself (MQTT 5.0 §3.3.2.3).
struct PublishProperties: Equatable {
  struct Pair: Equatable {
    var name: String
    var value: String
  }

  var user: [Pair] = []
  var contentType: String?
  var responseTopic: String?
  var correlationData: String?
  var expirySeconds: Int?

  var isEmpty: Bool { self == PublishProperties() }
}
