/// What one round of a scenario measured, for one line of the table. What was not measured is nil,
/// never 0.
public struct Figure: Sendable, Equatable {
  /// Which of a figure's values is set beside the limit's.
  public enum Basis: Sendable, Equatable {
    /// Messages a second: more is better.
    case rate
    /// Processor time a message: less is better.
    case processorTime
    /// The 99th percentile of the latency: less is better.
    case latency
    /// The first of `extras`: less is better.
    case extra
  }

  /// Tells the lines of a scenario apart: "50 connections". The limit's figure of the same label is
  /// the one it is compared with.
  public var label: String
  /// What is compared with the limit, and with an earlier run.
  public var basis: Basis
  /// Messages a second.
  public var messagesPerSecond: Double?
  /// Processor time a message: user and system, all threads of the measured process, nanoseconds.
  public var processorNanoseconds: Double?
  /// System calls a message.
  public var systemCalls: Double?
  /// Calls to the C heap (malloc, calloc, realloc, aligned ones) a message.
  public var heapCalls: Double?
  /// Most memory the process had in RAM, bytes.
  public var peakMemoryBytes: Double?
  /// Bytes handed to the block device a message.
  public var flashBytes: Double?
  /// Latencies, nanoseconds, from the intended time of sending; in a closed loop from sending.
  public var latency: Histogram?
  /// Whether clients send when answers come, some or all of them: a message that would have been
  /// sent while the gateway stood still counts with none of its wait then.
  public var isClosedLoop = false
  /// Whether calls to the C heap are those of a gateway that keeps records in memory, and the rest
  /// of the line is of one that may use the disk.
  public var heapIsOfMemoryMode = false
  /// What only this scenario has, shown below its line.
  public var extras: [Extra] = []

  /// A value of one scenario's own.
  public struct Extra: Sendable, Equatable {
    /// What it is.
    public var name: String
    /// How much.
    public var value: Double
    /// In what.
    public var unit: QuantityUnit

    /// A value with its name.
    public init(_ name: String, _ value: Double, _ unit: QuantityUnit) {
      self.name = name
      self.value = value
      self.unit = unit
    }
  }

  /// A figure without values.
  public init(_ label: String, basis: Basis = .rate) {
    self.label = label
    self.basis = basis
  }
}
