extension GatewayConfiguration {
  /// Reads and checks a configuration file.
  ///
  /// - Parameters:
  ///   - path: the file's name for errors; nothing is read from it.
  ///   - contents: what is in the file.
  ///   - defaultName: the name of the gateway when the file has none. Other characters than
  ///     `[A-Za-z0-9_-]` become `-`, and only the last 64 are used (a hash stands at the end).
  /// - Throws: everything that is wrong in the file; only the first error when it is not TOML.
  public static func load(
    path: String, contents: [UInt8], defaultName: String
  ) throws(SettingsErrors) -> GatewayConfiguration {
    let root = try SettingsTree(parsing: contents, file: path).root
    return try load(root, path: path, defaultName: defaultName)
  }

  /// Reads and checks the tree of a file.
  static func load(
    _ root: SettingsNode, path: String, defaultName: String
  ) throws(SettingsErrors) -> GatewayConfiguration {
    var report = SettingsReport(file: path)
    let known = ConfigurationReference.sections.map(\.name)
    for entry in root.entries ?? [] where !known.contains(entry.key) {
      report.addUnknownSection(entry, known: known)
    }

    var configuration = GatewayConfiguration()
    configuration.gateway = report.single(ProcessConfiguration.self, in: root)
    if root["gateway"]?["name"] == nil {
      configuration.gateway.name = validName(defaultName)
    }
    configuration.danube = report.single(DanubeConfiguration.self, in: root)
    configuration.broker = report.single(BrokerConfiguration.self, in: root)
    configuration.spool = report.single(SpoolConfiguration.self, in: root)
    configuration.admin = report.single(AdminConfiguration.self, in: root)
    configuration.limits = report.single(LimitsConfiguration.self, in: root)
    let listeners = report.repeated(ListenerConfiguration.self, in: root)
    if root["listen"] != nil { configuration.listeners = listeners }
    configuration.routes = report.repeated(RouteConfiguration.self, in: root)
    if root["route"] == nil {
      report.add(
        SettingsProblem("there is no route, so every message would be dropped"), path: "route",
        at: .start, remedy: routeRemedy)
    }
    // Relations between sections say nothing while a section is wrong.
    if report.errors.isEmpty { configuration.check(root, report: &report) }
    if !report.errors.isEmpty { throw report.result }
    return configuration
  }

  private static let routeRemedy =
    "Add for example:\n[[route]]\nmqtt = \"sensors/+/temperature\"\nto = \"/default/temperature\""

  private static func validName(_ name: String) -> String {
    let bytes = name.utf8.map { isNameByte($0) ? $0 : UInt8(ascii: "-") }
    return bytes.isEmpty ? "gateway" : String(decoding: bytes.suffix(64), as: UTF8.self)
  }
}

extension GatewayConfiguration {
  /// Reports what is wrong between sections.
  fileprivate func check(_ root: SettingsNode, report: inout SettingsReport) {
    checkAddresses(root, report: &report)
    checkRoutes(root["route"]?.elements ?? [], report: &report)
    checkTopics(root, report: &report)
    checkAcknowledgements(root["route"]?.elements ?? [], report: &report)
    checkReplication(root, report: &report)
    checkKinds(root, report: &report)
    let largest = listeners.max { $0.largestInputBytes < $1.largestInputBytes }
    let largestPacketBytes = largest?.largestInputBytes ?? 0
    let key = largest?.kind == .webhook ? "max_body with its max_head" : "max_packet"
    let neededBytes = 2 * max(largestPacketBytes, limits.maxBatchBytes)
    if limits.memoryBytes < neededBytes {
      let isPacket = largestPacketBytes >= limits.maxBatchBytes
      report.add(
        SettingsProblem(
          "\(ByteSize.text(limits.memoryBytes)) is less than twice "
            + (isPacket ? "the largest listen.\(key)" : "limits.max_batch"),
          remedy: "Write at least \"\(ByteSize.text(neededBytes))\", or make that smaller."),
        path: "limits.memory", at: root["limits"]?["memory"]?.position ?? .start)
    }
    checkDisk(root, largest: largestPacketBytes, "listen.\(key)", report: &report)
  }

