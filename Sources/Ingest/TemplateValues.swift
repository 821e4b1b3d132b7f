import Bytes

/// What a template takes from a message beside its topic or path.
enum TemplateField: BitwiseCopyable {
  /// The client identifier of an MQTT device.
  case clientID
  /// The field of a request with the name that is given.
  case header
  /// The parameter of a request's query with the name that is given.
  case query
}

/// What templates are filled from: an adapter of one protocol, borrowing what was received.
protocol TemplateValues: ~Copyable, ~Escapable {
  /// Appends a value, decoded, which can be empty; false when the message does not have it. `name`
  /// is that of a field, in lower case, or of a parameter.
  borrowing func append(
    _ field: TemplateField, name: RawSpan, to output: inout GrowableBytes
  ) -> Bool
}

/// An MQTT message beside its topic.
struct MQTTValues: TemplateValues, ~Escapable {
  let clientID: RawSpan

  @_lifetime(copy clientID)
  init(clientID: RawSpan) {
    self.clientID = clientID
  }

  func append(_ field: TemplateField, name: RawSpan, to output: inout GrowableBytes) -> Bool {
    guard case .clientID = field else { return false }
    output.append(clientID)
    return true
  }
}
