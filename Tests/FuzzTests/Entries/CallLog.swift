/// What a gRPC session said, call by call.
///
/// Resets are sent after each `receive`, and only then is their stream closed: where bytes are cut
/// decides how events of different calls mix, whether a frame that comes too late for its stream
/// is passed over or ends the connection, and whether a call still ends by itself before that. What
/// each call was told does not depend on it.
struct CallLog {
  private var connection = EventLog()
  private var calls: [UInt64: EventLog] = [:]
  private var ends: [UInt64: EventLog] = [:]
  private var isGoingAway = false
  private(set) var hasFailed = false

  mutating func note(_ event: String) {
    if !isGoingAway { connection.begin(event) }
  }

  /// The peer takes no more calls. Frames behind its last call are read or passed over.
  mutating func noteGoAway() {
    note("goaway")
    isGoingAway = true
  }

  mutating func fail() { hasFailed = true }

  /// An event of a call, which is `describe`d further.
  mutating func note(_ call: UInt64, _ event: String, _ describe: (inout EventLog) -> Void) {
    calls[call, default: EventLog()].begin(event)
    describe(&calls[call, default: EventLog()])
  }

  /// The last event of a call.
  mutating func end(_ call: UInt64, _ event: String, _ describe: (inout EventLog) -> Void) {
    ends[call, default: EventLog()].begin(event)
    describe(&ends[call, default: EventLog()])
  }

  /// Throws where this one, of the same bytes in pieces, tells something else than `whole`.
  func requireEqual(to whole: CallLog, ends: [Int]) throws(Finding) {
    let place = "cut at \(ends.prefix(2)) the events are others"
    if hasFailed || whole.hasFailed {
      for (call, log) in calls {
        let other = whole.calls[call]?.bytes ?? []
        let isPrefix = log.bytes.starts(with: other) || other.starts(with: log.bytes)
        try require(isPrefix, "\(place), and the connection fails")
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
    // A call may end by its reset or by the GOAWAY before the reset was sent.
    if isGoingAway { return summary }
    for (call, log) in ends.sorted(by: { $0.key < $1.key }) {
      summary.begin("end of \(call):")
      summary.add(bytes: log.bytes)
    }
    return summary
  }
}
