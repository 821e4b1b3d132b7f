/// A run of devices that post webhooks, each one reading at a time: so their order is kept.
struct PosterFleet: ~Copyable {
  private enum Phase {
    case idle
    case posting(MessageID)
    /// Told to come again, or without an answer.
    case waiting(MessageID, until: UInt64)
  }

  private static let idleLimitNanoseconds: UInt64 = 50_000_000

  private var posters: CurlPosters
  private var phases: [Phase]
  private var backoffs: [Backoff]
  private var ledger: RunLedger

  /// Runs to the end; returns the exit code.
  static func run(_ options: RunOptions, url: DeviceTemplate) throws(DeviceError) -> Int32 {
    var fleet = try PosterFleet(options, url: url)
    return fleet.postAll()
  }

  private init(_ options: RunOptions, url: DeviceTemplate) throws(DeviceError) {
    let numbers = 0..<options.workload.devices
    let ledger = try RunLedger(options, title: "webhook")
    let posters = try CurlPosters(
      urls: numbers.map { url.filled(device: options.name(of: $0), number: $0) },
      headers: options.headers)
    self.ledger = ledger
    self.posters = posters
    phases = numbers.map { _ in .idle }
    backoffs = numbers.map { _ in Backoff() }
  }

  private mutating func postAll() -> Int32 {
    ledger.begin(at: Clock.now())
    while ledger.goOn(at: Clock.now()) {
      let now = Clock.now()
      for number in phases.indices { post(number, at: now) }
      posters.wait(nanoseconds: ledger.idleNanoseconds(at: now, limit: Self.idleLimitNanoseconds))
      let answered = Clock.now()
      for (number, answer) in posters.takeAnswers() { take(answer, of: number, at: answered) }
    }
    return ledger.finish()
  }

  private mutating func post(_ number: Int, at now: UInt64) {
    switch phases[number] {
    case .posting: return
    case .idle:
      guard let (id, payload) = ledger.next(for: number) else { return }
      phases[number] = .posting(id)
      posters.post(number, body: payload)
    case .waiting(let id, let time):
      guard time <= now else { return }
      phases[number] = .posting(id)
      posters.post(number, body: ledger.payload(of: id))
    }
  }

  private mutating func take(_ answer: CurlPosters.Answer, of number: Int, at now: UInt64) {
    guard case .posting(let id) = phases[number] else { return }
    switch answer {
    case .status(200..<300, _):
      phases[number] = .idle
      backoffs[number].reset()
      ledger.acknowledge(id, at: now)
    case .status(let status, let seconds) where status == 429 || status == 503:
      // RFC 9110 §10.2.3: not before Retry-After is over. An hour is longer than anybody watches.
      let told = UInt64(min(max(0, seconds), 3_600)) * 1_000_000_000
      phases[number] = .waiting(id, until: now + max(told, backoffs[number].next()))
      ledger.retry("HTTP \(status)")
    case .status(let status, _):
      phases[number] = .idle
      ledger.refuse(id, "HTTP \(status)", at: now)
    case .failed(let reason):
      phases[number] = .waiting(id, until: now + backoffs[number].next())
      ledger.retry(reason)
    }
  }
}
