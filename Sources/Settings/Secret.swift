/// A secret of the configuration: where it is kept and, once it was read, what it is.
///
/// It never stands in the file itself, only a place does. Its text is for comparing: nothing that
/// describes or dumps a value shows it.
public struct Secret: Sendable {
  /// Where a secret is kept.
  public enum Source: Sendable, Equatable {
    /// In a file, by its path; relative to the directory in which the gateway is started.
    case file(String)
    /// A credential of systemd, by its name (systemd.exec(5), LoadCredential=).
    case credential(String)
    /// The environment variable of this name.
    case variable(String)
  }

  /// Where it is kept.
  public let source: Source
  private let bytes: [UInt8]

  /// A secret that has still to be read.
  public init(source: Source) {
    self.source = source
    bytes = []
  }

  /// A secret that was read. `contents` is not checked; whoever read it did.
  public init(source: Source, contents: [UInt8]) {
    self.source = source
    bytes = contents
  }

  /// Whether it was read.
  public var isLoaded: Bool { !bytes.isEmpty }

  /// The text, to send it to whoever compares it; nil when it was not read.
  public var revealed: [UInt8]? { isLoaded ? bytes : nil }

  /// Whether `candidate` is the secret. The time it takes tells nothing but the candidate's length.
  /// A secret that was not read matches nothing.
  public func matches(_ candidate: [UInt8]) -> Bool {
    var difference: UInt8 = bytes.count == candidate.count && isLoaded ? 0 : 1
    for index in candidate.indices {
      let own = bytes.isEmpty ? 0 : bytes[index % bytes.count]
      difference |= own ^ candidate[index]
    }
    return difference == 0
  }
}

extension Secret: Equatable {
  /// Whether both come from the same place and hold the same, without telling by the time where
  /// they differ.
  public static func == (left: Secret, right: Secret) -> Bool {
    left.source == right.source
      && (left.isLoaded ? right.matches(left.bytes) : !right.isLoaded)
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<secret>`: never the text.
  public var description: String { "<secret>" }

  /// `<secret>`: never the text.
  public var debugDescription: String { description }

  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
