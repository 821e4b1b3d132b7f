import Bytes
import Synchronization

/// A bounded sample of the topics that matched no route, for `/status`: written by the ingest loop,
/// read by the main thread.
public final class UnroutedTopics: Sendable {
  /// Topics kept at most.
  public static let capacity = 16
  /// Bytes kept of each topic.
  public static let topicBytes = 128

  private let topics = Mutex<[String]>([])

  /// An empty sample.
  public init() {}

  /// The topics so far, the first seen first.
  public var sample: [String] { topics.withLock { $0 } }

  func insert(_ topic: String) {
    topics.withLock { known in
      if known.count < Self.capacity { known.append(topic) }
    }
  }
}

/// The ingest loop's side of the sample: knows without a lock whether a topic is in it.
struct UnroutedSampler: ~Copyable {
  let topics: UnroutedTopics
  private var hashes: [UInt64] = []

  init(topics: UnroutedTopics) { self.topics = topics }

  /// Keeps the topic when it is new and there is room; true when it is new.
  mutating func note(_ topic: RawSpan) -> Bool {
    guard hashes.count < UnroutedTopics.capacity else { return false }
    var hash = FNV1a()
    hash.combine(topic)
    guard !hashes.contains(hash.value) else { return false }
    hashes.append(hash.value)
    topics.insert(shortText(topic, limit: UnroutedTopics.topicBytes))
    return true
  }
}

/// At most `limit` bytes of UTF-8 as text for a log line; what is not UTF-8 is replaced.
func shortText(_ bytes: RawSpan, limit: Int) -> String {
  var copy: [UInt8] = []
  for offset in 0..<min(bytes.byteCount, limit) {
    copy.append(unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
  }
  return String(decoding: copy, as: UTF8.self)
}
