import Bytes
import HTTP1
import Settings

/// What a route's templates take from a message's topic or path.
struct RouteSubject: ~Escapable {
  let source: RouteSource
  /// The topic, or the path as it was written.
  let bytes: RawSpan
  let captures: RouteCaptures

  @_lifetime(copy bytes)
  init(_ source: RouteSource, _ bytes: RawSpan, captures: RouteCaptures) {
    self.source = source
    self.bytes = bytes
    self.captures = captures
  }
}

/// The templates of all routes as numbers and ranges of one memory, so that filling one in counts
/// no reference and allocates nothing.
struct CompiledTemplates: ~Copyable {
  /// A range of the texts.
  struct Text: BitwiseCopyable {
    fileprivate var start: UInt32 = 0
    fileprivate var length: UInt32 = 0
  }

  /// A template: a range of the parts.
  struct ID: BitwiseCopyable {
    fileprivate let start: UInt32
    fileprivate let end: UInt32
  }

  private enum Part: BitwiseCopyable {
    case literal(Text)
    case subject
    case capture(UInt8)
    case field(TemplateField, Text)
  }

  private var parts: [Part] = []
  private var texts = GrowableBytes()

  /// Keeps bytes.
  mutating func add(_ bytes: RawSpan) -> Text {
    defer { texts.append(bytes) }
    return Text(start: UInt32(texts.count), length: UInt32(bytes.byteCount))
  }

  /// Bytes that were kept.
  @_lifetime(borrow self)
  func bytes(of text: Text) -> RawSpan {
    texts.bytes.extracting(Int(text.start)..<Int(text.start + text.length))
  }

  /// Keeps a template of a route.
  mutating func add(_ template: Template, of route: RouteConfiguration) -> ID {
    let start = UInt32(parts.count)
    for part in template.parts {
      switch part {
      case .literal(let bytes): parts.append(.literal(add(bytes.rawBytes)))
      case .topic: parts.append(.subject)
      case .clientID: parts.append(.field(.clientID, Text()))
      case .wildcard(let number): parts.append(.capture(UInt8(number)))
      case .path(let name):
        // The loader saw to it that the path has the name.
        parts.append(.capture(UInt8(route.webhook?.number(of: name) ?? 0)))
      case .header(let name): parts.append(.field(.header, add(Array(name.utf8).rawBytes)))
      case .query(let name): parts.append(.field(.query, add(Array(name.utf8).rawBytes)))
      }
    }
    return ID(start: start, end: UInt32(parts.count))
  }

  /// Appends a template filled in; false when it has placeholders and the message none of their
  /// values. A value that is there and empty counts.
  func expand<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ id: ID, _ subject: borrowing RouteSubject, _ values: borrowing Values,
    to output: inout GrowableBytes
  ) -> Bool {
    let before = output.count
    var hasPlaceholder = false
    var hasValue = false
    for index in Int(id.start)..<Int(id.end) {
      if case .literal(let text) = parts[index] {
        output.append(bytes(of: text))
      } else {
        hasPlaceholder = true
        if append(parts[index], subject, values, to: &output) { hasValue = true }
      }
    }
    // Danube wants UTF-8. What MQTT carries is checked, what HTTP carries can be anything.
    if subject.source == .webhook { output.repairText(from: before) }
    return hasValue || !hasPlaceholder
  }

  /// Appends a Danube topic filled in. `maps` says what becomes of bytes that it cannot have; the
  /// result is whether there were any.
  func expandTopic<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ id: ID, _ subject: borrowing RouteSubject, _ values: borrowing Values, maps: Bool,
    to output: inout GrowableBytes
  ) throws(RouteRefusal) -> Bool {
    var isMapped = false
    for index in Int(id.start)..<Int(id.end) {
      if case .literal(let text) = parts[index] {
        output.append(bytes(of: text))
        continue
      }
      let before = output.count
      guard append(parts[index], subject, values, to: &output), output.count > before else {
        throw .missingValue
      }
      if output.count > RouteTopic.limitBytes { throw .topicTooLong }
      for offset in before..<output.count where !isTopicByte(output.bytes.octet(at: offset)) {
        if !maps { throw .invalidCharacter }
        output.overwrite(at: offset, with: UInt8(ascii: "_"))
        isMapped = true
      }
    }
    if output.count > RouteTopic.limitBytes { throw .topicTooLong }
    while let offset = output.bytes.firstPartitionMark {
      if !maps { throw .invalidCharacter }
      output.overwrite(at: offset, with: UInt8(ascii: "_"))
      output.overwrite(
        at: offset + RouteTopic.partitionMark.utf8.count - 1, with: UInt8(ascii: "_"))
      isMapped = true
    }
    return isMapped
  }

  /// Appends a part; false when the message does not have its value.
  private func append<Values: TemplateValues & ~Copyable & ~Escapable>(
    _ part: Part, _ subject: borrowing RouteSubject, _ values: borrowing Values,
    to output: inout GrowableBytes
  ) -> Bool {
    switch part {
    case .literal(let text): output.append(bytes(of: text))
    case .subject: output.append(subject.bytes)
    case .capture(let number):
      guard let range = subject.captures.range(of: Int(number)) else { return false }
      let captured = subject.bytes.extracting(range)
      switch subject.source {
      case .mqtt: output.append(captured)
      case .webhook: PercentEncoding.decode(captured, isQuery: false, into: &output)
      }
    case .field(let field, let name):
      return values.append(field, name: bytes(of: name), to: &output)
    }
    return true
  }
}

extension GrowableBytes {
  /// Replaces what is not UTF-8 from `start` to the end by U+FFFD. Allocates only where it has to.
  fileprivate mutating func repairText(from start: Int) {
    guard !bytes.extracting(droppingFirst: start).isASCII else { return }
    let repaired = shortText(bytes.extracting(droppingFirst: start), limit: .max)
    removeLast(count - start)
    append(contentsOf: Array(repaired.utf8))
  }
}

extension RawSpan {
  /// Where a topic first has what Danube names partitions by; nil where it has none.
  fileprivate var firstPartitionMark: Int? {
    let mark = RouteTopic.partitionMark.utf8
    guard byteCount >= mark.count else { return nil }
    for start in 0...(byteCount - mark.count) where octet(at: start) == UInt8(ascii: "-") {
      if zip(mark, 0...).allSatisfy({ octet(at: start + $1) == $0 }) { return start }
    }
    return nil
  }
}

/// Letters, digits, `_` and `-`: what the names in a Danube topic are made of.
private func isTopicByte(_ byte: UInt8) -> Bool {
  // One bit a character, 0 ... 63 and 64 ... 127.
  let low: UInt64 = 0x03ff_2000_0000_0000
  let high: UInt64 = 0x07ff_fffe_87ff_fffe
  if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
  return byte < 128 && high >> UInt64(byte - 64) & 1 == 1
}
