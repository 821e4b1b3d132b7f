import BenchKit
import BenchLoad
import Uring

/// What one round of a process scenario does with the clients.
struct ProcessRound {
  /// Not measured: connections and pools grow to their size.
  static func warmUpSeconds(_ context: BenchContext) -> Double { context.isQuick ? 0.15 : 0.5 }

  /// For how long to measure.
  static func seconds(_ context: BenchContext) -> Double { context.isQuick ? 0.5 : 2 }

  /// How long a round is.
  struct Pace {
    /// Before anything is measured.
    var warmUpSeconds: Double
    /// Measured.
    var seconds: Double

    /// As of most scenarios.
    init(_ context: BenchContext) {
      warmUpSeconds = ProcessRound.warmUpSeconds(context)
      seconds = ProcessRound.seconds(context)
    }
  }

  /// The fault that the clients commit themselves, where no sink is there to do it.
  static func loadPlant(_ context: BenchContext, hasSink: Bool = false) -> Int32 {
    let fault =
      switch context.plant {
      case .wrongAck: bench_plant_wrong_ack
      case .lost where !hasSink: bench_plant_lost
      case .duplicate where !hasSink: bench_plant_duplicate
      default: bench_plant_none
      }
    return Int32(fault)
  }

  /// Sends for so long; a planted slowness stops `process` for 300 ms in the middle of it.
  static func run(
    _ load: borrowing Load, seconds: Double, stopping process: borrowing ChildProcess,
    _ context: BenchContext
  ) {
    guard context.plant == .slow else { return load.run(seconds: seconds) }
    load.run(seconds: seconds / 2)
    process.setStopped(true)
    load.run(seconds: 0.3)
    process.setStopped(false)
    load.run(seconds: seconds / 2)
  }