  /// A record that fills the disk's share would be refused for ever, or push everything else out.
  private func checkDisk(
    _ root: SettingsNode, largest: Int, _ key: String, report: inout SettingsReport
  ) {
    let isEmbedded = danube.target == .embedded
    let bytes = isEmbedded ? broker.retainBytes : spool.maxBytes
    guard isEmbedded || spool.mode != .memory, bytes < 4 * largest else { return }
    let (section, name) = isEmbedded ? ("broker", "retain_bytes") : ("spool", "max_bytes")
    report.add(
      SettingsProblem(
        "\(ByteSize.text(bytes)) is less than four times the largest \(key)",
        remedy: "Write at least \"\(ByteSize.text(4 * largest))\", or make that smaller."),
      path: "\(section).\(name)", at: root[section]?[name]?.position ?? .start)
  }

  /// Two sockets on one address: the second would only fail when the gateway starts.
  private func checkAddresses(_ root: SettingsNode, report: inout SettingsReport) {
    var used: [(path: String, address: HostPort)] = []
    func use(
      _ address: HostPort, path: String, in section: SettingsNode?, report: inout SettingsReport
    ) {
      if let other = used.first(where: { $0.address.collides(with: address) }) {
        report.add(
          SettingsProblem(
            "\(quoted(address.description)) is in the way of \(other.path) = "
              + quoted(other.address.description), remedy: "Give each its own port."),
          path: path,
          at: section?["address"]?.position ?? section?.position ?? .start)
      }
      used.append((path, address))
    }
    if danube.target == .embedded {
      use(broker.address, path: "broker.address", in: root["broker"], report: &report)
    }
    use(admin.address, path: "admin.address", in: root["admin"], report: &report)
    for (index, listener) in listeners.enumerated() {
      let section = root["listen"]?.elements?[index]
      use(
        listener.address, path: "listen[\(index)].address", in: section, report: &report)
    }
  }
}

extension SettingsReport {
  /// Reads `[section]`, or takes its defaults when the file has none.
  fileprivate mutating func single<Section: ConfigurationSection>(
    _ type: Section.Type, in root: SettingsNode
  ) -> Section {
    guard let node = root[Section.sectionName] else { return Section.defaults() }
    return section(type, from: node, path: Section.sectionName)
  }

  /// Reads every `[[section]]`.
  fileprivate mutating func repeated<Section: ConfigurationSection>(
    _ type: Section.Type, in root: SettingsNode
  ) -> [Section] {
    let name = Section.sectionName
    guard let node = root[name] else { return [] }
    guard let elements = node.elements, !elements.isEmpty else {
      add(
        SettingsProblem(node.elements == nil ? "\(node.shown) is not a list" : "the list is empty"),
        path: name, at: node.position, remedy: "Write [[\(name)]], with two brackets.")
      return []
    }
    if elements.count > Section.maxCount {
      add(
        SettingsProblem("\(elements.count) sections are more than \(Section.maxCount)"),
        path: name, at: elements[Section.maxCount].position, remedy: "Remove some.")
      return []
    }
    let defaults = Section.defaults()
    return elements.enumerated().map { index, element in
      section(from: element, path: "\(name)[\(index)]", defaults: defaults)
    }
  }

  fileprivate mutating func addUnknownSection(_ entry: SettingsEntry, known: [String]) {
    if cut() { return }
    let isSection = entry.node.entries != nil || entry.node.elements != nil
    var problem = SettingsProblem(isSection ? "unknown section" : "unknown key")
    problem.suggestion = nearest(to: entry.key, among: known)
    let elsewhere = ConfigurationReference.entries.filter { $0.name == entry.key }
    if !isSection {
      problem.message = "this key stands before every section"
      problem.suggestion = elsewhere.first.map { "\($0.section).\($0.name)" }
    }
    let remedy =
      problem.suggestion == nil
      ? "Remove it; there are the sections \(known.joined(separator: ", "))."
      : "Remove it or see edge.toml for all keys."
    add(problem, path: shownKey(entry.key), at: entry.keyPosition, remedy: remedy)
  }
}
