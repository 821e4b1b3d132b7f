import CTOML

/// A TOML 1.0 file as a tree of values that know their places.
public struct SettingsTree: Sendable, Equatable {
  /// The top-level table.
  public var root: SettingsNode

  /// Parses `contents`, which should be UTF-8 and at most 1 MiB.
  ///
  /// Any bytes are safe to pass: values nested more than 16 deep, tables more than 64 deep, lines
  /// of more than 256 dots, invalid UTF-8 and NUL bytes are errors like every other.
  ///
  /// - Parameter file: the file's name for the error.
  /// - Throws: one error, with the place where parsing stopped.
  public init(parsing contents: [UInt8], file: String) throws(SettingsErrors) {
    let document = ParsedDocument(contents)
    if let failure = document.failure {
      throw SettingsErrors([
        SettingsError(
          file: file, position: failure.position, keyPath: "",
          message: failure.message, remedy: "The file must be TOML 1.0.")
      ])
    }
    var index = 0
    root = document.node(at: &index).node
  }
}

/// The C document: owns it, and reads it into Swift values. Every unsafe call of the module is
/// here.
@safe
private struct ParsedDocument: ~Copyable {
  private let document: OpaquePointer

  init(_ contents: [UInt8]) {
    unsafe document = contents.withUnsafeBytes { bytes in
      // An empty array may have no address, and the door wants one.
      guard let start = bytes.baseAddress else { return unsafe ctoml_parse("", 0) }
      return unsafe ctoml_parse(start.assumingMemoryBound(to: CChar.self), bytes.count)
    }
  }

  deinit {
    unsafe ctoml_free(document)
  }

  var failure: (message: String, position: SettingsPosition)? {
    guard unsafe ctoml_failed(document) else { return nil }
    let position = SettingsPosition(
      line: Int(unsafe ctoml_error_line(document)),
      column: Int(unsafe ctoml_error_column(document)))
    let message = unsafe String(cString: ctoml_error_message(document))
    return (printable(message, limit: 200), position)
  }

  /// The node at `index` with all below it; `index` moves past them. Recursion is bounded by
  /// CTOML_MAX_DEPTH.
  func node(at index: inout Int) -> SettingsEntry {
    let count = unsafe ctoml_node_count(document)
    precondition(index < count)
    let raw = unsafe ctoml_node_at(document, index)
    index += 1
    let key = unsafe raw.has_key ? Self.string(raw.key, raw.key_length) : ""
    let keyPosition = SettingsPosition(
      line: Int(unsafe raw.key_line), column: Int(unsafe raw.key_column))
    let value: SettingsNode.Value
    switch unsafe raw.type {
    case CTOML_STRING: value = .string(unsafe Self.string(raw.text, raw.text_length))
    case CTOML_INTEGER: value = .integer(unsafe raw.integer)
    case CTOML_FLOAT: value = .float(unsafe raw.number)
    case CTOML_BOOLEAN: value = .boolean(unsafe raw.boolean)
    case CTOML_ARRAY:
      var elements: [SettingsNode] = []
      for _ in 0..<(unsafe raw.child_count) { elements.append(node(at: &index).node) }
      value = .array(elements)
    case CTOML_TABLE:
      var entries: [SettingsEntry] = []
      for _ in 0..<(unsafe raw.child_count) { entries.append(node(at: &index)) }
      // The door gives keys in the order of their bytes; people read the order of the file.
      entries.sort { $0.keyPosition < $1.keyPosition }
      value = .table(entries)
    default: value = .dateOrTime
    }
    let position = SettingsPosition(line: Int(unsafe raw.line), column: Int(unsafe raw.column))
    return SettingsEntry(
      key: key, keyPosition: keyPosition, node: SettingsNode(value, at: position))
  }

  private static func string(_ start: UnsafePointer<CChar>, _ count: Int) -> String {
    unsafe start.withMemoryRebound(to: UInt8.self, capacity: count) { bytes in
      unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
  }
}
