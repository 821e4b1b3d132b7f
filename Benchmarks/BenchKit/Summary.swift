/// One line's values over all rounds: medians, and how far the compared value lies apart.
public struct Summary: Sendable, Equatable {
  /// Each value's median; the histograms of all rounds together.
  public var figure: Figure
  /// Rounds it is made of.
  public var rounds: Int
  /// Of the value that is compared; nil when it was not measured.
  public var spread: Spread?

  /// Of a line's rounds, which have the same label; nil without any.
  public init?(_ rounds: [Figure]) {
    guard let first = rounds.first else { return nil }
    var figure = Figure(first.label, basis: first.basis)
    figure.messagesPerSecond = Self.median(rounds.map(\.messagesPerSecond))
    figure.processorNanoseconds = Self.median(rounds.map(\.processorNanoseconds))
    figure.systemCalls = Self.median(rounds.map(\.systemCalls))
    figure.heapCalls = Self.median(rounds.map(\.heapCalls))
    figure.peakMemoryBytes = Self.median(rounds.map(\.peakMemoryBytes))
    figure.flashBytes = Self.median(rounds.map(\.flashBytes))
    for case .some(let histogram) in rounds.map(\.latency) {
      if figure.latency == nil { figure.latency = Histogram() }
      figure.latency?.add(histogram)
    }
    figure.isClosedLoop = rounds.contains(where: \.isClosedLoop)
    figure.heapIsOfMemoryMode = rounds.contains(where: \.heapIsOfMemoryMode)
    for extra in first.extras {
      let values = rounds.map { round in round.extras.first { $0.name == extra.name }?.value }
      guard let value = Self.median(values) else { continue }
      figure.extras.append(Figure.Extra(extra.name, value, extra.unit))
    }
    self.figure = figure
    self.rounds = rounds.count
    spread = Spread(rounds.compactMap(\.basisValue))
  }

  private static func median(_ values: [Double?]) -> Double? {
    Spread(values.compactMap { $0 })?.median
  }

  /// The value that is compared.
  public var value: Double? { figure.basisValue }
}

extension Figure.Basis {
  /// As the table has it.
  public var name: String {
    switch self {
    case .rate: "rate"
    case .processorTime: "CPU"
    case .latency: "p99"
    case .extra: "value"
    }
  }
}

extension Figure {
  /// The value that is compared, in its unit.
  public var basisValue: Double? {
    switch basis {
    case .rate: messagesPerSecond
    case .processorTime: processorNanoseconds
    case .latency: latency?.percentiles.map { Double($0.p99) }
    case .extra: extras.first?.value
    }
  }

  /// The unit of the value that is compared.
  public var basisUnit: QuantityUnit {
    switch basis {
    case .rate: .perSecond
    case .processorTime, .latency: .nanoseconds
    case .extra: extras.first?.unit ?? .count
    }
  }

  /// How good a value is beside another one of the same basis: 1 is as good, 0.5 half as good, for
  /// what should be much and for what should be little.
  public func goodness(of value: Double, beside other: Double) -> Double? {
    let above = basis == .rate ? value : other
    let below = basis == .rate ? other : value
    return below > 0 ? above / below : nil
  }
}
