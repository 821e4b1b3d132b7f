/// Limits and times of an uplink.
public struct UplinkLimits: Sendable, Equatable {
  /// Calls under way on one connection, 1 ... 65,536.
  public var maximumCallsInFlight: Int
  /// Connections open or being opened at a time, 2 ... 1,024.
  public var maximumConnections: Int
  /// A call without an answer for so long is given up and made again, milliseconds.
  public var callDeadlineMilliseconds: Int
  /// A connection that is not open after so long has failed, milliseconds.
  public var connectTimeoutMilliseconds: Int
  /// The first back-off after a failure, milliseconds.
  public var backoffMinimumMilliseconds: Int
  /// Back-offs double up to this, milliseconds.
  public var backoffMaximumMilliseconds: Int
  /// How long a lane rests whose topic the broker refuses by its configuration, milliseconds.
  public var blockedMilliseconds: Int
  /// A connection with calls under way that is silent for so long is asked for a sign of life, and
  /// closed when as much time passes without one, milliseconds.
  public var pingIntervalMilliseconds: Int
  /// The highest stream id a connection uses; 2^31 - 1 but for tests.
  public var lastStreamID: Int32
  /// With fewer stream ids left on a connection, the next one is opened and taken over.
  public var takeOverStreamIDs: Int

  /// Batches that a lane replicates at a time without an acknowledgement.
  public var replicationWindow = 8
  /// Batches that are not acknowledged for so long, however often they are sent, are given up,
  /// milliseconds.
  public var replicationPatienceMilliseconds = 30_000
  /// While a lane replicates, the owner of its topic is looked up so often, milliseconds.
  public var ownerCheckMilliseconds = 1_000
  /// A cluster is told so often that the gateway is there, milliseconds.
  public var edgeHeartbeatMilliseconds = 30_000
  /// A cluster that does not let the gateway replicate is asked again after so long, milliseconds.
  public var edgeRetryMilliseconds = 60_000

  /// Limits for one gateway.
  public init(
    maximumCallsInFlight: Int = 1024, maximumConnections: Int = 32,
    callDeadlineMilliseconds: Int = 10_000, connectTimeoutMilliseconds: Int = 5_000,
    backoffMinimumMilliseconds: Int = 100, backoffMaximumMilliseconds: Int = 10_000,
    blockedMilliseconds: Int = 30_000, pingIntervalMilliseconds: Int = 5_000,
    lastStreamID: Int32 = .max, takeOverStreamIDs: Int = 1 << 20
  ) {
    self.maximumCallsInFlight = maximumCallsInFlight
    self.maximumConnections = maximumConnections
    self.callDeadlineMilliseconds = callDeadlineMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.backoffMinimumMilliseconds = backoffMinimumMilliseconds
    self.backoffMaximumMilliseconds = backoffMaximumMilliseconds
    self.blockedMilliseconds = blockedMilliseconds
    self.pingIntervalMilliseconds = pingIntervalMilliseconds
    self.lastStreamID = lastStreamID
    self.takeOverStreamIDs = takeOverStreamIDs
  }

  /// Traps on limits that no uplink can keep.
  func check() {
    precondition((1...65_536).contains(maximumCallsInFlight))
    precondition((2...1_024).contains(maximumConnections))
    precondition(callDeadlineMilliseconds > 0 && connectTimeoutMilliseconds > 0)
    precondition(blockedMilliseconds > 0 && pingIntervalMilliseconds > 0)
    precondition(takeOverStreamIDs >= 0 && replicationWindow > 0)
    precondition(ownerCheckMilliseconds > 0 && edgeHeartbeatMilliseconds > 0)
    precondition(edgeRetryMilliseconds > 0 && replicationPatienceMilliseconds >= 0)
  }
}
