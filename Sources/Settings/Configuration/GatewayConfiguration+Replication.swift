// What has to be so that records can be replicated.
extension GatewayConfiguration {
  /// Batches of two writers of a topic make a broker drop records: who forces that says so.
  func checkReplication(_ root: SettingsNode, report: inout SettingsReport) {
    guard danube.path == .replicate else { return }
    let position = root["danube"]?["path"]?.position ?? .start
    if danube.target == .embedded {
      report.add(
        SettingsProblem(
          "\"replicate\" needs a cluster, and danube.url is \"embedded\"",
          remedy: "Write the URL of the cluster, or leave path out."),
        path: "danube.path", at: position)
      return
    }
    if spool.mode == .memory {
      report.add(
        SettingsProblem(
          "\"replicate\" needs the spool, and spool.mode is \"memory\"",
          remedy: "Write path = \"produce\", or another mode."),
        path: "danube.path", at: position)
    }
    let nodes = root["route"]?.elements ?? []
    for (index, route) in routes.enumerated() where index < nodes.count {
      guard let (key, problem) = replicationProblem(of: route) else { continue }
      report.add(
        problem, path: "route[\(index)].\(key)",
        at: nodes[index][key]?.position ?? nodes[index].position)
    }
  }

  /// Routes whose `no_live_consumers = true` or `sole_writer = true` changes nothing, and why, each
  /// as a sentence.
  public var replicationNotes: [String] {
    var notes: [String] = []
    for (index, route) in routes.enumerated() {
      let isOwn = route.topic.begins(with: "/\(gateway.name)/")
      let general = reasonAgainstReplication(of: route)
      if route.hasNoLiveConsumers {
        let foreign =
          "its topic is not under \(quoted("/\(gateway.name)/")), and sole_writer is not set"
        if let reason = general ?? (route.isSoleWriter || isOwn ? nil : foreign) {
          notes.append("route[\(index)].no_live_consumers changes nothing: \(reason)")
        }
      }
      if route.isSoleWriter {
        var reason = general
        if reason == nil, danube.path == .auto, !route.hasNoLiveConsumers {
          reason = "danube.path is \"auto\", and no_live_consumers is not set"
        }
        if reason == nil, isOwn { reason = "its topic is under \(quoted("/\(gateway.name)/"))" }
        if let reason { notes.append("route[\(index)].sole_writer changes nothing: \(reason)") }
      }
    }
    return notes
  }

  /// Why records of a route never go in batches, wherever its topic is; nil when they may.
  private func reasonAgainstReplication(of route: RouteConfiguration) -> String? {
    if danube.target == .embedded { return "the embedded broker has its records at once" }
    if danube.path == .produce { return "danube.path is \"produce\"" }
    if spool.mode == .memory { return "spool.mode is \"memory\"" }
    if !route.isReliable { return "the topic is not reliable" }
    if route.acknowledgement == .delivered {
      return "ack is \"delivered\", which keeps nothing in the spool"
    }
    return nil
  }

  private func replicationProblem(
    of route: RouteConfiguration
  ) -> (key: String, problem: SettingsProblem)? {
    if !route.isReliable {
      return (
        "reliable",
        SettingsProblem(
          "nobody gets what is replicated to a topic that is not reliable",
          remedy: "Remove the line, or write danube.path = \"auto\".")
      )
    }
    if route.acknowledgement == .delivered {
      return (
        "ack",
        SettingsProblem(
          "what is replicated comes from the spool, where \"delivered\" keeps nothing",
          remedy: "Write \"durable\", or danube.path = \"auto\".")
      )
    }
    let namespace = "/\(gateway.name)/"
    if !route.isSoleWriter, !route.topic.begins(with: namespace) {
      return (
        "to",
        SettingsProblem(
          "only topics under \(quoted(namespace)) are this gateway's own to replicate",
          remedy: "Choose such a topic, or write sole_writer = true if nobody else writes to it.")
      )
    }
    return nil
  }
}

extension Template {
  /// Whether whatever it makes begins with this text.
  fileprivate func begins(with text: String) -> Bool {
    guard case .literal(let first) = parts.first else { return false }
    return first.starts(with: text.utf8)
  }
}
