// What has to be right between routes, and between routes and other sections.
extension GatewayConfiguration {
  /// A route behind one that takes all its messages is a mistake that nobody would notice.
  func checkRoutes(_ nodes: [SettingsNode], report: inout SettingsReport) {
    var mqtt = RouteCoverage(isMQTT: true)
    var webhooks = RouteCoverage(isMQTT: false)
    for (index, route) in routes.enumerated() where index < nodes.count {
      let steps = route.steps
      let isMQTT = route.mqtt != nil
      let earlier = isMQTT ? mqtt.firstCover(of: steps) : webhooks.firstCover(of: steps)
      if let earlier {
        let key = isMQTT ? "mqtt" : "webhook"
        report.add(
          SettingsProblem(
            "\(quoted(route.pattern)) never matches, because route[\(earlier)] takes "
              + "\(quoted(routes[earlier].pattern)) first",
            remedy: "Put it before that route, or remove it."),
          path: "route[\(index)].\(key)", at: nodes[index][key]?.position ?? nodes[index].position)
      }
      if isMQTT {
        mqtt.insert(steps, route: index)
      } else {
        webhooks.insert(steps, route: index)
      }
    }
  }

  /// A Danube topic is one thing, whatever routes lead to it, and there is room for all of them.
  func checkTopics(_ root: SettingsNode, report: inout SettingsReport) {
    let nodes = root["route"]?.elements ?? []
    var first: [Template: Int] = [:]
    var count = 0
    for (index, route) in routes.enumerated() where index < nodes.count {
      guard let other = first[route.topic] else {
        first[route.topic] = index
        if route.topic.isConstant { count += route.laneCount }
        continue
      }
      func check(_ key: String, _ value: String, _ otherValue: String) {
        if value == otherValue { return }
        report.add(
          SettingsProblem(
            "the topic has \(key) = \(value) here, and \(otherValue) in route[\(other)]",
            remedy: "Write the same for all routes to a topic."),
          path: "route[\(index)].\(key)",
          at: nodes[index][key]?.position ?? nodes[index]["to"]?.position ?? nodes[index].position)
      }
      check("partitions", "\(route.partitions)", "\(routes[other].partitions)")
      check("reliable", "\(route.isReliable)", "\(routes[other].isReliable)")
      let levels = (route.acknowledgement, routes[other].acknowledgement)
      // Records of one topic go one way.
      if (levels.0 == .delivered) != (levels.1 == .delivered) {
        check("ack", quoted(levels.0.rawValue), quoted(levels.1.rawValue))
      }
    }
    if count > limits.maxTopics {
      report.add(
        SettingsProblem(
          "the routes have \(count) topics without a placeholder, their partitions counted, which "
            + "is more than \(limits.maxTopics)",
          remedy: "Write at least max_topics = \(count)."),
        path: "limits.max_topics", at: root["limits"]?["max_topics"]?.position ?? .start)
    }
  }

  /// What only a disk can promise.
  func checkAcknowledgements(_ nodes: [SettingsNode], report: inout SettingsReport) {
    guard spool.mode == .memory else { return }
    for (index, route) in routes.enumerated() where index < nodes.count {
      guard route.acknowledgement == .disk else { continue }
      report.add(
        SettingsProblem(
          "\"disk\" needs the spool, and spool.mode is \"memory\"",
          remedy: "Write \"durable\", or another mode."),
        path: "route[\(index)].ack", at: nodes[index]["ack"]?.position ?? nodes[index].position)
    }
  }

  /// Routes that no listener serves, and listeners that no route serves.
  func checkKinds(_ root: SettingsNode, report: inout SettingsReport) {
    for kind in ListenerConfiguration.Kind.allCases {
      let name = kind == .mqtt ? "mqtt" : "webhook"
      let route = routes.firstIndex { (($0.mqtt != nil) == (kind == .mqtt)) }
      let listener = listeners.firstIndex { $0.kind == kind }
      if let route, listener == nil {
        let node = root["route"]?.elements?[route]
        report.add(
          SettingsProblem(
            "no message can come here, because no listener has kind = \(quoted(name))",
            remedy: "Add one: [[listen]], kind = \(quoted(name)) and an address."),
          path: "route[\(route)].\(name)", at: node?[name]?.position ?? node?.position ?? .start)
      }
      if let listener, route == nil {
        let node = root["listen"]?.elements?[listener]
        report.add(
          SettingsProblem(
            "no route takes what comes to listen[\(listener)], because none has \(name) = …",
            remedy: node == nil
              ? "Add such a route, or the [[listen]] sections that you want."
              : "Add such a route, or remove the listener."),
          path: "listen[\(listener)]", at: node?.position ?? .start)
      }
    }
  }
}
