public import Bytes
public import DanubeConsumer
import DanubeProtocol
public import IOPort

/// The loop of `danube-gateway tail`: consumes a topic and prints its records.
///
/// One turn at a time; between turns the owner writes what ``takeOutput()`` gives to the standard
/// output and what ``takeNotices()`` gives to the standard error.
public struct TailLoop<Port: IOPort & ~Copyable>: ~Copyable {
  private var port: Port
  private var consumer: DanubeConsumer
  private var operations = OperationQueue()
  private let options: TailLoopOptions
  private var output = GrowableBytes()
  /// Records printed so far.
  public private(set) var recordCount = 0
  private var isStopping = false
  private var stopDeadline = Instant.distantFuture

  /// The owner's mark on the tokens of its operations; others may use the port, such as for
  /// signals.
  private static var owner: UInt8 { LoopOwner.consumer }
  /// No more records are printed while so many bytes wait for the owner to take them.
  private static var outputLimitBytes: Int { 1 << 20 }
  /// At the end acknowledgements get so long, milliseconds.
  private static var stopMilliseconds: Int { 1_000 }

  /// The token that the port's owner gives to whatever asks the loop to end, such as a signal.
  public static var stopToken: Token { Token(owner: LoopOwner.main, verb: 1) }

  /// Begins to look for the topic.
  public init(
    port: consuming Port, options: TailLoopOptions, limits: ConsumerLimits = ConsumerLimits()
  ) {
    self.port = port
    self.options = options
    consumer = DanubeConsumer(
      owner: Self.owner, limits: limits, topic: Array(options.topic.utf8),
      subscription: Array(options.subscription.utf8),
      consumerName: Array(options.consumerName.utf8), subscriptionType: options.subscriptionType,
      seeds: options.seeds, security: options.security, seed: options.seed)
    consumer.start(at: self.port.now, operations: &operations)
  }

  /// Whether everything was printed that was asked for, and acknowledged.
  public var isFinished: Bool {
    isStopping && (consumer.isClosed || port.now >= stopDeadline)
  }

  /// One turn; it waits for at most `milliseconds`.
  public mutating func turn(waitingAtMost milliseconds: Int = 1_000) {
    port.submit(&operations)
    // Records that found no room in the output go on at once.
    let pause = consumer.hasMessage ? 0 : milliseconds
    let latest = port.now.advanced(milliseconds: pause)
    port.wait(until: min(min(consumer.nextDeadline, stopDeadline), latest))
    let now = port.now
    while let completion = port.next() {
      if completion.token.owner == Self.owner {
        consumer.handle(completion, at: now, operations: &operations)
      } else if completion.token == Self.stopToken {
        beginStop()
      }
    }
    consumer.advance(to: now, operations: &operations)
    printRecords()
    if options.recordLimit > 0, recordCount >= options.recordLimit { beginStop() }
    consumer.flush(operations: &operations)
  }

  /// Prints no more; acknowledgements are still sent. ``isFinished`` tells when that is done.
  public mutating func beginStop() {
    guard !isStopping else { return }
    isStopping = true
    stopDeadline = port.now.advanced(milliseconds: Self.stopMilliseconds)
    consumer.beginShutdown()
  }

  private mutating func printRecords() {
    while !isStopping, output.count < Self.outputLimitBytes,
      options.recordLimit == 0 || recordCount < options.recordLimit,
      let message = consumer.nextMessage()
    {
      RecordLine.append(consumer.currentMessage, as: options.format, to: &output)
      consumer.acknowledge(message)
      recordCount += 1
    }
  }

  /// The lines printed since the last time.
  public mutating func takeOutput() -> GrowableBytes {
    var taken = GrowableBytes()
    swap(&taken, &output)
    return taken
  }

  /// What people should know: sentences without a full stop.
  public mutating func takeNotices() -> [String] {
    var taken: [String] = []
    while let notice = consumer.nextNotice() { taken.append(notice.description) }
    return taken
  }

  // MARK: Names of brokers

  /// Hosts whose addresses are wanted; the loop's owner may look them up between two turns.
  public var hostsToResolve: [NamedHost] { consumer.hostsToResolve }

  /// Tells the addresses of a host, each with its port; none when it has none.
  public mutating func resolved(_ host: NamedHost, addresses: [SocketAddress]) {
    consumer.resolved(host, addresses: addresses)
  }
}
