import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Records
import Settings
import Simulator
import Spool

// What goes wrong, round by round.
extension HostileSpool {
  /// What the broker does with calls.
  enum BrokerMode: CaseIterable {
    /// It takes each at once, or after some milliseconds.
    case up
    /// It takes each after a while, some of them too late.
    case slow
    /// It refuses for the time being.
    case refusing
    /// It does not answer.
    case silent
    /// It does anything.
    case mad
  }

  /// What the disk does.
  enum DiskMode: CaseIterable {
    case calm, short, full, scarce, failedWrites, failedReads, failedSyncs, slow, readOnly
  }

  // MARK: The broker

  func planBroker() {
    scene.broker?.onMessage = { [unowned self] message in answer() }
    scene.broker?.onBatch = { [unowned self] _, _ in answer() }
    scene.broker?.hasEdgeService = plan.path != .produce
  }

  private func answer() -> ScriptedBroker.SendAnswer {
    let delay = Int.random(in: 0...4, using: &random)
    switch brokerMode {
    case .up: return .init(.ok, delayMilliseconds: delay)
    case .slow:
      // The deadline of calls is 400 ms.
      let most = plan.isBrokerCalm ? 150 : 500
      return .init(.ok, delayMilliseconds: Int.random(in: 20...most, using: &random))
    case .refusing:
      count("refusals")
      return .init(.fail(.unavailable, "no leader"), delayMilliseconds: delay)
    case .silent:
      count("silences")
      return .init(.never(isAccepted: false))
    case .mad:
      count("madness")
      switch Int.random(in: 0..<8, using: &random) {
      case 0: return .init(.never(isAccepted: true))
      case 1: return .init(.closeConnection(isAccepted: true))
      case 2: return .init(.closeConnection(isAccepted: false))
      case 3: return .init(.fail(.notFound, "producer not found"))
      default: return .init(.ok, delayMilliseconds: delay)
      }
    }
  }

