/// What an uplink does, for people and for `/status`. Made when asked for.
public struct UplinkStatus: Sendable, Equatable {
  /// Where a lane stands.
  public enum LanePhase: String, Sendable {
    /// Not started yet, or it waits for its next look-up.
    case waiting
    /// It looks for its broker or connects to it.
    case connecting
    /// Its producer is being created.
    case creating
    /// It publishes.
    case ready
    /// The broker refuses it by its configuration; it is tried again seldom.
    case blocked
  }

  /// What keeps records from being sent.
  public enum Limit: String, Sendable {
    /// Each of them follows one of its key that is under way.
    case keys
    /// There are as many calls as may be.
    case window
  }

  /// One lane.
  public struct Lane: Sendable, Equatable {
    /// The topic.
    public var topic: String
    /// Where it stands.
    public var phase: LanePhase
    /// Why it is not ready, or why records of it back off; empty when nothing failed.
    public var error: String
    /// Whether it can be replicated; nil of a lane that only publishes.
    public var replication: ReplicationState?
    /// Why it is not replicated though it should be, or how that failed last; empty otherwise.
    public var replicationError = ""
  }

  /// Whether a lane publishes or, with no lane at all, a broker is connected.
  public var isConnected = false
  /// Brokers with an open connection, `host:port` each.
  public var brokers: [String] = []
  /// SendMessage calls under way.
  public var callsInFlight = 0
  /// Such calls that may be under way now.
  public var callWindow = 0
  /// What records wait for though their topics have a broker; nil when they don't.
  public var limit: Limit?
  /// Keys with a record under way or behind one.
  public var keysInFlight = 0
  /// Records that were submitted and are not settled.
  public var recordsUnderWay = 0
  /// Of these, how many are not in a call now.
  public var recordsWaiting = 0
  /// The last error, empty when there was none.
  public var lastError = ""
  /// Whether the cluster knows this gateway as an edge.
  public var isRegistered = false
  /// Why it does not, or how that failed last; empty otherwise.
  public var registrationError = ""
  /// Lanes in all.
  public var laneCount = 0
  /// Of these, how many publish.
  public var readyLaneCount = 0
  /// How many lanes stand where, those that stand nowhere left out.
  public var phaseCounts: [LanePhase: Int] = [:]
  /// The lanes in their order. Of more than ``laneLimit``, those come first that do not publish and
  /// have an error, then those that publish and have one, then the others that do not publish, then
  /// the rest, as far as there is room.
  public var lanes: [Lane] = []

  /// The most lanes that a status shows.
  public static let laneLimit = 64
}
