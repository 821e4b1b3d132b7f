/// Reads the command line.
enum Arguments {
  static let usage = """
    usage: danube-device COMMAND [OPTIONS]

      publish --topic TOPIC     publish one message and wait until it is acknowledged
        --message TEXT          the payload; or --file FILE, or - to read the standard input
        --qos N                 0, 1 or 2 (default: 1)
        --retain                with the RETAIN flag
        --client-id ID          the client identifier (default: one of its own)
        --wait-ms N             how long to wait for the answer (default: 10000)
        --user-property N=V, --content-type TYPE, --response-topic TOPIC,
        --correlation-data TEXT, --expiry-s N
                                properties of the message; they need --v5

      run --topic TEMPLATE      many devices that publish readings by MQTT
      run --webhook TEMPLATE    many devices that post readings to an http:// URL
                                a template has {device} (its name) and {number} (from 1)
        --devices N             how many (default: 10)
        --rate N                messages a second of all together (default: 10)
        --seconds N             for how long (default: 10); or --count N messages in all
        --qos N                 0, 1 or 2 (default: 1)
        --in-flight N           what a device may have sent unanswered (default: 20)
        --header "NAME: VALUE"  a header of webhooks, may be repeated
        --payload-bytes N       fill the readings up to this size
        --name PREFIX           devices are PREFIX-1, PREFIX-2, ... (default: device)
        --late-ms N             later than this counts as late (default: 1000)
        --wait-ms N             for connections before the first message, and for answers after
                                the last one (default: 10000)
        --manifest FILE         list what was acknowledged, as "device sequence"; - for stdout
        --json                  the summary as JSON
        --quiet                 no running count

      verify --manifest FILE --received FILE
                                compare manifests with the output of danube-gateway tail --json;
                                both may be repeated
        --allow-duplicates      what arrived twice is no fault
        --ordered               a device's messages in another order are a fault
        --json                  the verdict as JSON

      publish and run:
        --host HOST, --port N   the MQTT server (default: 127.0.0.1, 1883)
        --v5                    speak MQTT 5, not 3.1.1
      -h, --help                print this text

    Exit code 0: all was acknowledged, or all that was acknowledged arrived; 1: not so;
    64: wrong usage; 65: a file that cannot be used; 69: no server.

    """

  private static let server: Set = ["host", "port", "qos", "wait-ms"]
  private static let properties: Set = [
    "user-property", "content-type", "response-topic", "correlation-data", "expiry-s",
  ]

  /// What `arguments`, without the program's name, ask for.
  static func parse(_ arguments: [String]) throws(ArgumentError) -> Command {
    guard let name = arguments.first else { throw ArgumentError(message: "a command is missing") }
    if ["help", "-h", "--help"].contains(name) { return .help }
    let rest = arguments.dropFirst()
    switch name {
    case "publish":
      let list = try OptionList(
        rest,
        options: server.union(properties).union(["topic", "message", "file", "client-id"]),
        switches: ["v5", "retain", "help"])
      return list.has("help") ? .help : .publish(try publish(list))
    case "run":
      let list = try OptionList(
        rest,
        options: server.union([
          "topic", "webhook", "devices", "rate", "seconds", "count", "in-flight", "header",
          "payload-bytes", "name", "late-ms", "manifest",
        ]), switches: ["v5", "json", "quiet", "help"])
      return list.has("help") ? .help : .run(try run(list))
    case "verify":
      let list = try OptionList(
        rest, options: ["manifest", "received"],
        switches: ["allow-duplicates", "ordered", "json", "help"])
      return list.has("help") ? .help : .verify(try verify(list))
    default: throw ArgumentError(message: "unknown command \(name)")
    }
  }

  private static func server(_ list: OptionList) throws(ArgumentError) -> ServerOptions {
    var options = ServerOptions()
    options.host = list.text("host") ?? options.host
    options.port = try list.number("port", in: 1...65_535, default: options.port)
    options.isVersion5 = list.has("v5")
    options.inFlight = try list.number("in-flight", in: 1...65_535, default: options.inFlight)
    return options
  }

  private static func publish(_ list: OptionList) throws(ArgumentError) -> PublishOptions {
    var options = PublishOptions()
    options.server = try server(list)
    guard let topic = list.text("topic") else {
      throw ArgumentError(message: "publish needs --topic, such as sensors/kitchen/temperature")
    }
    options.topic = topic
    options.payload = try payload(list)
    options.qos = try list.number("qos", in: 0...2, default: 1)
    options.isRetained = list.has("retain")
    options.clientID = list.text("client-id") ?? ""
    options.waitMilliseconds = try list.number("wait-ms", in: 0...3_600_000, default: 10_000)
    options.properties = try properties(list)
    if !options.properties.isEmpty, !options.server.isVersion5 {
      throw ArgumentError(message: "properties of messages need --v5")
    }
    return options
  }

