import Bytes

/// One entry of `StreamMessage.attributes`, read in place; a missing key or value is empty.
public struct MessageAttributeView: ~Escapable {
  /// The name of the attribute.
  public private(set) var key: RawSpan
  /// Its value.
  public private(set) var value: RawSpan

  /// Reads a map entry.
  @_lifetime(copy bytes)
  public init(decoding bytes: RawSpan) throws(DanubeProtocolError) {
    key = bytes.extracting(first: 0)
    value = bytes.extracting(first: 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.nextField() {
      switch (field.number, field.wireType) {
      case (1, .lengthDelimited): key = try reader.readLengthDelimited()
      case (2, .lengthDelimited): value = try reader.readLengthDelimited()
      default: try reader.skip(field)
      }
    }
  }
}
