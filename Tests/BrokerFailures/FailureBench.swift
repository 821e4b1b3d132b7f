/// A gateway between devices and the brokers of a ``FailureStage``, in the simulator or on real
/// sockets.
public protocol FailureBench: AnyObject {
  /// The brokers.
  var stage: FailureStage { get }
  /// How long a lasting failure lasts, milliseconds.
  var troubleMilliseconds: Int { get }
  /// The gateway's longest back-off, milliseconds.
  var backoffMaximumMilliseconds: Int { get }
  /// The time, milliseconds since whenever.
  var milliseconds: Int { get }
  /// Starts the gateway.
  func start() throws
  /// Lets two more devices publish so many messages each, the first one to the topic with the
  /// trouble, five keys in turn, the other one to the other topic.
  func publish(_ count: Int, bytes: Int) throws
  /// Lets time pass until a condition holds, and says whether it did.
  func run(milliseconds: Int, until condition: () -> Bool) -> Bool
  /// What `/status` says: `"phase":"…"` and `"error":"…"` of each topic, and the last error of all.
  func status() throws -> String
  /// What else is wrong at the end.
  func end() throws -> [String]
}

extension FailureBench {
  /// Plays a failure; what is wrong with what came of it.
  public func play(_ failure: BrokerFailure) throws -> [String] {
    var complaints: [String] = []
    failure.prepare(stage)
    try start()
    var published = 0
    if failure.startsHealthy {
      try publish(10, bytes: 24)
      published = 10
      if !run(milliseconds: 20_000, until: { self.stage.settled.all == 20 }) {
        return ["the start: \(stage.settled.all) of 20 arrived"] + (try end())
      }
    }
    failure.strike(stage)
    let (before, began) = (stage.calls, milliseconds)
    try publish(failure.count, bytes: failure.payloadBytes)
    published += failure.count
    if !failure.endsItself {
      complaints += try trouble(failure, began: began, published: published)
      complaints += excess(failure, since: before, began: began)
      try failure.heal(stage)
    }
    if !run(milliseconds: 30_000, until: { self.stage.settled.all == 2 * published }) {
      complaints.append("\(stage.settled.all) of \(2 * published) arrived")
      complaints.append(try status())
    }
    _ = run(milliseconds: 100) { false }
    if failure.endsItself { complaints += excess(failure, since: before, began: began) }
    complaints += stage.complaints(mayRepeat: failure.mayRepeat) + failure.check(stage)
    return complaints + (try end())
  }

  /// Waits as long as the failure lasts, and looks at what is to be seen meanwhile.
  private func trouble(
    _ failure: BrokerFailure, began: Int, published: Int
  ) throws -> [String] {
    var complaints: [String] = []
    var wanted = failure.says.isEmpty ? [] : [failure.says]
    if failure.route == .configuration { wanted.append("\"phase\":\"blocked\"") }
    var status = ""
    let limit = began + 20_000
    while !wanted.isEmpty, milliseconds < limit {
      _ = run(milliseconds: 100) { false }
      status = try self.status()
      wanted.removeAll { status.contains($0) }
    }
    if !wanted.isEmpty { complaints.append("the status never said \(wanted): \(status)") }
    let rest = began + troubleMilliseconds - milliseconds
    if rest > 0 { _ = run(milliseconds: rest) { false } }
    if failure.reach == .topic {
      if !run(milliseconds: 5_000, until: { self.stage.settled.ofOtherTopic == published }) {
        complaints.append("the other topic: \(stage.settled.ofOtherTopic) of \(published)")
      }
    }
    return complaints
  }

  /// Calls that were made too often, or not at all.
  private func excess(
    _ failure: BrokerFailure, since before: FailureStage.Calls, began: Int
  ) -> [String] {
    var complaints: [String] = []
    let calls = stage.calls
    let elapsed = milliseconds - began
    // Back-offs double up to the longest, and are at least half as long as they may be.
    let tries = 8 + elapsed / (backoffMaximumMilliseconds / 2)
    func expect(_ what: String, _ count: Int, atMost limit: Int) {
      if count > limit { complaints.append("\(count) \(what) in \(elapsed) ms") }
    }
    let lookups = calls.lookups - before.lookups
    expect("connections", calls.connections - before.connections, atMost: 2 * tries)
    expect("look-ups", lookups, atMost: 2 * tries)
    expect("producers", calls.creates - before.creates, atMost: 2 * tries)
    expect("sends", calls.sends - before.sends, atMost: 2 * failure.count + 7 * tries)
    if failure.route == .configuration {
      // The start of all topics, and the one again after long rests.
      let rests = elapsed / (6 * backoffMaximumMilliseconds)
      expect("look-ups of topics that rest", lookups, atMost: 5 + rests)
    }
    if let looksUp = failure.looksUp, looksUp != (lookups > 0) {
      complaints.append("\(lookups) look-ups")
    }
    return complaints
  }
}
