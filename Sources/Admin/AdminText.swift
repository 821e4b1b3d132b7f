/// The texts of the admin address that do not change.
public enum AdminText {
  /// The answer to `/`.
  public static var index: [UInt8] {
    let width = AdminEndpoint.allCases.map { $0.path.description.count }.max() ?? 0
    var text = "danube-gateway\n\n"
    for endpoint in AdminEndpoint.allCases {
      let path = endpoint.path.description
      let blanks = String(repeating: " ", count: width - path.count + 2)
      text += "\(path)\(blanks)\(endpoint.summary)\n"
    }
    return Array(text.utf8)
  }

  /// A refusal: the status code, and of a path that is not there the ones that are.
  static func error(statusCode: UInt16) -> [UInt8] {
    var text = JSONText()
    text.beginObject()
    text.member("error", statusCode)
    if statusCode == 404 {
      text.beginArray("endpoints")
      for endpoint in AdminEndpoint.allCases { text.element(endpoint.path.description) }
      text.endArray()
    }
    text.endObject()
    return text.bytes
  }
}
