import Gateway
import IOPort
import Simulator
import Spool

/// The ingest loop of a gateway as a loop of the simulation.
final class IngestNode: SimulatedLoop {
  let portID: NodeID
  private var loop: IngestLoop<SimulatedPort>

  init(
    _ world: SimulatedWorld, host: UInt32, gateway: Gateway, limits: SimulatedPortLimits,
    isFaulty: Bool
  ) throws {
    let port = world.makePort(host: host, limits: limits)
    portID = port.id
    loop = try IngestLoop(gateway: gateway, port: port)
    if isFaulty { loop.plantAnswersBeforeSafe() }
  }

  func turn() { loop.turn() }
}

/// The delivery loop of a gateway as a loop of the simulation.
final class DeliveryNode: SimulatedLoop {
  let portID: NodeID
  private var loop: DeliveryLoop<SimulatedPort>

  init(
    _ world: SimulatedWorld, host: UInt32, gateway: Gateway, limits: SimulatedPortLimits,
    fault: PlantedSpoolFault? = nil
  ) throws {
    let port = world.makePort(host: host, limits: limits)
    portID = port.id
    loop = try DeliveryLoop(gateway: gateway, port: port)
    if let fault { loop.plant(fault) }
  }

  /// What the start found in the spool; nil until it is over.
  var spoolRecovery: SpoolRecoveryReport? { loop.spoolRecovery }

  func turn() { loop.turn() }
}

/// The main loop of a gateway as a loop of the simulation.
final class MainNode: SimulatedLoop {
  let portID: NodeID
  private let world: SimulatedWorld
  private var loop: MainLoop<SimulatedPort>

  init(_ world: SimulatedWorld, host: UInt32, gateway: Gateway) throws {
    self.world = world
    let port = world.makePort(
      host: host, limits: SimulatedPortLimits(receiveBufferCount: 4, receiveBufferBytes: 512))
    portID = port.id
    loop = try MainLoop(gateway: gateway, port: port)
  }

  var isFinished: Bool { loop.isFinished }

  func turn() { loop.turn() }

  /// As SIGTERM does.
  func beginStop() {
    world.readClocks(for: portID)
    loop.beginStop(at: loop.clock.now)
  }
}