  private static func payload(_ list: OptionList) throws(ArgumentError) -> PublishOptions.Payload {
    var sources: [PublishOptions.Payload] = []
    if let text = list.text("message") { sources.append(.text(text)) }
    if let path = list.text("file") { sources.append(.file(path)) }
    for word in list.words {
      guard word == "-" else { throw ArgumentError(message: "publish does not take \(word)") }
      sources.append(.standardInput)
    }
    guard sources.count == 1 else {
      throw ArgumentError(message: "publish needs one of --message, --file and -")
    }
    return sources[0]
  }

  private static func properties(
    _ list: OptionList
  ) throws(ArgumentError) -> PublishProperties {
    var properties = PublishProperties()
    for text in list.texts("user-property") {
      guard let equals = text.firstIndex(of: "=") else {
        throw ArgumentError(message: "--user-property is NAME=VALUE, not \(text)")
      }
      properties.user.append(
        PublishProperties.Pair(
          name: String(text[..<equals]), value: String(text[text.index(after: equals)...])))
    }
    properties.contentType = list.text("content-type")
    properties.responseTopic = list.text("response-topic")
    properties.correlationData = list.text("correlation-data")
    if list.has("expiry-s") {
      properties.expirySeconds = try list.number("expiry-s", in: 0...4_294_967_295, default: 0)
    }
    return properties
  }

  private static func run(_ list: OptionList) throws(ArgumentError) -> RunOptions {
    if let word = list.words.first { throw ArgumentError(message: "run does not take \(word)") }
    var options = RunOptions(door: try door(list))
    options.server = try server(list)
    options.workload = try workload(list)
    options.qos = try list.number("qos", in: 0...2, default: 1)
    options.headers = list.texts("header")
    options.payloadByteCount = try list.number("payload-bytes", in: 0...4_000_000, default: 0)
    options.namePrefix = list.text("name") ?? options.namePrefix
    let isWord = options.namePrefix.utf8.allSatisfy { byte in
      switch Character(Unicode.Scalar(byte)) {
      case "a"..."z", "A"..."Z", "0"..."9", "_", "-": byte < 0x80
      default: false
      }
    }
    guard isWord, !options.namePrefix.isEmpty else {
      throw ArgumentError(message: "--name is made of letters, digits, _ and -")
    }
    options.manifest = list.text("manifest")
    options.printsJSON = list.has("json")
    options.isQuiet = list.has("quiet")
    return options
  }

  private static func door(_ list: OptionList) throws(ArgumentError) -> RunOptions.Door {
    let mqttOnly = ["host", "port", "qos", "in-flight", "v5"]
    switch (list.text("topic"), list.text("webhook")) {
    case (let topic?, nil):
      if list.has("header") { throw ArgumentError(message: "--header needs --webhook") }
      return .mqtt(topic: try DeviceTemplate(topic))
    case (nil, let url?):
      if let name = mqttOnly.first(where: list.has) {
        throw ArgumentError(message: "--\(name) does not go with --webhook")
      }
      guard url.hasPrefix("http://") else {
        throw ArgumentError(message: "--webhook is an http:// URL, not \(url)")
      }
      return .webhook(url: try DeviceTemplate(url))
    default:
      throw ArgumentError(message: "run needs one of --topic and --webhook")
    }
  }

  private static func workload(_ list: OptionList) throws(ArgumentError) -> WorkloadOptions {
    var options = WorkloadOptions()
    options.devices = try list.number("devices", in: 1...100_000, default: options.devices)
    options.rate = try list.positive("rate", upTo: 10_000_000, default: options.rate)
    options.lateMilliseconds = try list.number("late-ms", in: 1...3_600_000, default: 1_000)
    options.waitMilliseconds = try list.number("wait-ms", in: 0...3_600_000, default: 10_000)
    if list.has("count") {
      if list.has("seconds") {
        throw ArgumentError(message: "--count and --seconds do not go together")
      }
      options.messages = try list.number("count", in: 1...1_000_000_000, default: 1)
    } else {
      let seconds = try list.positive("seconds", upTo: 1_000_000, default: 10)
      let messages = (seconds * options.rate).rounded()
      guard messages <= 1e9 else { throw ArgumentError(message: "at most 1000000000 messages") }
      options.messages = max(1, Int(messages))
    }
    guard Double(options.messages) / options.rate <= 1_000_001 else {
      throw ArgumentError(message: "this would take longer than 1000000 seconds")
    }
    return options
  }

  private static func verify(_ list: OptionList) throws(ArgumentError) -> VerifyOptions {
    if let word = list.words.first { throw ArgumentError(message: "verify does not take \(word)") }
    var options = VerifyOptions()
    options.manifests = list.texts("manifest")
    options.received = list.texts("received")
    guard !options.manifests.isEmpty, !options.received.isEmpty else {
      throw ArgumentError(message: "verify needs --manifest and --received")
    }
    options.allowsDuplicates = list.has("allow-duplicates")
    options.isOrdered = list.has("ordered")
    options.printsJSON = list.has("json")
    return options
  }
}
