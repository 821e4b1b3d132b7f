/// What a gRPC session said, call by call.
///
/// Where bytes are cut decides how events of different calls mix. What each call was told, and how
/// it ended, does not depend on it. One thing HTTP/2 leaves open (RFC 9113 §5.1): a HEADERS or DATA
/// frame that comes too late for its stream ends the connection or, if the stream's reset was sent
/// meanwhile, is passed over. Where a connection ends, calls may so have been told less.
struct CallLog {
  private var connection = EventLog()
  private var calls: [UInt64: EventLog] = [:]
  private var ends: [UInt64: EventLog] = [:]
  private var isAbandoned = false
  private(set) var hasFailed = false

  mutating func note(_ event: String) { connection.begin(event) }

  mutating func fail() { hasFailed = true }

  /// The calls that end from now on end because nothing more comes.
  mutating func abandon() { isAbandoned = true }

  /// An event of a call, which is `describe`d further.
  mutating func note(_ call: UInt64, _ event: String, _ describe: (inout EventLog) -> Void) {
    calls[call, default: EventLog()].begin(event)
    describe(&calls[call, default: EventLog()])
  }

  /// The last event of a call.
  mutating func end(_ call: UInt64, _ event: String, _ describe: (inout EventLog) -> Void) {
    if isAbandoned { return }
    ends[call, default: EventLog()].begin(event)
    describe(&ends[call, default: EventLog()])
  }

  /// Throws where this one, of the same bytes in pieces, tells something else than `whole`.
  func requireEqual(to whole: CallLog, ends places: [Int]) throws(Finding) {
    let place = "cut at \(places.prefix(2)) the events are others"
    if hasFailed || whole.hasFailed {
      for (call, log) in calls {
        let other = whole.calls[call]?.bytes ?? []
        let isPrefix = log.bytes.starts(with: other) || other.starts(with: log.bytes)
        try require(isPrefix, "\(place), and the connection fails")
      }
      for (call, log) in ends {
        guard let other = whole.ends[call] else { continue }
        try log.requireEqual(to: other, "\(place), for the end of \(call)")
      }
    } else {
      try summary.requireEqual(to: whole.summary, place)
    }
  }

  private var summary: EventLog {
    var summary = connection
    for (call, log) in calls.sorted(by: { $0.key < $1.key }) {
      summary.begin("of \(call):")
      summary.add(bytes: log.bytes)
    }
    for (call, log) in ends.sorted(by: { $0.key < $1.key }) {
      summary.begin("end of \(call):")
      summary.add(bytes: log.bytes)
    }
    return summary
  }
}
