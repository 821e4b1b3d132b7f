/// Decides when each device has a message to send, and keeps count of what becomes of them. It
/// makes no system call: the time is given to it.
///
/// The devices take turns. Message `k` of all is due `k / rate` seconds after the start whether the
/// ones before it are answered or not, and times count from then: a gateway that pauses makes all
/// that falls due meanwhile late, as it would with real sensors.
struct Workload {
  let options: WorkloadOptions
  private let start: UInt64
  private let late: UInt64
  private(set) var tally = Tally()
  private(set) var latency = LatencyHistogram()
  /// For each device the sequence of the message that it sends next.
  private var nextSequences: [Int]
  /// All numbers of messages that were made and not answered.
  private var open: Set<Int> = []
  /// Messages below this number were looked at when their time ran out.
  private var lateCursor = 0
  private var messages: Int

  /// A run that starts at `start`, in nanoseconds of the clock that is used throughout.
  init(_ options: WorkloadOptions, start: UInt64) {
    precondition(options.devices > 0 && options.rate > 0)
    self.options = options
    self.start = start
    late = UInt64(options.lateMilliseconds) * 1_000_000
    nextSequences = Array(repeating: 1, count: options.devices)
    messages = options.messages
  }

  /// When a message is due, in nanoseconds.
  func dueTime(of id: MessageID) -> UInt64 { dueTime(ofNumber: number(of: id)) }

  private func dueTime(ofNumber number: Int) -> UInt64 {
    start + UInt64(Double(number) * 1e9 / options.rate)
  }

  private func number(of id: MessageID) -> Int {
    (id.sequence - 1) * options.devices + id.device
  }

  // MARK: Time

  /// Makes the messages that are due, and counts those whose time has run out.
  mutating func advance(to now: UInt64) {
    while tally.made < messages, dueTime(ofNumber: tally.made) <= now {
      open.insert(tally.made)
      tally.made += 1
    }
    while lateCursor < tally.made, dueTime(ofNumber: lateCursor) + late < now {
      if open.contains(lateCursor) { tally.late += 1 }
      lateCursor += 1
    }
  }

  /// Makes no more messages: the run ends when those that were made are answered.
  mutating func stop() { messages = tally.made }

  /// When the next message is due; nil when all were made.
  var nextDueTime: UInt64? {
    tally.made < messages ? dueTime(ofNumber: tally.made) : nil
  }

  /// Whether every message was made and answered.
  var isComplete: Bool { tally.made == messages && open.isEmpty }

  /// Whether there is nothing left to wait for.
  func isOver(at now: UInt64) -> Bool {
    if isComplete { return true }
    guard tally.made == messages else { return false }
    let last = dueTime(ofNumber: max(0, messages - 1))
    return now > last + UInt64(options.waitMilliseconds) * 1_000_000
  }

  // MARK: Messages

  /// Whether a device has a message to send.
  func hasNext(for device: Int) -> Bool {
    number(of: MessageID(device: device, sequence: nextSequences[device])) < tally.made
  }

  /// The next message of a device, which sends it now; nil when it has none.
  mutating func next(for device: Int) -> MessageID? {
    guard hasNext(for: device) else { return nil }
    defer { nextSequences[device] += 1 }
    return MessageID(device: device, sequence: nextSequences[device])
  }

  /// A message was acknowledged; false when it was answered before.
  @discardableResult
  mutating func acknowledge(_ id: MessageID, at now: UInt64) -> Bool {
    let number = number(of: id)
    guard open.remove(number) != nil else { return false }
    let due = dueTime(ofNumber: number)
    let elapsed = now > due ? now - due : 0
    if number >= lateCursor, elapsed > late { tally.late += 1 }
    tally.acknowledged += 1
    latency.record(nanoseconds: elapsed)
    return true
  }

  /// A message was refused; false when it was answered before.
  @discardableResult
  mutating func refuse(_ id: MessageID) -> Bool {
    guard open.remove(number(of: id)) != nil else { return false }
    tally.refused += 1
    return true
  }

  /// A message has to be sent again.
  mutating func countRetry() { tally.retried += 1 }

  /// A connection ended that should not have.
  mutating func countDisconnect() { tally.disconnected += 1 }
}
