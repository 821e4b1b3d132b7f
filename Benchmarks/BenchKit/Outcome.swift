/// What became of one line of the table.
public struct Outcome: Sendable, Equatable {
  /// The scenario's name.
  public var scenario: String
  /// What was measured; nil when it failed before there was anything.
  public var ours: Summary?
  /// The limit measured in the same run; nil when there is none.
  public var limit: Summary?
  /// Others measured in the same run, with what they promise: "mosquitto, bridge, persistence".
  public var peers: [Summary]
  /// Why it failed; nil when it did not.
  public var failure: String?
  /// What is to be said of the line beside its figures.
  public var remarks: [String] = []
  /// The share of the machine that others had while it was measured, 0 … 1; nil when not known.
  public var othersShare: Double?

  /// Above this share of others a figure says little.
  public static var busy: Double { 0.15 }

  /// A line.
  public init(
    scenario: String, ours: Summary?, limit: Summary? = nil, peers: [Summary] = [],
    failure: String? = nil
  ) {
    self.scenario = scenario
    self.ours = ours
    self.limit = limit
    self.peers = peers
    self.failure = failure
  }

  /// The line's name: the scenario and what tells it from the scenario's other lines.
  public var name: String {
    let label = ours?.figure.label ?? ""
    return label.isEmpty ? scenario : "\(scenario) · \(label)"
  }

  /// How close to the limit: 1 is the limit itself.
  public var ofLimit: Double? {
    guard let ours, let value = ours.value, let limit = limit?.value else { return nil }
    return ours.figure.goodness(of: value, beside: limit)
  }

  /// Whether others had too much of the machine.
  public var isBusy: Bool { (othersShare ?? 0) > Self.busy }

  /// Whether the machine was too noisy to tell: the limit, which is the same work every round, or
  /// where there is no limit our own rounds, lie too far apart, or others had too much of it.
  public var isNoisy: Bool {
    let judged = limit ?? ours
    return (judged?.spread?.relative ?? 0) > Spread.noisy || isBusy
  }
}
