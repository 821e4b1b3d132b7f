import Settings
import Simulator

extension HostileSpool {
  /// What came in batches only came once, as long as no batch was given up and nothing on the disk
  /// was damaged.
  func checkReplicated() {
    guard let broker = scene.broker, plan.path != .produce else { return }
    count("replicated records", broker.accepted.count { $0.isReplicated })
    count("repeated batches", broker.repeatedBatches)
    let givenUp = tally["danube_gateway_uplink_replication_given_up_total"] ?? 0
    guard givenUp == 0, !plan.damagesBlocks, plan.lyingSyncPerMille == 0 else { return }
    var published: Set<[UInt8]> = []
    for message in broker.accepted where !message.isReplicated { published.insert(message.payload) }
    var counts: [[UInt8]: Int] = [:]
    for message in broker.accepted where !published.contains(message.payload) {
      counts[message.payload, default: 0] += 1
    }
    for (payload, count) in counts {
      guard let (device, number) = DeliveryOracle.identity(of: payload) else { continue }
      let sent =
        device < scene.devices.count
        ? scene.devices[device].sentCounts[number]
        : scene.webhooks[device - scene.devices.count].sentCounts[number]
      if count > sent {
        scene.oracle.complain("\(device):\(number) was replicated \(count) times, sent \(sent)")
      }
    }
  }
}
