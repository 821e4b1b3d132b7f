import IOPort
import Simulator
import Testing

let serverHost: UInt32 = 0x0a00_0001
let clientHost: UInt32 = 0x0a00_0002

/// Two loops and a connection between them.
final class Pair {
  let world: SimulatedWorld
  let driver: SimulationDriver
  let server: RecordingLoop
  let client: RecordingLoop
  let address: SocketAddress
  let listener: Descriptor
  private(set) var accepted = Descriptor(rawValue: -1)
  private(set) var connected = Descriptor(rawValue: -1)

  enum Verb {
    static let accept: UInt8 = 1
    static let connect: UInt8 = 2
    static let receive: UInt8 = 3
    static let send: UInt8 = 4
    static let close: UInt8 = 5
    static let cancel: UInt8 = 6
    static let closeListener: UInt8 = 7
  }

  init(
    seed: UInt64 = 1, faults: NetworkFaults = NetworkFaults(),
    serverLimits: SimulatedPortLimits = .init(), connects: Bool = true
  ) throws {
    world = SimulatedWorld(seed: seed)
    world.defaultFaults = faults
    driver = SimulationDriver(world)
    server = RecordingLoop(world, host: serverHost, limits: serverLimits)
    client = RecordingLoop(world, host: clientHost)
    driver.add(server)
    driver.add(client)
    let bound = try server.port.listen(on: SocketAddress(ipv4: serverHost, port: 0))
    (listener, address) = (bound.descriptor, bound.bound)
    if connects { try connect() }
  }

  func connect() throws {
    server.ask(.accept(listener), verb: Verb.accept)
    client.ask(.connect(address), verb: Verb.connect)
    driver.run(milliseconds: 50)
    for case .accepted(let descriptor, _) in server.events { accepted = descriptor }
    for case .connected(let descriptor) in client.events { connected = descriptor }
    try #require(accepted.rawValue >= 0 && connected.rawValue >= 0)
    server.seen.removeAll()
    client.seen.removeAll()
  }

  func run(_ milliseconds: Int = 50) { driver.run(milliseconds: milliseconds) }
}