  /// Runs clients against a gateway that is up: warm-up, the measured time, and the last answers.
  /// All is checked.
  static func measure(
    _ gateway: borrowing GatewayProcess, _ options: bench_load_options, label: String,
    basis: Figure.Basis, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let load = try Load(options)
    load.run(seconds: warmUpSeconds(context))
    let before = try gateway.reading()
    let counts = load.counts
    // The clients stood still while the gateway was asked: what waited then is not counted.
    load.run(seconds: 0.03)
    load.reset()
    run(load, seconds: seconds(context), stopping: gateway.process, context)
    let end = bench_now()
    let answered = load.counts.acknowledged - counts.acknowledged
    let after = try gateway.reading()
    try load.finish()
    var figure = Figure(label, basis: basis)
    after.fill(&figure, since: before, messages: answered)
    figure.messagesPerSecond = Double(answered) * 1e9 / Double(end - before.time)
    figure.latency = load.latencies
    figure.isClosedLoop = options.rate_per_s == 0
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: gateway.process.id)
    try check(gateway, sent: load.counts.sent)
    return figure
  }

  /// Checks that the gateway counted what was sent.
  static func check(_ gateway: borrowing GatewayProcess, sent: UInt64) throws(BenchError) {
    // Its counters are written once a turn.
    bench_sleep(20_000_000)
    let metrics = try gateway.metrics()
    try BenchError.expect(
      "records that the gateway counted", UInt64(metrics["records_received_total"]), is: sent)
    try BenchError.expect(
      "records that the gateway counted as answered",
      UInt64(metrics["records_acknowledged_total"]), is: sent)
  }

  /// The same clients against a bare server.
  static func measure(
    server name: String, _ options: bench_load_options, label: String, basis: Figure.Basis,
    _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let server = try BaselineProcess(server: name, folder: context.folder)
    var options = options
    options.port = server.port
    return try measure(
      server.process, options, label: label, basis: basis, counter: server.counter, context)
  }

  /// The same clients against a process that is not the gateway. In the file `counter` it counts
  /// its calls.
  static func measure(
    _ process: borrowing ChildProcess, _ options: bench_load_options, label: String,
    basis: Figure.Basis, counter: String? = nil, _ context: BenchContext
  ) throws(BenchError) -> Figure {
    let load = try Load(options)
    load.run(seconds: warmUpSeconds(context))
    let counts = load.counts
    let began = bench_now()
    let processor = process.processorNanoseconds
    let written = ProcessFigures.writtenBytes(of: process.id)
    let calls = counter.flatMap { HeapCounter.counts($0) }
    load.reset()
    load.run(seconds: seconds(context))
    let elapsed = bench_now() - began
    let answered = load.counts.acknowledged - counts.acknowledged
    let spent = process.processorNanoseconds - processor
    let after = ProcessFigures.writtenBytes(of: process.id)
    let callsAfter = counter.flatMap { HeapCounter.counts($0) }
    try load.finish()
    var figure = Figure(label, basis: basis)
    figure.messagesPerSecond = Double(answered) * 1e9 / Double(elapsed)
    figure.processorNanoseconds = Double(spent) / Double(max(answered, 1))
    figure.peakMemoryBytes = ProcessFigures.peakMemoryBytes(of: process.id)
    if let written, let after {
      figure.flashBytes = Double(after - written) / Double(max(answered, 1))
    }
    figure.fill(calls, callsAfter, messages: answered)
    figure.latency = load.latencies
    figure.isClosedLoop = options.rate_per_s == 0
    return figure
  }

  /// Calls to the C heap a message, in a gateway of its own: counting them slows it a little.
  /// Once a case.
  static func heapCalls(
    _ setup: GatewaySetup, _ options: bench_load_options, _ context: BenchContext
  ) throws(BenchError) -> Double? {
    guard context.round == 0 else { return nil }
    var setup = setup
    setup.countsHeapCalls = true
    var options = options
    options.plant = 0
    let gateway = try GatewayProcess.start(setup, in: context.folder)
    guard gateway.heapCalls != nil else { return nil }
    options.port = options.is_http != 0 ? gateway.ports.webhook : gateway.ports.mqtt
    // Four times as much under way as when it is measured: pools have more than they need then.
    do {
      let crowd = try Load(options)
      crowd.run(seconds: context.isQuick ? 0.5 : 1)
      try crowd.finish()
    }
    options.first_client += options.connections
    options.connections = max(options.connections / 2, 1)
    options.window = max(options.window / 2, 1)
    let load = try Load(options)
    // Until a few slices went by without any call, or long enough.
    var quiet = 0
    for _ in 0..<(context.isQuick ? 10 : 30) where quiet < 3 {
      quiet = try slice(gateway, load).calls == 0 ? quiet + 1 : 0
    }
    if context.tellsHeapCallers { gateway.noteHeapCallers() }
    var slices: [(calls: UInt64, messages: UInt64)] = []
    for _ in 0..<(context.isQuick ? 5 : 9) { slices.append(try slice(gateway, load)) }
    if context.tellsHeapCallers {
      Progress.end()
      let calls = slices.reduce(0) { $0 + $1.calls }
      let messages = slices.reduce(0) { $0 + $1.messages }
      StandardStreams.writeStandardError(
        "\(calls) calls to the C heap, \(messages) messages\n" + (try gateway.heapCallers()))
    }
    // The middle one: what a message needs is in every slice, what a clock or a queue that is
    // longer than ever needs is in few of them.
    let each = slices.map { Double($0.calls) / Double(max($0.messages, 1)) }.sorted()
    return each[each.count / 2]
  }

  /// A tenth of a second of load: calls to the C heap, and messages that were answered.
  private static func slice(
    _ gateway: borrowing GatewayProcess, _ load: borrowing Load
  ) throws(BenchError) -> (calls: UInt64, messages: UInt64) {
    guard let before = gateway.heapCalls else { return (0, 0) }
    let answered = load.counts.acknowledged
    load.run(seconds: 0.1)
    let calls = (gateway.heapCalls ?? before) - before
    return (calls, load.counts.acknowledged - answered)
  }
}

extension Figure {
  /// What a bare loop counted of itself between two moments, a message.
  mutating func fill(
    _ before: (heapCalls: UInt64, systemCalls: UInt64)?,
    _ after: (heapCalls: UInt64, systemCalls: UInt64)?, messages: UInt64
  ) {
    guard let before, let after else { return }
    let count = Double(max(messages, 1))
    heapCalls = Double(after.heapCalls - before.heapCalls) / count
    systemCalls = Double(after.systemCalls - before.systemCalls) / count
  }
}
