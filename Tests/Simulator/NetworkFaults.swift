import IOPort

/// What can go wrong on the way between two hosts, and how often. Everything is off by default.
///
/// Probabilities are per mille of the thing they name, 0 ... 1,000.
public struct NetworkFaults: Sendable, Equatable {
  /// How long a packet is under way, microseconds.
  public var latencyMicroseconds: ClosedRange<Int> = 50...50
  /// Bytes a second that fit through one way of the link, whichever connection they are of: what
  /// does not waits in the network, without a bound. 0: as many as there are.
  public var bytesPerSecond = 0
  /// Of packets: how often one is held up by `spikeMilliseconds`, and all behind it with it.
  public var spikePerMille = 0
  /// How long a spike is, milliseconds.
  public var spikeMilliseconds: ClosedRange<Int> = 20...500
  /// Of sends: how often their bytes arrive in several pieces, cut anywhere.
  public var splitPerMille = 0
  /// Of sends: how often only some of the bytes are taken.
  public var shortWritePerMille = 0
  /// Of sends: how often the connection is reset soon after; both ends see it, bytes on the way are
  /// lost.
  public var resetPerMille = 0
  /// Of sends: how often the connection goes silent: bytes vanish both ways and nobody is told,
  /// until after `cutMilliseconds` both ends are reset.
  public var cutPerMille = 0
  /// How long a silent connection stays so, milliseconds.
  public var cutMilliseconds: ClosedRange<Int> = 1_000...30_000
  /// Of connects: how often one is refused although somebody listens.
  public var connectRefusedPerMille = 0
  /// Of connects: how often a packet is lost, which delays the connect by a second and more.
  public var connectLostPerMille = 0
  /// Of receives into a buffer: how often the port claims to have run out of buffers.
  public var bufferExhaustionPerMille = 0
  /// Of accepted connections: how often accepting first ends for want of resources.
  public var acceptExhaustionPerMille = 0
  /// Bytes a direction of a connection holds (both sockets' buffers) before sends have to wait;
  /// each connection draws its own.
  public var socketBufferBytes: ClosedRange<Int> = 262_144...262_144

  /// No faults, 50 µs of latency.
  public init() {}

  /// A mix drawn from `seed`: each fault is absent, rare or frequent, so that seeds differ in kind.
  public static func hostile(seed: UInt64) -> NetworkFaults {
    var random = SplitMix64(seed: seed ^ 0x4e65_7446_6175_6c74)
    func often(_ rare: Int, _ frequent: Int) -> Int {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: 0
      case 1: Int.random(in: 1...rare, using: &random)
      default: Int.random(in: rare...frequent, using: &random)
      }
    }
    var faults = NetworkFaults()
    let slowest = [60, 500, 5_000, 50_000].randomElement(using: &random) ?? 60
    faults.latencyMicroseconds = 20...slowest
    faults.spikePerMille = often(5, 50)
    faults.splitPerMille = often(100, 900)
    faults.shortWritePerMille = often(50, 500)
    faults.resetPerMille = often(2, 20)
    faults.cutPerMille = often(1, 8)
    faults.connectRefusedPerMille = often(50, 300)
    faults.connectLostPerMille = often(20, 200)
    faults.bufferExhaustionPerMille = often(10, 200)
    faults.acceptExhaustionPerMille = often(10, 200)
    let smallest = [64, 1_024, 16_384, 262_144].randomElement(using: &random) ?? 1_024
    faults.socketBufferBytes = smallest...262_144
    return faults
  }
}

/// How often each fault really happened in a world.
public struct FaultCounts: Sendable, Equatable {
  /// Packets that were held up.
  public var spikes = 0
  /// Sends whose bytes arrived in several pieces.
  public var splits = 0
  /// Sends cut short by the fault (not by full buffers).
  public var shortWrites = 0
  /// Sends that had to wait for room, or got less than all of it, because buffers were full.
  public var backPressures = 0
  /// Connections reset by the network.
  public var resets = 0
  /// Connections that went silent.
  public var cuts = 0
  /// Connects refused, by the fault or for want of a listener.
  public var refusals = 0
  /// Connects delayed by a lost packet.
  public var lostConnects = 0
  /// Receives that ended for want of buffers, claimed or true.
  public var bufferExhaustions = 0
  /// Accepts that ended for want of resources.
  public var acceptExhaustions = 0

  /// None.
  public init() {}
}
