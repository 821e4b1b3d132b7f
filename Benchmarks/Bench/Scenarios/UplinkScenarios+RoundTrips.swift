import BenchKit
import BenchLoad

// SendMessage to a broker far away: of a key there is one call at a time, so that 1,000 keys can
// have 1,000 records accepted a round trip, and no more.
extension UplinkScenarios {
  private static var devices: Int { 1_000 }
  private static let share = "of one record a key and round trip"

  private static func label(_ roundTrip: Int) -> String { "\(roundTrip) ms, 1,000 keys" }

  /// Long enough that whole round trips are measured, after the window has grown.
  private static func pace(_ roundTrip: Int, _ context: BenchContext) -> ProcessRound.Pace {
    let trip = Double(roundTrip) / 1_000
    var pace = ProcessRound.Pace(context)
    pace.warmUpSeconds += 12 * trip
    pace.seconds = max(pace.seconds, (context.isQuick ? 10 : 20) * trip)
    return pace
  }

  private static func trips(_ context: BenchContext) -> [Int] {
    [0] + context.roundTrips.filter { $0 > 0 }
  }

  static func publishBehind(_ context: BenchContext) throws(BenchError) -> [Figure] {
    _ = bench_raise_descriptor_limit(4_096)
    var figures: [Figure] = []
    for roundTrip in trips(context) {
      let sink = try Sink(clients: devices, plant: context.plant)
      let relay = try Relay(to: sink.port, roundTripMilliseconds: roundTrip)
      sink.advertise(relay.port)
      var setup = GatewaySetup()
      setup.spool = .memory
      setup.connections = devices + 100
      setup.broker = .port(relay.port)
      let gateway = try GatewayProcess.start(setup, in: context.folder)
      var options = bench_load_options()
      options.port = gateway.ports.mqtt
      options.connections = UInt32(devices)
      options.window = 4
      options.payload_bytes = 100
      options.plant = ProcessRound.loadPlant(context, hasSink: true)
      var figure = try ProcessRound.measure(
        gateway, sink, options, label: label(roundTrip), basis: .rate,
        pace: pace(roundTrip, context), context)
      complete(&figure, roundTrip)
      figures.append(figure)
    }
    return figures
  }

  /// Bare nghttp2 through the same relay.
  static func publisherBehind(_ context: BenchContext) throws(BenchError) -> [Figure] {
    var figures: [Figure] = []
    for roundTrip in trips(context) {
      let sink = try Sink(clients: devices)
      let relay = try Relay(to: sink.port, roundTripMilliseconds: roundTrip)
      let publisher = try BaselineProcess(
        publisherTo: relay.port, payloadBytes: 100, calls: devices, folder: context.folder)
      var figure = try measure(
        publisher.process, sink, label(roundTrip), counter: publisher.counter,
        pace: pace(roundTrip, context), context)
      figure.basis = .rate
      complete(&figure, roundTrip)
      figures.append(figure)
    }
    return figures
  }

  private static func complete(_ figure: inout Figure, _ roundTrip: Int) {
    guard roundTrip > 0, let rate = figure.messagesPerSecond else { return }
    let most = Double(devices) * 1_000 / Double(roundTrip)
    figure.extras.insert(.init(share, rate / most, .share), at: 0)
  }
}
