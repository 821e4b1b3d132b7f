import GRPC
import Simulator

/// One way in which a broker fails, and what must come of it.
public struct BrokerFailure: Sendable, CustomStringConvertible {
  /// What the gateway does about it.
  public enum Route: String, Sendable {
    /// The record is sent again to the same producer.
    case resend
    /// The producer is created again, and the record sent again.
    case recreate
    /// The topic is looked up again, then as above.
    case lookUpAgain
    /// The same again after back-offs.
    case wait
    /// The record is set aside, with its reason; the next ones go on.
    case setAside
    /// The topic rests, and a person is told.
    case configuration
  }

  /// Who has the trouble.
  public enum Reach: Sendable {
    /// One topic: the other one goes on meanwhile.
    case topic
    /// All.
    case broker
  }

  /// What it is.
  public var name: String
  /// What the gateway does about it.
  public var route: Route
  /// Who has the trouble.
  public var reach = Reach.topic
  /// Whether all is well before.
  public var startsHealthy = true
  /// Whether it is over by itself.
  public var endsItself = false
  /// Bytes of a message, and how many of them each device publishes.
  public var payloadBytes = 24
  /// See above.
  public var count = 30
  /// What `/status` says meanwhile.
  public var says = ""
  /// How many messages may arrive twice: those whose answers are lost.
  public var mayRepeat = 0
  /// Whether look-ups are made; nil when either is right.
  public var looksUp: Bool?
  /// What the brokers do before the gateway starts.
  public var prepare: @Sendable (FailureStage) -> Void = { _ in }
  /// What they do then.
  public var strike: @Sendable (FailureStage) -> Void = { _ in }
  /// How it ends.
  public var heal: @Sendable (FailureStage) throws -> Void = { $0.heal() }
  /// What else has to hold at the end.
  public var check: @Sendable (FailureStage) -> [String] = { _ in [] }

  init(
    _ name: String, _ route: Route, says: String = "", change: (inout BrokerFailure) -> Void
  ) {
    self.name = name
    self.route = route
    self.says = says
    change(&self)
  }

  /// Its name and the gateway's answer.
  public var description: String { "\(name) → \(route.rawValue)" }

  /// Whether it is about connections and answers, whatever goes over them.
  public var isOfConnections: Bool {
    (Self.connections + Self.answers).contains { $0.name == name }
  }

  /// All of them.
  public static let all = connections + owners + lookups + creates + sends + answers
}