  /// Chooses what goes wrong until the next crash.
  func beginRound() {
    let world = scene.world
    let (gateway, far) = (GatewayScene.gatewayHost, GatewayScene.brokerHost)
    // A calm broker is away only when no call can be open: the gateway has just been started.
    if Int.random(in: 0..<2, using: &random) == 0 {
      count("absences")
      world.refuseConnects(to: far, port: GatewayScene.brokerPort)
      let milliseconds = Int.random(in: 10...1_500, using: &random)
      world.after(milliseconds: milliseconds) { [unowned world] in
        world.allowConnects(to: far, port: GatewayScene.brokerPort)
      }
    }
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      let mode = mode(of: plan.isBrokerCalm ? [.up, .slow, .refusing] : BrokerMode.allCases)
      world.after(milliseconds: Int.random(in: 0...400, using: &random)) { [unowned self] in
        if !isHealed { brokerMode = mode }
      }
    }
    if !plan.isBrokerCalm {
      switch Int.random(in: 0..<6, using: &random) {
      case 0:
        world.after(milliseconds: Int.random(in: 0...600, using: &random)) { [unowned self] in
          guard !isHealed else { return }
          count("broker crashes")
          scene.broker?.forgetProducers()
          scene.broker?.closeConnections()
        }
      case 1:
        world.cut(gateway, far, forMilliseconds: Int.random(in: 10...1_000, using: &random))
      default: break
      }
    }
    planDisk()
  }

  private func mode(of modes: [BrokerMode]) -> BrokerMode {
    modes.randomElement(using: &random) ?? .up
  }

  // MARK: The disk

  private func planDisk() {
    setDisk(.calm)
    guard !plan.isDiskCalm else { return }
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let mode = DiskMode.allCases.randomElement(using: &random) ?? .calm
      scene.world.after(
        milliseconds: [0, Int.random(in: 0...300, using: &random)].randomElement(using: &random)
          ?? 0
      ) { [unowned self] in
        if !isHealed { setDisk(mode) }
      }
    }
  }

  func setDisk(_ mode: DiskMode) {
    var faults = DiskFaults()
    faults.lyingSyncPerMille = plan.lyingSyncPerMille
    faults.garbledPerMille = 300
    disk.capacityBytes = .max
    disk.isReadOnly = false
    let often = [20, 200, 1_000].randomElement(using: &random) ?? 20
    switch mode {
    case .calm: break
    case .short: faults.shortPerMille = 500
    case .full:
      disk.capacityBytes = disk.usedBytes + Int.random(in: 0...100_000, using: &random)
    case .scarce: faults.noSpacePerMille = often
    case .failedWrites: faults.failedWritePerMille = often
    case .failedReads: faults.failedReadPerMille = often
    case .failedSyncs: faults.failedSyncPerMille = often
    case .slow:
      faults.slowSyncPerMille = 300
      faults.latencyNanoseconds = 20_000...20_000_000
    case .readOnly:
      count("read only")
      disk.isReadOnly = true
    }
    if mode == .slow { count("slow disks") }
    disk.faults = faults
  }

  // MARK: Damage

  /// Flips a bit of a block that some later one, or the cursors, know to have been durable. Answers
  /// what was in it; nil when there is no such block.
  func damageSyncedBlock() -> [(device: Int, number: Int)]? {
    let path = "data/spool"
    var blocks: [(name: FileName, header: BlockHeader)] = []
    var synced = SpoolPosition.start
    for name in logFiles {
      guard let content = disk.content(of: name, in: path) else { continue }
      for header in Self.blocks(of: content) {
        synced = max(synced, header.syncedPosition)
        blocks.append((name, header))
      }
    }
    let known = blocks.filter { $0.header.position.end(after: $0.header.totalBytes) <= synced }
    guard let (name, header) = known.randomElement(using: &random),
      let content = disk.content(of: name, in: path)
    else { return nil }
    let records = Self.records(of: header, in: content)
    damagedFiles.insert(name)
    let at = Int.random(in: 0..<header.headerBytes + Int(header.storedBytes), using: &random)
    disk.flip(
      bit: Int.random(in: 0..<8, using: &random), ofByte: Int(header.position.offset) + at,
      of: name, in: path)
    return records
  }

  /// Flips a bit of one of the copies of the cursors. False when there are not two.
  func damageCursors() -> Bool {
    let names = disk.names(in: "data/spool").filter { $0.description.hasPrefix("cursors-") }
    guard names.count == 2, let name = names.randomElement(using: &random) else { return false }
    disk.flip(
      bit: Int.random(in: 0..<8, using: &random),
      ofByte: Int.random(in: 0..<64, using: &random), of: name, in: "data/spool")
    return true
  }

  /// The segments and what is in them.
  var describedFiles: String {
    logFiles.map { name in
      let content = disk.content(of: name, in: "data/spool") ?? []
      let blocks = Self.blocks(of: content).map { block in
        block.runs.map { "\($0.lane.rawValue % 1_000):\($0.firstSequence)+\($0.recordCount)" }
          .joined(separator: " ")
      }
      return "\(name): \(content.count) bytes, starts \(content.prefix(16)), \(blocks)"
    }.joined(separator: "; ")
  }

  private static func blocks(of content: [UInt8]) -> [BlockHeader] {
    do throws(SpoolFormatError) {
      let header = try SegmentHeader(decoding: content.span.bytes)
      var scan = SegmentScan(
        number: header.number, identity: header.identity.first,
        fileBytes: UInt64(content.count))
      var result: [BlockHeader] = []
      while true {
        switch scan.next(window: content.span.bytes, at: 0) {
        case .block(let block): result.append(block)
        case .bad: continue
        case .later, .needs, .end: return result
        }
      }
    } catch {
      return []
    }
  }

  private static func records(
    of header: BlockHeader, in content: [UInt8]
  ) -> [(device: Int, number: Int)] {
    var result: [(device: Int, number: Int)] = []
    let start = Int(header.position.offset) + header.headerBytes
    do throws(SpoolFormatError) {
      let block = try BlockContent(
        header, payload: content.span.bytes.extracting(droppingFirst: start))
      for run in header.runs.indices {
        block.forEachRecord(ofRun: run) { _, bytes in
          guard let element = RecordElement(bytes),
            let payload = payload(of: element.body),
            let identity = DeliveryOracle.identity(of: payload)
          else { return }
          result.append(identity)
        }
      }
    } catch {
      return []
    }
    return result
  }

  private static func payload(of body: RawSpan) -> [UInt8]? {
    do throws(DanubeProtocolError) {
      let message = try StreamMessageView(decoding: body)
      return message.payload.withUnsafeBytes { Array($0) }
    } catch {
      return nil
    }
  }
}

extension SpoolPosition {
  /// Where a block that begins here ends.
  fileprivate func end(after bytes: Int) -> SpoolPosition {
    SpoolPosition(segment: segment, offset: offset + UInt32(bytes))
  }
}
