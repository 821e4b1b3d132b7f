import Bytes

/// Protobuf fields of a Danube `StreamMessage` as ingest writes them ahead of a batch.
enum RecordFields {
  /// Appends a length-delimited field.
  static func append(field: UInt8, _ value: RawSpan, to output: inout GrowableBytes) {
    output.append(field << 3 | 2)
    appendVarint(value.byteCount, to: &output)
    output.append(value)
  }

  /// Appends a length-delimited field of bytes in an array.
  static func append(field: UInt8, _ value: Span<UInt8>, to output: inout GrowableBytes) {
    unsafe append(field: field, value.bytes, to: &output)
  }

  /// Appends an entry of `attributes` (7): a map entry `{1: name, 2: value}`.
  static func appendAttribute(
    _ name: Span<UInt8>, _ value: RawSpan, to output: inout GrowableBytes
  ) {
    unsafe appendAttribute(name.bytes, value, to: &output)
  }

  /// Appends an entry of `attributes` (7): a map entry `{1: name, 2: value}`.
  static func appendAttribute(
    _ name: RawSpan, _ value: RawSpan, to output: inout GrowableBytes
  ) {
    let size =
      1 + varintBytes(name.byteCount) + name.byteCount + 1 + varintBytes(value.byteCount)
      + value.byteCount
    output.append(0x3a)
    appendVarint(size, to: &output)
    append(field: 1, name, to: &output)
    append(field: 2, value, to: &output)
  }

  /// Appends an attribute whose name is known when the program is built.
  static func appendAttribute(
    _ name: StaticString, _ value: [UInt8], to output: inout GrowableBytes
  ) {
    var nameBytes = GrowableBytes()
    nameBytes.append(name)
    let array = array(nameBytes.bytes)
    unsafe appendAttribute(array.span, value.span.bytes, to: &output)
  }

  /// Appends an attribute that is known when the program is built.
  static func appendAttribute(
    _ name: StaticString, _ value: StaticString, to output: inout GrowableBytes
  ) {
    var nameBytes = GrowableBytes()
    nameBytes.append(name)
    var valueBytes = GrowableBytes()
    valueBytes.append(value)
    appendAttribute(array(nameBytes.bytes).span, valueBytes.bytes, to: &output)
  }

  /// A copy of the bytes.
  static func array(_ bytes: RawSpan) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.byteCount)
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe result.append(contentsOf: buffer)
    }
    return result
  }

  static func appendVarint(_ value: Int, to output: inout GrowableBytes) {
    var rest = UInt64(value)
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(truncatingIfNeeded: rest))
  }

  static func varintBytes(_ value: Int) -> Int {
    max(1, (70 - UInt64(value).leadingZeroBitCount) / 7)
  }
}
